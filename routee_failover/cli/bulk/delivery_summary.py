"""Delivery summary of a run: its delivery reports as a few lines and as JSON."""

from collections.abc import Iterator
from typing import Any

from ...bulk.delivery_summary import DeliverySummary
from ..terminal import printable
from .display.row_counts import format_number
from .summary import StyledLine, bulk_command


def delivery_counts_event(deliveries: DeliverySummary) -> dict[str, Any]:
    """Return the counts for JSON; `unknown` counts accepted messages without a final delivery report."""
    return {
        "delivered": deliveries.delivered,
        "failed": deliveries.failed,
        "unknown": deliveries.unknown,
        "channels": {name: dict(outcomes) for name, outcomes in deliveries.channels.items()},
    }


def delivery_lines(deliveries: DeliverySummary, ledger: str) -> Iterator[StyledLine]:
    """Yield the counts, and the command that asks Routee for missing delivery reports."""
    if not deliveries.accepted:
        return
    if not deliveries.reported:
        yield ("   No delivery reports yet. To ask Routee for them:",)
    else:
        counts = f"delivered {format_number(deliveries.delivered)}, failed {format_number(deliveries.failed)}"
        by_channel = ", ".join(
            f"{printable(name)} {format_number(outcomes['delivered'])}"
            for name, outcomes in deliveries.channels.items()
            if outcomes["delivered"]
        )
        channels = f"; {by_channel}" if by_channel else ""
        accepted = f"   Of {format_number(deliveries.accepted)} accepted: "
        yield (accepted, (f"{counts}, unknown {format_number(deliveries.unknown)}{channels}.", "bold"))
        if deliveries.unknown:
            have, them = ("has", "it") if deliveries.unknown == 1 else ("have", "them")
            yield (f"   {format_number(deliveries.unknown)} {have} no delivery report yet. To ask Routee for {them}:",)
    if deliveries.unknown:
        yield ("     ", (printable(bulk_command("reconcile", ledger, "--ends")), "cyan"))
