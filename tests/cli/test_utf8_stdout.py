"""Data on standard output is UTF-8 unless it goes to a terminal."""

import io
import sys

import pytest

from routee_failover import InvalidSource
from routee_failover.cli.utf8_stdout import DataOutput


def test_data_and_text_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters missing in the locale's encoding are written, in the order in which text and data were printed."""
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding="ascii", errors="backslashreplace"))
    sys.stdout.write("before\n")
    output = DataOutput()
    output.write("π\n")
    sys.stdout.write("after\n")
    sys.stdout.flush()
    assert data.getvalue().decode() == "before\nπ\nafter\n"


class _Terminal(io.TextIOWrapper):
    """A terminal with an encoding."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_terminal_without_the_character_raises_invalid_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text is written in the terminal's encoding; a character that it lacks raises instead of being replaced."""
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", _Terminal(data, encoding="latin-1", errors="backslashreplace"))
    output = DataOutput()
    output.write("é\n")
    with pytest.raises(InvalidSource, match=r"iso8859-1, which has no U\+03C0: write it to a file or a pipe"):
        output.write("π\n")
    assert data.getvalue() == b"\xe9\n"
