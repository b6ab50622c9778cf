"""Summary of the demo: flows by result, and the requests they took."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from ...sandbox import SandboxCounters
from ..terminal import Terminal
from .dashboard import format_traffic
from .scenario_run import ScenarioResult, ScenarioRun


def print_summary(console: Terminal, runs: Sequence[ScenarioRun], elapsed: float, counts: SandboxCounters) -> None:
    """Print the summary."""
    console.print_line()
    console.print_line((f" {len(runs)} flows in {elapsed:.1f} s", "bold"))
    for number, style, description in _groups(runs):
        if number:
            console.print(Text.assemble((f" {number:>3}  ", style), description))
    console.print_line()
    console.print_line(f" {format_traffic(counts)}.")
    console.print_line(" Next: ", ("routee-failover sandbox", "cyan"), " runs this sandbox for your own program.")


def _groups(runs: Sequence[ScenarioRun]) -> Iterator[tuple[int, str, str]]:
    delivered = [run for run in runs if run.result is ScenarioResult.DELIVERED]
    failed_over = sum(run.failed_over for run in delivered)
    yield len(delivered) - failed_over, "bold green", "delivered by the first channel"
    yield failed_over, "bold green", "delivered after failover"
    for result, style, description in (
        (ScenarioResult.FAILED, "bold red", "failed on every channel"),
        (ScenarioResult.REJECTED, "bold yellow", "rejected by Routee: not accepted, not charged"),
        (ScenarioResult.INVALID, "bold yellow", "invalid: found before sending, nothing was sent"),
        (ScenarioResult.LOST, "bold red", "lost: the result could not be retrieved"),
    ):
        yield sum(run.result is result for run in runs), style, description
