"""Where a run is shown: a board that moves where the screen can carry one, else lines; JSON, if asked for."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self

from rich.live import Live

from ....bulk.progress import Phase, Progress, RowProblem
from ...output import format_json
from ...terminal import Terminal
from .dashboard import render_dashboard, render_final_dashboard
from .json_events import progress_event, row_problem_event
from .plain_lines import progress_line, row_problem_line

LINE_INTERVAL = 5.0
"""Seconds between two lines where nothing changes its course."""
WAITING_LINE_INTERVAL = 60.0
"""The same while a run only waits, for the morning perhaps."""
EVENT_INTERVAL = 1.0
MIN_DASHBOARD_SIZE = (30, 6)
"""Columns and lines of the smallest screen for a board."""
MAX_PROBLEM_LINES = 3
"""Lines about rows that went wrong at a time: the ledger has them all."""


class ProgressDisplay(Protocol):
    """What a run is told to while it goes on."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *error: object) -> None:
        """End, and leave the terminal as it was."""
        ...

    def update(self, progress: Progress) -> None:
        """Some time has passed: show what is worth it."""
        ...

    def show_message(self, text: str, event: str) -> None:
        """Something has happened that a person must read; `event` names it for machines."""
        ...

    def close(self, progress: Progress) -> None:
        """The run has ended; this is the last that is shown."""
        ...


class DashboardDisplay:
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

    def update(self, progress: Progress) -> None:
        """Draw the board as it is now."""
        size = self._console.size
        if size != self._size:
            # A terminal that got narrower has wrapped the old board into more lines than anybody counted.
            self._live.stop()
            self._console.clear()
            self._size, self._live = size, self._new()
            self._live.start()
        frame = render_dashboard(
            progress,
            title=self._title,
            hint=self._hint(),
            width=size.width,
            height=size.height,
            glyphs=self._console.glyphs,
        )
        self._live.update(frame, refresh=True)

    def show_message(self, text: str, event: str) -> None:  # noqa: ARG002  # people read the words
        """Print it above the board, where it stays."""
        self._console.print(f" {text}", soft_wrap=False)

    def close(self, progress: Progress) -> None:
        """Leave the last state on the screen."""
        self._live.stop()
        self._console.print(render_final_dashboard(progress, width=self._console.width, glyphs=self._console.glyphs))


class _ChangeTracker:
    """What of a run's progress was not shown before."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._course: tuple[Phase, str | None] | None = None
        self._told: deque[tuple[int, str, str]] = deque(maxlen=200)

    def phase_changed(self, progress: Progress) -> bool:
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

    def new_problems(self, progress: Progress) -> list[RowProblem]:
        """Rows that went wrong, those that were not seen before; a run may try one again and again."""
        new = [trouble for trouble in progress.problems if _known_by(trouble) not in self._told]
        self._told.extend(map(_known_by, new))
        return new


def _known_by(trouble: RowProblem) -> tuple[int, str, str]:
    return trouble.line, trouble.outcome, trouble.reason


class PlainLinesDisplay:
    """One line every few seconds, for a pipe, a log file, or a terminal too small for the board."""

    def __init__(self, console: Terminal) -> None:
        self._console, self._news = console, _ChangeTracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, progress: Progress) -> None:
        """Print a line if it is time for one, with what went wrong since."""
        if progress.phase in {Phase.STARTING, Phase.DONE}:
            return
        waits = progress.phase in {Phase.PAUSED, Phase.RECONCILING}
        if self._news.due(
            progress, WAITING_LINE_INTERVAL if waits else LINE_INTERVAL, at_once=self._news.phase_changed(progress)
        ):
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        self._console.print_line(progress_line(progress))
        for trouble in self._news.new_problems(progress)[-MAX_PROBLEM_LINES:]:
            self._console.print_line(row_problem_line(trouble))

    def show_message(self, text: str, event: str) -> None:  # noqa: ARG002  # people read the words
        """Print it."""
        self._console.print_line(text)

    def close(self, progress: Progress) -> None:
        """Print the last line."""
        self._print(progress)


class JsonLinesDisplay:
    """Events on stdout, one a line; words for people go to stderr."""

    def __init__(self, console: Terminal, messages: Terminal) -> None:
        self._console, self._words, self._news = console, messages, _ChangeTracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def emit(self, event: dict[str, Any]) -> None:
        """Print one event."""
        self._console.print_line(format_json(event, ascii_only=not self._console.encoding.startswith("utf")))

    def update(self, progress: Progress) -> None:
        """Print the events that there are since the last time; none before the ledger has told its counts."""
        if progress.phase is Phase.STARTING:
            return
        changed = self._news.phase_changed(progress)
        if changed and progress.phase is Phase.PAUSED:
            self.emit(progress_event(progress, "paused"))
        elif self._news.due(progress, EVENT_INTERVAL, at_once=changed) and progress.phase is not Phase.DONE:
            self.emit(progress_event(progress))
        for trouble in self._news.new_problems(progress):
            self.emit(row_problem_event(trouble))

    def show_message(self, text: str, event: str) -> None:
        """Print it for people on stderr, and that it happened as an event."""
        self._words.print_line(text)
        self.emit({"event": event, "message": text})

    def close(self, progress: Progress) -> None:
        """Print what went wrong last; the event `done` comes with the summary."""
        for trouble in self._news.new_problems(progress):
            self.emit(row_problem_event(trouble))


def create_display(console: Terminal, title: str, hint: Callable[[], str], *, as_json: bool) -> ProgressDisplay:
    """JSON where it was asked for, the board where it fits, else lines."""
    if as_json:
        return JsonLinesDisplay(console, Terminal(stderr=True))
    if (
        console.supports_live_display
        and console.width >= MIN_DASHBOARD_SIZE[0]
        and console.height >= MIN_DASHBOARD_SIZE[1]
    ):
        return DashboardDisplay(console, title, hint)
    return PlainLinesDisplay(console)
