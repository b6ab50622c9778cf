"""The last lines of the demo: how many flows ended how, and what it took."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from ...sandbox import Counts
from ..terminal import Terminal
from .board import traffic
from .journey import Ending, Journey


def show_summary(console: Terminal, journeys: Sequence[Journey], elapsed: float, counts: Counts) -> None:
    """Print them."""
    console.say()
    console.say((f" {len(journeys)} flows in {elapsed:.1f} s", "bold"))
    for number, style, words in _groups(journeys):
        if number:
            console.print(Text.assemble((f" {number:>3}  ", style), words))
    console.say()
    console.say(f" {traffic(counts)}.")
    console.say(" Next: ", ("routee-failover sandbox", "cyan"), " runs this Routee for your own program.")


def _groups(journeys: Sequence[Journey]) -> Iterator[tuple[int, str, str]]:
    delivered = [journey for journey in journeys if journey.ending is Ending.DELIVERED]
    later = sum(journey.failed_over for journey in delivered)
    yield len(delivered) - later, "bold green", "delivered by the first channel"
    yield later, "bold green", "delivered after failing over to the next one"
    for ending, style, words in (
        (Ending.FAILED, "bold red", "failed on every channel they had"),
        (Ending.REFUSED, "bold yellow", "refused by Routee: not accepted, nothing to pay"),
        (Ending.NEVER_SENT, "bold yellow", "refused before sending: Routee never saw it"),
        (Ending.LOST, "bold red", "lost from sight"),
    ):
        yield sum(journey.ending is ending for journey in journeys), style, words
