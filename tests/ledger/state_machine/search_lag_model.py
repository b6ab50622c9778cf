"""Model of a search that lags without a limit, and of a search canary: when a missing message is proven absent.

Two messages: one whose outcome is UNKNOWN, whose sender is through with it and which may still be in flight, and a
canary. The server accepts each when it arrives; the search shows what the server accepted, in that order, with any lag.
"""

from collections.abc import Iterator
from typing import NamedTuple

FLIGHT = 2
"""Maximum ticks for which a message is in flight."""


class SearchRules(NamedTuple):
    """What must hold before an empty search result counts."""

    min_ticks: int = FLIGHT
    """Ticks since the sender was through with the UNKNOWN message."""
    canary: int | None = FLIGHT + 1
    """Ticks after that from which on a canary may have been sent; `None`: no canary is required."""


class SearchLagModel(NamedTuple):
    """State of the model. Messages are U, the UNKNOWN one, and C, the canary."""

    ticks: int = 0
    """Since the sender of U was through with it."""
    in_flight: frozenset[str] = frozenset("U")
    arrived: str = ""
    shown: int = 0
    """How many of those the search shows."""
    canary_sent_at: int | None = None
    """When C was sent; it may also have been sent before the first tick."""
    absent: bool = False
    """Whether U was found to be absent."""


def steps(model: SearchLagModel, rules: SearchRules) -> Iterator[tuple[str, SearchLagModel]]:
    """Iterate over everything that may happen next."""
    overdue = "U" in model.in_flight and model.ticks >= FLIGHT
    if not overdue and model.ticks <= 3 * FLIGHT:
        yield "a tick", model._replace(ticks=model.ticks + 1)
    if model.canary_sent_at is None:
        yield "C is sent", model._replace(canary_sent_at=model.ticks, in_flight=model.in_flight | {"C"})
        if not model.ticks:
            yield "C was accepted before", model._replace(canary_sent_at=-1, arrived="C" + model.arrived)
    for message in sorted(model.in_flight):
        rest = model.in_flight - {message}
        yield f"{message} arrives", model._replace(in_flight=rest, arrived=model.arrived + message)
        yield f"{message} is lost", model._replace(in_flight=rest)
    if model.shown < len(model.arrived):
        yield f"the search shows {model.arrived[model.shown]}", model._replace(shown=model.shown + 1)
    found = model.arrived[: model.shown]
    if (
        model.ticks >= rules.min_ticks
        and "U" not in found
        and not model.absent
        and _canary_is_sufficient(model, found, rules)
    ):
        yield "the empty search result counts", model._replace(absent=True)


def _canary_is_sufficient(model: SearchLagModel, found: str, rules: SearchRules) -> bool:
    if rules.canary is None:
        return True
    return "C" in found and model.canary_sent_at is not None and model.canary_sent_at >= rules.canary


def is_wrong(model: SearchLagModel) -> bool:
    """Return whether a message was found to be absent that the server has accepted, or may still accept."""
    return model.absent and ("U" in model.arrived or "U" in model.in_flight)
