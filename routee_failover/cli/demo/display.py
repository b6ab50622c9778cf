"""Where the demo is shown: a board that moves where the screen can carry one, else a line for every change."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from rich.live import Live

from ...sandbox import SandboxCounters
from ...secret import mask_phone
from ..terminal import Terminal
from .dashboard import DASHBOARD_WIDTH, dashboard_height, render_dashboard, render_final_dashboard
from .scenario_run import ScenarioResult, ScenarioRun

ElapsedClock = Callable[[], float]


class DemoDisplay(Protocol):
    """What the demo tells its story to."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *error: object) -> None:
        """End, and leave the terminal as it was."""
        ...

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Something has happened to a flow."""
        ...

    def refresh(self, counts: SandboxCounters) -> None:
        """Time has passed."""
        ...

    def close(self) -> None:
        """All flows have ended."""
        ...


class DemoDashboard:
    """A board that is drawn over and over, when it is told to: a thread that draws could not be stopped well."""

    def __init__(self, console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> None:
        self._console, self._journeys, self._now = console, runs, now
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._latest = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Keep it for the line below the board."""
        self._latest = f"{run.scenario.title}: {change}"

    def refresh(self, counts: SandboxCounters) -> None:
        """Draw the board as it is now."""
        frame = render_dashboard(self._journeys, self._now(), counts, self._console.glyphs, self._latest)
        self._live.update(frame, refresh=True)

    def close(self) -> None:
        """Leave the last board on the screen, with the reasons."""
        self._live.stop()
        self._console.print(render_final_dashboard(self._journeys, self._now(), self._console.glyphs))


class DemoLines:
    """One line a change, for a pipe, a log file, or a terminal too small for the board."""

    def __init__(self, console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> None:
        self._console, self._now = console, now
        self._wide = max(len(journey.scenario.title) for journey in runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Print it."""
        scene = run.scenario
        head = f"{self._now():5.1f} s  {scene.endpoint:<13}  {scene.title:<{self._wide}}  "
        self._console.print_line(
            head + (f"to {mask_phone(scene.recipient)}: " if change == "accepted" else "") + change
        )
        if run.result is ScenarioResult.INVALID:
            for line in run.reason[1:]:
                self._console.print_line(" " * 9 + line)

    def refresh(self, counts: SandboxCounters) -> None:
        """Nothing has changed that was not told."""

    def close(self) -> None:
        """All was told."""


def create_display(console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> DemoDisplay:
    """The board where it fits, else lines."""
    fits = console.width >= DASHBOARD_WIDTH and console.height > dashboard_height(runs)
    kind = DemoDashboard if console.supports_live_display and fits else DemoLines
    return kind(console, runs, now)
