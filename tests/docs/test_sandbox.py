"""The how-to of the sandbox as a page; its steps are taken in `tests/browser/test_sandbox_guide.py`."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
LARGEST = 200_000


def test_the_picture() -> None:
    """The picture of the inbox page is there, is a PNG, and is small."""
    assert "](images/inbox.png)" in (DOCS / "sandbox.md").read_text("utf-8")
    picture = (DOCS / "images/inbox.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < LARGEST
