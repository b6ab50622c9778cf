"""Displays of the demo: a live dashboard where the terminal supports it, otherwise one line per change."""

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
    """Display that shows the progress of the demo."""

    def __enter__(self) -> Self:
        """Start the display."""
        ...

    def __exit__(self, *error: object) -> None:
        """Stop the display and restore the terminal."""
        ...

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Show a change of a flow."""
        ...

    def refresh(self, counts: SandboxCounters) -> None:
        """Show the current state."""
        ...

    def close(self) -> None:
        """Show the final state."""
        ...


class DemoDashboard:
    """Live dashboard, drawn only when `refresh` is called: a drawing thread could not be stopped cleanly."""

    def __init__(self, console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> None:
        self._console, self._runs, self._now = console, runs, now
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._latest = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Keep the change for the line below the dashboard."""
        self._latest = f"{run.scenario.title}: {change}"

    def refresh(self, counts: SandboxCounters) -> None:
        """Draw the current dashboard."""
        frame = render_dashboard(self._runs, self._now(), counts, self._console.glyphs, self._latest)
        self._live.update(frame, refresh=True)

    def close(self) -> None:
        """Leave the final dashboard on the screen, with the reasons."""
        self._live.stop()
        self._console.print(render_final_dashboard(self._runs, self._now(), self._console.glyphs))


class DemoLines:
    """One line per change, for a pipe, a log file, or a terminal too small for the dashboard."""

    def __init__(self, console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> None:
        self._console, self._now = console, now
        self._title_width = max(len(run.scenario.title) for run in runs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def show_change(self, run: ScenarioRun, change: str) -> None:
        """Print the change."""
        scenario = run.scenario
        head = f"{self._now():5.1f} s  {scenario.endpoint:<13}  {scenario.title:<{self._title_width}}  "
        self._console.print_line(
            head + (f"to {mask_phone(scenario.recipient)}: " if change == "accepted" else "") + change
        )
        if run.result is ScenarioResult.INVALID:
            for line in run.reason[1:]:
                self._console.print_line(" " * 9 + line)

    def refresh(self, counts: SandboxCounters) -> None:
        """Do nothing: every change is already printed."""

    def close(self) -> None:
        """Do nothing: every change is already printed."""


def create_display(console: Terminal, runs: Sequence[ScenarioRun], now: ElapsedClock) -> DemoDisplay:
    """Return the dashboard if it fits the terminal, otherwise lines."""
    fits = console.width >= DASHBOARD_WIDTH and console.height > dashboard_height(runs)
    kind = DemoDashboard if console.supports_live_display and fits else DemoLines
    return kind(console, runs, now)
