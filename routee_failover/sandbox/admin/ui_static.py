"""Static files of the inbox page, served unchanged, with headers that allow nothing but these files."""

import functools
import hashlib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

import attrs
from aiohttp import web

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# Messages contain untrusted content: the page may load, run or frame only its own files, and the browser refuses to
# create elements from text.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS = {
    "Cache-Control": "no-cache",  # revalidated each time, with a 304: after an upgrade the browser shows the new page
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
    """Handler of `/`, `/inbox.css` and `/inbox/...`. The page gets its data from `/sandbox/...`."""

    def routes(self) -> list[web.RouteDef]:
        """Return one route per file; there is no path to traverse."""
        return [web.get(path, self.serve, allow_head=False) for path in _files()]

    async def serve(self, request: web.Request) -> web.Response:
        """Return the file at this path, or 304 if the browser has it already."""
        file = _files()[request.path]
        headers = {**_HEADERS, "ETag": f'"{file.tag}"'}
        known_tags = request.if_none_match or ()
        if any(known.value in {file.tag, "*"} for known in known_tags):
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, content_type=file.media, charset="utf-8", headers=headers)


@functools.cache
def _files() -> Mapping[str, _File]:
    """Return the files of the page by path, read once."""
    ui = resources.files("routee_failover.sandbox.admin").joinpath("ui")
    files = {"/inbox.css": ui.joinpath("inbox.css"), "/": ui.joinpath("index.html")}
    files |= {f"/inbox/{part.name}": part for part in ui.joinpath("inbox").iterdir()}
    return {path: _read(file) for path, file in files.items()}


def _read(file: Traversable) -> _File:
    body = file.read_bytes()
    media = _TYPES["." + file.name.rpartition(".")[2]]
    return _File(body, media, hashlib.sha256(body).hexdigest()[:16])
