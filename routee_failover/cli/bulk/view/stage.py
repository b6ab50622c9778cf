"""Where a run is shown: a board that moves where the screen can carry one, else lines; JSON, if asked for."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self

from rich.live import Live

from ....bulk.progress import Phase, Progress, RowProblem
from ...printed import json_text
from ...terminal import Terminal
from .board import board, final_board
from .events import progress_event, trouble_event
from .sentences import progress_line, trouble_line

BETWEEN_LINES = 5.0
"""Seconds between two lines where nothing changes its course."""
WHILE_WAITING = 60.0
"""The same while a run only waits, for the morning perhaps."""
BETWEEN_EVENTS = 1.0
SMALLEST = (30, 6)
"""Columns and lines of the smallest screen for a board."""
MOST_TROUBLES = 3
"""Lines about rows that went wrong at a time: the ledger has them all."""


class Stage(Protocol):
    """What a run is told to while it goes on."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *error: object) -> None:
        """End, and leave the terminal as it was."""
        ...

    def show(self, progress: Progress) -> None:
        """Some time has passed: show what is worth it."""
        ...

    def say(self, words: str, event: str) -> None:
        """Something has happened that a person must read; `event` names it for machines."""
        ...

    def close(self, progress: Progress) -> None:
        """The run has ended; this is the last that is shown."""
        ...


class Screen:
    """A board that is drawn over and over, when it is told to: a thread that draws could not be stopped well."""

    def __init__(self, console: Terminal, title: str, hint: Callable[[], str]) -> None:
        self._console, self._title, self._hint = console, title, hint
        self._size = console.size
        self._live = self._new()

    def _new(self) -> Live:
        return Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw the board as it is now."""
        size = self._console.size
        if size != self._size:
            # A terminal that got narrower has wrapped the old board into more lines than anybody counted.
            self._live.stop()
            self._console.clear()
            self._size, self._live = size, self._new()
            self._live.start()
        frame = board(
            progress,
            title=self._title,
            hint=self._hint(),
            width=size.width,
            height=size.height,
            glyphs=self._console.glyphs,
        )
        self._live.update(frame, refresh=True)

    def say(self, words: str, event: str) -> None:  # noqa: ARG002  # people read the words
        """Print it above the board, where it stays."""
        self._console.print(f" {words}", soft_wrap=False)

    def close(self, progress: Progress) -> None:
        """Leave the last state on the screen."""
        self._live.stop()
        self._console.print(final_board(progress, width=self._console.width, glyphs=self._console.glyphs))


class _News:
    """What of a run's progress was not shown before."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._course: tuple[Phase, str | None] | None = None
        self._told: deque[tuple[int, str, str]] = deque(maxlen=200)

    def changed_course(self, progress: Progress) -> bool:
        """Whether the run does something else than before."""
        course = (progress.phase, progress.pause_reason)
        changed, self._course = course != self._course, course
        return changed

    def due(self, progress: Progress, every: float, *, at_once: bool) -> bool:
        """Whether it is time again."""
        due = at_once or progress.elapsed - self._last >= every
        if due:
            self._last = progress.elapsed
        return due

    def troubles(self, progress: Progress) -> list[RowProblem]:
        """Rows that went wrong, those that were not seen before; a run may try one again and again."""
        new = [trouble for trouble in progress.problems if _known_by(trouble) not in self._told]
        self._told.extend(map(_known_by, new))
        return new


def _known_by(trouble: RowProblem) -> tuple[int, str, str]:
    return trouble.line, trouble.outcome, trouble.reason


class Lines:
    """One line every few seconds, for a pipe, a log file, or a terminal too small for the board."""

    def __init__(self, console: Terminal) -> None:
        self._console, self._news = console, _News()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show(self, progress: Progress) -> None:
        """Print a line if it is time for one, with what went wrong since."""
        if progress.phase in {Phase.STARTING, Phase.DONE}:
            return
        waits = progress.phase in {Phase.PAUSED, Phase.RECONCILING}
        if self._news.due(
            progress, WHILE_WAITING if waits else BETWEEN_LINES, at_once=self._news.changed_course(progress)
        ):
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        self._console.say(progress_line(progress))
        for trouble in self._news.troubles(progress)[-MOST_TROUBLES:]:
            self._console.say(trouble_line(trouble))

    def say(self, words: str, event: str) -> None:  # noqa: ARG002  # people read the words
        """Print it."""
        self._console.say(words)

    def close(self, progress: Progress) -> None:
        """Print the last line."""
        self._print(progress)


class JsonLines:
    """Events on stdout, one a line; words for people go to stderr."""

    def __init__(self, console: Terminal, words: Terminal) -> None:
        self._console, self._words, self._news = console, words, _News()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def print(self, event: dict[str, Any]) -> None:
        """Print one event."""
        self._console.say(json_text(event, ascii_only=not self._console.encoding.startswith("utf")))

    def show(self, progress: Progress) -> None:
        """Print the events that there are since the last time; none before the ledger has told its counts."""
        if progress.phase is Phase.STARTING:
            return
        changed = self._news.changed_course(progress)
        if changed and progress.phase is Phase.PAUSED:
            self.print(progress_event(progress, "paused"))
        elif self._news.due(progress, BETWEEN_EVENTS, at_once=changed) and progress.phase is not Phase.DONE:
            self.print(progress_event(progress))
        for trouble in self._news.troubles(progress):
            self.print(trouble_event(trouble))

    def say(self, words: str, event: str) -> None:
        """Print it for people on stderr, and that it happened as an event."""
        self._words.say(words)
        self.print({"event": event, "words": words})

    def close(self, progress: Progress) -> None:
        """Print what went wrong last; the event `done` comes with the summary."""
        for trouble in self._news.troubles(progress):
            self.print(trouble_event(trouble))


def stage_for(console: Terminal, title: str, hint: Callable[[], str], *, as_json: bool) -> Stage:
    """JSON where it was asked for, the board where it fits, else lines."""
    if as_json:
        return JsonLines(console, Terminal(stderr=True))
    if console.animates and console.width >= SMALLEST[0] and console.height >= SMALLEST[1]:
        return Screen(console, title, hint)
    return Lines(console)
