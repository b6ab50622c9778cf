"""The last lines of the demo: how many flows ended how, and what it took."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from ...sandbox import SandboxCounters
from ..terminal import Terminal
from .dashboard import format_traffic
from .scenario_run import ScenarioResult, ScenarioRun


def print_summary(console: Terminal, runs: Sequence[ScenarioRun], elapsed: float, counts: SandboxCounters) -> None:
    """Print them."""
    console.print_line()
    console.print_line((f" {len(runs)} flows in {elapsed:.1f} s", "bold"))
    for number, style, words in _groups(runs):
        if number:
            console.print(Text.assemble((f" {number:>3}  ", style), words))
    console.print_line()
    console.print_line(f" {format_traffic(counts)}.")
    console.print_line(" Next: ", ("routee-failover sandbox", "cyan"), " runs this Routee for your own program.")


def _groups(runs: Sequence[ScenarioRun]) -> Iterator[tuple[int, str, str]]:
    delivered = [journey for journey in runs if journey.result is ScenarioResult.DELIVERED]
    later = sum(journey.failed_over for journey in delivered)
    yield len(delivered) - later, "bold green", "delivered by the first channel"
    yield later, "bold green", "delivered after failing over to the next one"
    for ending, style, words in (
        (ScenarioResult.FAILED, "bold red", "failed on every channel they had"),
        (ScenarioResult.REJECTED, "bold yellow", "refused by Routee: not accepted, nothing to pay"),
        (ScenarioResult.INVALID, "bold yellow", "refused before sending: Routee never saw it"),
        (ScenarioResult.LOST, "bold red", "lost from sight"),
    ):
        yield sum(journey.result is ending for journey in runs), style, words
