"""Where words go: consoles that read nothing into a text, and that are safe to show what a server answered."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import NoReturn, TextIO

import attrs
from rich.console import Console
from rich.text import Text

MAX_TEXT_LENGTH = 1000


class OutputClosed(Exception):  # it ends a command
    """Whoever read the output went away."""


class Terminal(Console):
    """A console that takes text as it is: no markup, no emoji names, no guessed colours."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> NoReturn:
        """Leave the end of the command to those who know what was sent; rich would end the process here."""
        raise OutputClosed

    def print_line(self, *parts: str | tuple[str, str]) -> None:
        """Print one line, however long: a command to be copied must not be broken, nor a line that a script reads."""
        self.print(Text.assemble(*parts), soft_wrap=True)

    @property
    def supports_live_display(self) -> bool:
        """Whether lines can be drawn over: FORCE_COLOR makes a pipe colourful, but no screen."""
        return self.file.isatty() and not self.is_dumb_terminal

    @property
    def glyphs(self) -> "Glyphs":
        """The signs that this console can show."""
        return UNICODE if self.encoding.startswith("utf") else ASCII


@attrs.frozen
class Glyphs:
    """Signs for how something stands."""

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


def printable(text: object, max_length: int = MAX_TEXT_LENGTH) -> str:
    """A text on one line without control codes: a file name or an answer may hold what a terminal would obey."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text)[: max_length + 1])
    return shown if len(shown) <= max_length else shown[:max_length] + "..."


def print_error(lines: Iterable[str]) -> None:
    """Say on stderr what went wrong. Whether somebody reads it changes nothing about how the command ends."""
    console = Terminal(stderr=True)
    with contextlib.suppress(OSError, OutputClosed):
        first, *rest = (printable(line) for line in lines)
        console.print_line(("routee-failover: ", "bold red"), first)
        for line in rest:
            console.print_line(f"  {line}")


def flush_or_discard(stream: TextIO | None) -> None:
    """Write out what is left; where nobody takes it, keep Python from complaining about that at its very end."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def escape_unencodable() -> None:
    """Let a stream that cannot say a letter write its number instead of failing in the middle of a receipt."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
