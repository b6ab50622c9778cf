"""Data on standard output is UTF-8 to whatever is no terminal."""

import io
import sys

import pytest

from routee_failover import InvalidSource
from routee_failover.cli.data_output import DataOutput


def test_bytes_come_after_the_text_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters that the locale does not have are written, in the order in which texts and data were printed."""
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding="ascii", errors="backslashreplace"))
    sys.stdout.write("before\n")
    output = DataOutput()
    output.write("π\n")
    sys.stdout.write("after\n")
    sys.stdout.flush()
    assert data.getvalue().decode() == "before\nπ\nafter\n"


class _Terminal(io.TextIOWrapper):
    """A terminal with an encoding of its own."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_gets_its_own_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it can show is shown in its encoding, and a letter that it cannot show is refused, not replaced."""
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", _Terminal(data, encoding="latin-1", errors="backslashreplace"))
    output = DataOutput()
    output.write("é\n")
    with pytest.raises(InvalidSource, match=r"iso8859-1, which has no U\+03C0: write it to a file or to a pipe"):
        output.write("π\n")
    assert data.getvalue() == b"\xe9\n"
