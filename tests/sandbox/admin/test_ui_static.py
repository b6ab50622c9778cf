"""The inbox page as files: how they are served, and what they keep to. What it does is seen in `tests/browser`."""

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

import pytest

from ..raw_http import calling

PAGE = files("routee_failover.sandbox.admin").joinpath("ui")
MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def _served() -> Iterator[tuple[str, Traversable]]:
    yield "/", PAGE.joinpath("index.html")
    yield "/inbox.css", PAGE.joinpath("inbox.css")
    for part in PAGE.joinpath("inbox").iterdir():
        yield f"/inbox/{part.name}", part


SERVED = dict(_served())


@pytest.mark.parametrize("path", SERVED)
async def test_file_is_served(path: str) -> None:
    """Each file of the page is served as what it is, with headers that let nothing else in."""
    async with calling() as caller, caller.session.get(path) as response:
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


async def test_a_browser_that_has_it_is_told_so() -> None:
    """A file that has not changed is not sent again: its tag is its content's."""
    async with calling() as caller:
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
async def test_nothing_else_is_served(path: str) -> None:
    """Only the files of the page have an address; everything else is a 404 in JSON."""
    async with calling() as caller:
        status, body = await caller.raw("GET", path)
        assert (status, body["code"][:3]) == (404, "404")


@pytest.mark.parametrize("path", SERVED)
def test_file_keeps_to_itself(path: str) -> None:
    """No file names a foreign address, makes elements of text, or runs text; and each is read in one sitting."""
    text = SERVED[path].read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://\w", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|srcdoc|new Function", text) == []
    lines = text.splitlines()
    assert len(lines) <= 350
    assert max(map(len, lines)) <= 120
