"""Displays of a run's progress: live dashboard if the terminal supports it, otherwise plain lines; JSON on request."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, Self

from rich.live import Live

from ....bulk.progress import Phase, Progress, RowProblem
from ...record_formats import format_json
from ...terminal import Terminal
from .dashboard import render_dashboard, render_final_dashboard
from .json_events import progress_event, row_problem_event
from .plain_lines import progress_line, row_problem_line

LINE_INTERVAL = 5.0
"""Seconds between two lines within a phase."""
WAITING_LINE_INTERVAL = 60.0
"""The same while the run only waits, for example for the send window."""
EVENT_INTERVAL = 1.0
MIN_DASHBOARD_SIZE = (30, 6)
"""Columns and lines of the smallest terminal for a dashboard."""
MAX_PROBLEM_LINES = 3
"""Maximum lines about rows that were not accepted per update: the ledger has them all."""


class ProgressDisplay(Protocol):
    """Display that a run updates."""

    def __enter__(self) -> Self:
        """Start the display."""
        ...

    def __exit__(self, *error: object) -> None:
        """Stop the display and restore the terminal."""
        ...

    def update(self, progress: Progress) -> None:
        """Show the progress, if it is time for it."""
        ...

    def show_message(self, text: str, event: str) -> None:
        """Show a message for people; `event` names it in JSON."""
        ...

    def close(self, progress: Progress) -> None:
        """Show the final progress."""
        ...


class DashboardDisplay:
    """Live dashboard, drawn only when `update` is called: a drawing thread could not be stopped cleanly."""

    def __init__(self, console: Terminal, title: str, hint: Callable[[], str]) -> None:
        self._console, self._title, self._hint = console, title, hint
        self._size = console.size
        self._live = self._create_live()

    def _create_live(self) -> Live:
        return Live(console=self._console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def update(self, progress: Progress) -> None:
        """Draw the current dashboard."""
        size = self._console.size
        if size != self._size:
            # A narrower terminal has wrapped the old dashboard into an unknown number of lines.
            self._live.stop()
            self._console.clear()
            self._size, self._live = size, self._create_live()
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

    def show_message(self, text: str, event: str) -> None:  # noqa: ARG002  # for JSON only
        """Print the message above the dashboard, where it stays."""
        self._console.print(f" {text}", soft_wrap=False)

    def close(self, progress: Progress) -> None:
        """Leave the final state on the screen."""
        self._live.stop()
        self._console.print(render_final_dashboard(progress, width=self._console.width, glyphs=self._console.glyphs))


class _ChangeTracker:
    """Tracks what of the progress has not been printed yet."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._last_phase: tuple[Phase, str | None] | None = None
        self._printed: deque[tuple[int, str, str]] = deque(maxlen=200)

    def phase_changed(self, progress: Progress) -> bool:
        """Return whether the phase, or the reason of a pause, has changed."""
        phase = (progress.phase, progress.pause_reason)
        changed, self._last_phase = phase != self._last_phase, phase
        return changed

    def due(self, progress: Progress, interval: float, *, at_once: bool) -> bool:
        """Return whether the interval has passed since the last time, or `at_once`."""
        due = at_once or progress.elapsed - self._last >= interval
        if due:
            self._last = progress.elapsed
        return due

    def new_problems(self, progress: Progress) -> list[RowProblem]:
        """Return rows that were not accepted, once each: a run may retry a row."""
        new = [problem for problem in progress.problems if _problem_id(problem) not in self._printed]
        self._printed.extend(map(_problem_id, new))
        return new


def _problem_id(problem: RowProblem) -> tuple[int, str, str]:
    return problem.line, problem.outcome, problem.reason


class PlainLinesDisplay:
    """One line every few seconds, for a pipe, a log file, or a terminal too small for the dashboard."""

    def __init__(self, console: Terminal) -> None:
        self._console, self._changes = console, _ChangeTracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def update(self, progress: Progress) -> None:
        """Print a line if it is time for one, with the rows that were not accepted since the last."""
        if progress.phase in {Phase.STARTING, Phase.DONE}:
            return
        waiting = progress.phase in {Phase.PAUSED, Phase.RECONCILING}
        if self._changes.due(
            progress, WAITING_LINE_INTERVAL if waiting else LINE_INTERVAL, at_once=self._changes.phase_changed(progress)
        ):
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        self._console.print_line(progress_line(progress))
        for problem in self._changes.new_problems(progress)[-MAX_PROBLEM_LINES:]:
            self._console.print_line(row_problem_line(problem))

    def show_message(self, text: str, event: str) -> None:  # noqa: ARG002  # for JSON only
        """Print the message."""
        self._console.print_line(text)

    def close(self, progress: Progress) -> None:
        """Print the final line."""
        self._print(progress)


class JsonLinesDisplay:
    """JSON events on stdout, one per line; messages for people go to stderr."""

    def __init__(self, console: Terminal, messages: Terminal) -> None:
        self._console, self._messages, self._changes = console, messages, _ChangeTracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def emit(self, event: dict[str, Any]) -> None:
        """Print one event."""
        self._console.print_line(format_json(event, ascii_only=not self._console.encoding.startswith("utf")))

    def update(self, progress: Progress) -> None:
        """Print the events since the last update; none before the counts of the ledger are known."""
        if progress.phase is Phase.STARTING:
            return
        changed = self._changes.phase_changed(progress)
        if changed and progress.phase is Phase.PAUSED:
            self.emit(progress_event(progress, "paused"))
        elif self._changes.due(progress, EVENT_INTERVAL, at_once=changed) and progress.phase is not Phase.DONE:
            self.emit(progress_event(progress))
        for problem in self._changes.new_problems(progress):
            self.emit(row_problem_event(problem))

    def show_message(self, text: str, event: str) -> None:
        """Print the message on stderr, and its event."""
        self._messages.print_line(text)
        self.emit({"event": event, "message": text})

    def close(self, progress: Progress) -> None:
        """Print the last rows that were not accepted; the event `done` comes with the summary."""
        for problem in self._changes.new_problems(progress):
            self.emit(row_problem_event(problem))


def create_display(console: Terminal, title: str, hint: Callable[[], str], *, as_json: bool) -> ProgressDisplay:
    """Return JSON Lines on request, the dashboard if it fits the terminal, otherwise plain lines."""
    if as_json:
        return JsonLinesDisplay(console, Terminal(stderr=True))
    if (
        console.supports_live_display
        and console.width >= MIN_DASHBOARD_SIZE[0]
        and console.height >= MIN_DASHBOARD_SIZE[1]
    ):
        return DashboardDisplay(console, title, hint)
    return PlainLinesDisplay(console)
