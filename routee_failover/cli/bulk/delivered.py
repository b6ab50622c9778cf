"""How the accepted messages of a run were delivered, in a few lines and as JSON."""

from collections.abc import Iterator
from typing import Any

from ...bulk.delivery_summary import DeliverySummary
from ..terminal import clean
from .ending import Line, command
from .view.tally import number


def deliveries_event(deliveries: DeliverySummary) -> dict[str, Any]:
    """Return the counts as JSON has them; `unknown` counts accepted messages without a final delivery report."""
    return {
        "delivered": deliveries.delivered,
        "failed": deliveries.failed,
        "unknown": deliveries.unknown,
        "channels": {name: dict(outcomes) for name, outcomes in deliveries.channels.items()},
    }


def deliveries_lines(deliveries: DeliverySummary, ledger: str) -> Iterator[Line]:
    """Yield the counts, and the command that asks for the delivery reports that are missing."""
    if not deliveries.accepted:
        return
    if not deliveries.reported:
        yield ("   No delivery report of an accepted message yet; this asks Routee for them:",)
    else:
        counts = f"delivered {number(deliveries.delivered)}, failed {number(deliveries.failed)}"
        by = ", ".join(
            f"{clean(name)} {number(outcomes['delivered'])}"
            for name, outcomes in deliveries.channels.items()
            if outcomes["delivered"]
        )
        more = f"; {by}" if by else ""
        accepted = f"   Of {number(deliveries.accepted)} accepted: "
        yield (accepted, (f"{counts}, unknown {number(deliveries.unknown)}{more}.", "bold"))
        if deliveries.unknown:
            have, them = ("has", "it") if deliveries.unknown == 1 else ("have", "them")
            yield (f"   {number(deliveries.unknown)} {have} no delivery report yet; this asks Routee for {them}:",)
    if deliveries.unknown:
        yield ("     ", (clean(command("reconcile", ledger, "--ends")), "cyan"))
