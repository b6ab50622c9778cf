"""Terminal output on streams of every kind."""

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
    """A stream that may be a terminal, have another encoding, or be closed by its reader."""

    def __init__(self, *, terminal: bool = False, encoding: str = "utf-8", broken: type[OSError] | None = None) -> None:
        super().__init__()
        self._terminal, self._encoding, self._broken = terminal, encoding, broken

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        if self._broken is not None:
            raise self._broken

    def fileno(self) -> int:
        return io.StringIO().fileno()


def test_print_line_does_not_wrap_or_interpret_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is not wrapped however narrow the terminal, and its text is not markup."""
    stream = _Stream()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "20")
    Terminal().print_line("[bold]" + "x " * 50, (":smile:", "red"))
    assert stream.getvalue() == "[bold]" + "x " * 50 + ":smile:\n"


@pytest.mark.parametrize(
    ("terminal", "term", "live"), [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)]
)
def test_only_a_terminal_with_a_cursor_supports_live_display(
    terminal: bool, term: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live display needs a terminal that can move its cursor, whatever FORCE_COLOR says."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=terminal))
    assert Terminal().supports_live_display is live


def test_glyphs_follow_the_stream_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Symbols are in the encoding of the stream."""
    monkeypatch.setattr(sys, "stdout", _Stream())
    assert Terminal().glyphs is UNICODE
    monkeypatch.setattr(sys, "stdout", _Stream(encoding="latin-1"))
    assert Terminal().glyphs is ASCII


def test_closed_pipe_raises_output_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe raises `OutputClosed` instead of ending the process."""
    monkeypatch.setattr(sys, "stdout", _Stream(broken=BrokenPipeError))
    with pytest.raises(OutputClosed):
        Terminal().print_line("hi")


@pytest.mark.parametrize("broken", [BrokenPipeError, OSError])
def test_print_error_on_a_closed_stderr_raises_nothing(broken: type[OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error message that cannot be written raises nothing."""
    monkeypatch.setattr(sys, "stderr", _Stream(broken=broken))
    print_error(["hi"])


def test_flush_or_discard_accepts_broken_streams() -> None:
    """Flushing works on streams that are open, closed, broken or missing."""
    flush_or_discard(None)
    flush_or_discard(_Stream())
    flush_or_discard(_Stream(broken=OSError))
    with io.StringIO() as closed:
        pass
    flush_or_discard(closed)


def test_flush_or_discard_silences_a_full_disk() -> None:
    """A stream that cannot be flushed is redirected, so that Python's exit stays silent."""
    stream = open("/dev/full", "w")  # noqa: PTH123, SIM115
    stream.write("x")
    flush_or_discard(stream)
    stream.close()


def test_unencodable_characters_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that a stream cannot encode is escaped instead of failing."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", object())
    escape_unencodable()
    stream.write("Ω")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\u03a9"
