"""docs/sandbox.md: its screenshot. `tests/browser/test_sandbox_guide.py` follows its steps."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
MAX_BYTES = 200_000


def test_screenshot_exists_and_is_a_small_png() -> None:
    """The screenshot of the inbox page exists, is a PNG, and has less than 200 kB."""
    assert "](images/inbox.png)" in (DOCS / "sandbox.md").read_text("utf-8")
    screenshot = (DOCS / "images/inbox.png").read_bytes()
    assert screenshot.startswith(b"\x89PNG")
    assert len(screenshot) < MAX_BYTES
