"""What a deadline leaves of a flow: times to live that end before the message is worth nothing.

A flow is a value and is not changed. What has to be shorter is a copy, checked like any other flow.
"""

import functools
import heapq
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_type_hints

import attrs

from .durations import DurationRange
from .otp import OtpFlow
from .standard import StandardFlow
from .transactional import TransactionalFlow
from .viber_otp import ViberOtpMessage

_Flow = TypeVar("_Flow", bound=StandardFlow | TransactionalFlow | OtpFlow | ViberOtpMessage)

_MICROSECOND = timedelta(microseconds=1)
"""Times are shared out in whole ones, exactly: a sum of times to live may be more than a `timedelta` holds."""


def fit_to_deadline(flow: _Flow, remaining: timedelta) -> _Flow | None:
    """The flow with times to live that end within what is `remaining`, or `None` if that is too little for it.

    Steps are tried one after the other, so that a flow may take as long as all its times to live together; one that is
    omitted counts as long as Routee's default, and a voice step, which has none, counts nothing. Where they fit, the
    flow itself is returned. Where they do not, those that were omitted take no more than what the others leave; then
    each step keeps its share of the time, rounded down to what its endpoint can express, but at least the shortest that
    Routee documents: 1 minute for an SMS and 0.5 for Viber where it counts in minutes, 1 second where it counts in
    seconds (or 0, if 0 was given). What a step so gets above its share is taken from the longest, a step of the unit at
    a time, from the earlier of two as long.
    """
    if remaining <= timedelta(0):
        return None
    room = remaining // _MICROSECOND
    steps: Sequence[Any] = (flow,) if isinstance(flow, ViberOtpMessage) else flow.steps
    ttls = [_ttl_of(step) for step in steps]
    if sum(ttls) <= room:
        return flow
    turns = [_turn_of(step, ttl) for step, ttl in zip(steps, ttls, strict=True)]
    if sum(turn.least for turn in turns) > room:
        return None
    shortened: list[Any] = [
        step if share == turn.ttl else attrs.evolve(step, ttl=share * _MICROSECOND)
        for step, turn, share in zip(steps, turns, _shares(_defaults_cut(turns, room), room), strict=True)
    ]
    changed = shortened[0] if isinstance(flow, ViberOtpMessage) else attrs.evolve(cast("Any", flow), steps=shortened)
    return cast("_Flow", changed)


def total_ttl(flow: Any) -> float:
    """Return the seconds that a flow may take: all its times to live together, those that are omitted as above."""
    steps: Sequence[Any] = (flow,) if isinstance(flow, ViberOtpMessage) else flow.steps
    return sum(map(_ttl_of, steps)) / 1_000_000


class _Limits(NamedTuple):
    """What holds for the steps of a class: how long one takes if none says so, the shortest, and the unit's step."""

    omitted: int
    shortest: int
    unit: int


def _read_limits(cls: type) -> _Limits:
    """The limits in the annotation of a step's `ttl`; a step without the field takes no time."""
    hint = get_type_hints(cls, include_extras=True).get("ttl")
    found: list[DurationRange] = [
        item for part in (hint, *get_args(hint)) for item in getattr(part, "__metadata__", ())
    ]
    if not found:
        return _Limits(0, 0, 1)
    (span,) = found
    unit = timedelta(seconds=span.unit.resolution)
    return _Limits(span.default // _MICROSECOND, max(span.minimum, unit) // _MICROSECOND, unit // _MICROSECOND)


_limits_of: Callable[[type], _Limits] = functools.cache(_read_limits)


def _ttl_of(step: Any) -> int:
    ttl: timedelta | None = getattr(step, "ttl", None)
    return _limits_of(type(step)).omitted if ttl is None else ttl // _MICROSECOND


class _Turn(NamedTuple):
    """How long one step may take, whether somebody said so, how short that may become, and in which steps."""

    ttl: int
    given: bool
    least: int
    unit: int


def _turn_of(step: Any, ttl: int) -> _Turn:
    limits = _limits_of(type(step))
    return _Turn(ttl, getattr(step, "ttl", None) is not None, min(ttl, limits.shortest), limits.unit)


def _defaults_cut(turns: Sequence[_Turn], room: int) -> list[_Turn]:
    """The turns with what nobody asked for cut to what the others leave: Routee's default for an SMS is 20 hours."""
    rest = room - sum(turn.ttl for turn in turns if turn.given)
    omitted = sorted((turn.ttl, place) for place, turn in enumerate(turns) if not turn.given)
    cut = list(turns)
    for served, (ttl, place) in enumerate(omitted):
        share = max(turns[place].least, min(ttl, rest // (len(omitted) - served)))
        cut[place] = turns[place]._replace(ttl=share)
        rest -= share
    return cut


def _shares(turns: Sequence[_Turn], room: int) -> list[int]:
    """What each turn gets of a room that is large enough for the least of each."""
    total = sum(turn.ttl for turn in turns)
    part = min(room, total)
    shares = [max(turn.least, turn.ttl * part // total // turn.unit * turn.unit) for turn in turns]
    excess = sum(shares) - room
    longest = [(-share, place) for place, share in enumerate(shares) if share > turns[place].least]
    heapq.heapify(longest)
    while excess > 0:
        _, place = longest[0]
        turn = turns[place]
        shares[place] -= turn.unit
        excess -= turn.unit
        if shares[place] > turn.least:
            heapq.heapreplace(longest, (-shares[place], place))
        else:
            heapq.heappop(longest)
    return shares
