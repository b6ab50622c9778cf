"""Data on standard output is UTF-8 to whatever is no terminal."""

import io
import sys

import pytest

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
