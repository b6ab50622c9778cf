"""The inbox page: static files that this package brings, served as they are, with headers that let nothing else in."""

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

import attrs
from aiohttp import web

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# What a message holds is somebody else's: nothing on the page may load, run or frame anything but the page's own files,
# and the browser itself refuses to make elements out of text.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS = {
    "Cache-Control": "no-cache",  # asked for anew each time, and answered 304: an upgraded sandbox shows its own page
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@attrs.frozen
class _File:
    body: bytes
    media: str
    tag: str


class StaticUi:
    """`/`, `/inbox.css` and `/inbox/...`: the page itself. What it shows it asks of `/sandbox/...`."""

    def routes(self) -> list[web.RouteDef]:
        """An address for each file; there is no path to traverse."""
        return [web.get(path, self.serve, allow_head=False) for path in _files()]

    async def serve(self, request: web.Request) -> web.Response:
        """The file at this address, or 304 for a browser that has it already."""
        file = _files()[request.path]
        headers = {**_HEADERS, "ETag": f'"{file.tag}"'}
        known = request.if_none_match or ()
        if any(tag.value in {file.tag, "*"} for tag in known):
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, content_type=file.media, charset="utf-8", headers=headers)


@functools.cache
def _files() -> Mapping[str, _File]:
    """The files of the page by their address, read once."""
    page = resources.files("routee_failover.sandbox.admin").joinpath("ui")
    found = {"/inbox.css": page.joinpath("inbox.css"), "/": page.joinpath("index.html")}
    found |= {f"/inbox/{part.name}": part for part in page.joinpath("inbox").iterdir()}
    return {path: _read(part) for path, part in found.items()}


def _read(part: Traversable) -> _File:
    body = part.read_bytes()
    media = _TYPES["." + part.name.rpartition(".")[2]]
    return _File(body, media, hashlib.sha256(body).hexdigest()[:16])
