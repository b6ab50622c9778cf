"""The consoles: what they write on streams of every kind."""

import io
import sys

import pytest

from routee_failover.cli.terminal import (
    ASCII,
    UNICODE,
    OutputClosed,
    Terminal,
    escape_unencodable,
    flush_or_discard,
    print_error,
)


class _Stream(io.StringIO):
    """A stream that may be a terminal, may speak another alphabet, and may be closed at the other end."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8", broken: type[OSError] | None = None) -> None:
        super().__init__()
        self._terminal, self._alphabet, self._broken = terminal, encoding, broken

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._alphabet

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        if self._broken is not None:
            raise self._broken

    def fileno(self) -> int:
        return io.StringIO().fileno()


def test_lines_are_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is one line however narrow the terminal, and its text is no markup."""
    stream = _Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "20")
    Terminal().print_line("[bold]" + "x " * 50, (":smile:", "red"))
    assert stream.getvalue() == "[bold]" + "x " * 50 + ":smile:\n"


@pytest.mark.parametrize(
    ("terminal", "kind", "animates"), [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)]
)
def test_animates(terminal: bool, kind: str, animates: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a terminal that can move its cursor is drawn on, whatever FORCE_COLOR says."""
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=terminal))
    assert Terminal().supports_live_display is animates


def test_glyphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs are of the alphabet that the stream speaks."""
    monkeypatch.setattr(sys, "stdout", _Stream())
    assert Terminal().glyphs is UNICODE
    monkeypatch.setattr(sys, "stdout", _Stream(encoding="latin-1"))
    assert Terminal().glyphs is ASCII


def test_closed_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody reads is told to the command instead of ending the process."""
    monkeypatch.setattr(sys, "stdout", _Stream(broken=BrokenPipeError))
    with pytest.raises(OutputClosed):
        Terminal().print_line("hi")


@pytest.mark.parametrize("broken", [BrokenPipeError, OSError])
def test_nobody_hears_the_complaint(broken: type[OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    """A complaint that cannot be written changes nothing about how the command ends."""
    monkeypatch.setattr(sys, "stderr", _Stream(broken=broken))
    print_error(["hi"])


def test_last_words() -> None:
    """Letting a stream go writes what is left, and survives streams that are closed, broken or missing."""
    flush_or_discard(None)
    flush_or_discard(_Stream())
    flush_or_discard(_Stream(broken=OSError))
    with io.StringIO() as closed:
        pass
    flush_or_discard(closed)


def test_full_disk() -> None:
    """A stream whose last words nobody takes is turned away from its file, so that Python's own end stays silent."""
    stream = open("/dev/full", "w")  # noqa: PTH123, SIM115
    stream.write("x")
    flush_or_discard(stream)
    stream.close()


def test_letters_that_a_stream_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that a stream cannot say is written as its number instead of failing."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", object())
    escape_unencodable()
    stream.write("Ω")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u03a9"
