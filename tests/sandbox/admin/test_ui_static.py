"""The static files of the inbox page: how they are served, and rules for their source. See also `tests/browser`."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from ..raw_http import open_caller

UI = files("routee_failover.sandbox.admin").joinpath("ui")
MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _served() -> Iterator[tuple[str, Traversable]]:
    yield "/", UI.joinpath("index.html")
    yield "/inbox.css", UI.joinpath("inbox.css")
    for part in UI.joinpath("inbox").iterdir():
        yield f"/inbox/{part.name}", part


SERVED = dict(_served())


@pytest.mark.parametrize("path", SERVED)
async def test_file_is_served_with_type_and_security_headers(path: str) -> None:
    """Each file is served with its content type, and with headers that allow nothing but these files."""
    async with open_caller() as caller, caller.session.get(path) as response:
        assert response.status == 200
        assert await response.read() == SERVED[path].read_bytes()
        assert response.content_type == MEDIA[SERVED[path].name.rpartition(".")[2]]
        assert response.charset == "utf-8"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-cache"


async def test_unchanged_file_returns_304() -> None:
    """A file that has not changed is not sent again: its ETag is a digest of its contents."""
    async with open_caller() as caller:
        async with caller.session.get("/") as first:
            tag = first.headers["ETag"]
        for known, status in ((tag, 304), (f'"old", {tag}', 304), ("*", 304), ('"old"', 200)):
            async with caller.session.get("/", headers={"If-None-Match": known}) as again:
                assert again.status == status
                assert again.headers["ETag"] == tag
                assert bool(await again.read()) is (status == 200)


@pytest.mark.parametrize(
    "path", ["/inbox/none.js", "/inbox/", "/inbox/..%2Findex.html", "/inbox/../ui_static.py", "/page"]
)
async def test_other_paths_return_404(path: str) -> None:
    """Only the files of the page are served; every other path is a 404 in JSON."""
    async with open_caller() as caller:
        status, body = await caller.raw("GET", path)
        assert (status, body["code"][:3]) == (404, "404")


@pytest.mark.parametrize("path", SERVED)
def test_file_has_no_foreign_urls_and_no_dynamic_markup(path: str) -> None:
    """No file has a foreign URL, creates elements from text, or runs text; and files and lines are short."""
    text = SERVED[path].read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://\w", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|srcdoc|new Function", text) == []
    lines = text.splitlines()
    assert len(lines) <= 350
    assert max(map(len, lines)) <= 120
