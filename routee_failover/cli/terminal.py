"""Terminal output: consoles without markup, safe for text from files and servers."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn, TextIO

import attrs
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

MAX_TEXT_LENGTH = 1000


class OutputClosed(Exception):  # control flow: it ends a command
    """The reader has closed the output."""


class Terminal(Console):
    """Console that prints text as it is: no markup, no emoji names, no highlighting, printable characters alone."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render with blanks in place of what is not printable: whatever prints text of Routee's or of a file."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or text.isprintable() else Segment(blank_unprintable(text), style)

    def on_broken_pipe(self) -> NoReturn:
        """Raise `OutputClosed`, so that the command reports what was sent; rich would end the process here."""
        raise OutputClosed

    def print_line(self, *parts: str | tuple[str, str]) -> None:
        """Print one line, never wrapped: a command must stay copyable, and a script reads line by line."""
        self.print(Text.assemble(*parts), soft_wrap=True)

    @property
    def supports_live_display(self) -> bool:
        """Whether lines can be redrawn: FORCE_COLOR gives a pipe colours, but no cursor."""
        return self.file.isatty() and not self.is_dumb_terminal

    @property
    def glyphs(self) -> "Glyphs":
        """The symbols that this console can show."""
        return UNICODE if self.encoding.startswith("utf") else ASCII


@attrs.frozen
class Glyphs:
    """Symbols of states."""

    done: str
    failed: str
    rejected: str
    waiting: str
    in_progress: str
    arrow: str
    dash: str
    spinner: str


UNICODE = Glyphs("✓", "✗", "■", "·", "●", "→", "—", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
ASCII = Glyphs("+", "x", "#", ".", "*", "->", "-", "|/-\\")


def blank_unprintable(text: str) -> str:
    """Return a text of any number of lines with blanks in place of what is not printable."""
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _blank(line) for line in lines)


def _blank(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)


def printable(text: object, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return a text as one line without control codes: a terminal would obey those of a file name or a response."""
    shown = _blank(str(text)[: max_length + 1])
    return shown if len(shown) <= max_length else shown[:max_length] + "..."


def print_error(lines: Iterable[str]) -> None:
    """Print an error on stderr. If it cannot be written, the command ends the same way."""
    console = Terminal(stderr=True)
    with contextlib.suppress(OSError, OutputClosed):
        first, *rest = (printable(line) for line in lines)
        console.print_line(("routee-failover: ", "bold red"), first)
        for line in rest:
            console.print_line(f"  {line}")


def flush_or_discard(stream: TextIO | None) -> None:
    """Flush a stream; if its reader is gone, redirect it to the null device, so that Python's exit stays silent."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null_device = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null_device, stream.fileno())
            os.close(null_device)


def escape_unencodable() -> None:
    """Escape characters that a stream cannot encode, instead of failing in the middle of a receipt."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
