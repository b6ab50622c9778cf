"""A search that lags for as long as it likes, and a control: when what is not shown is not there.

Two messages: one in doubt, whose sender is through with it and which may be on its way still, and a control. The server
takes each when it arrives; the search shows what the server took, in that order, as late as it pleases.
"""

from collections.abc import Iterator
from typing import NamedTuple

FLIGHT = 2
"""Ticks for which a message may be on its way at most."""


class SearchRules(NamedTuple):
    """What has to hold before a silent search counts."""

    settle_ticks: int = FLIGHT
    """Ticks since the sender was through with the message in doubt."""
    canary: int | None = FLIGHT + 1
    """Ticks after that from which on a control may have been begun; `None`: no control is asked for."""


class SearchLagModel(NamedTuple):
    """How things stand. Messages are D, the one in doubt, and C, the control."""

    ticks: int = 0
    """Since the sender of D was through with it."""
    flying: frozenset[str] = frozenset("D")
    arrived: str = ""
    shown: int = 0
    """How many of those the search shows."""
    begun: int | None = None
    """When C was begun; before the first tick it may have been as well."""
    absent: bool = False
    """Whether D was found to be absent."""


def steps(world: SearchLagModel, rules: SearchRules) -> Iterator[tuple[str, SearchLagModel]]:
    """Everything that may happen next."""
    overdue = "D" in world.flying and world.ticks >= FLIGHT
    if not overdue and world.ticks <= 3 * FLIGHT:
        yield "a tick", world._replace(ticks=world.ticks + 1)
    if world.begun is None:
        yield "C is begun", world._replace(begun=world.ticks, flying=world.flying | {"C"})
        if not world.ticks:
            yield "C was there before", world._replace(begun=-1, arrived="C" + world.arrived)
    for one in sorted(world.flying):
        rest = world.flying - {one}
        yield f"{one} arrives", world._replace(flying=rest, arrived=world.arrived + one)
        yield f"{one} is lost", world._replace(flying=rest)
    if world.shown < len(world.arrived):
        yield f"the search shows {world.arrived[world.shown]}", world._replace(shown=world.shown + 1)
    seen = world.arrived[: world.shown]
    if world.ticks >= rules.settle_ticks and "D" not in seen and not world.absent and _has_control(world, seen, rules):
        yield "the search counts", world._replace(absent=True)


def _has_control(world: SearchLagModel, seen: str, rules: SearchRules) -> bool:
    if rules.canary is None:
        return True
    return "C" in seen and world.begun is not None and world.begun >= rules.canary


def is_wrong(world: SearchLagModel) -> bool:
    """Whether a message was found to be absent that the server has, or is about to get."""
    return world.absent and ("D" in world.arrived or "D" in world.flying)
