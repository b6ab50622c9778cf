"""Fit a flow to a deadline: shorten its times to live so that they end before the message is useless.

Flows are immutable. A flow that must be shortened is copied, and the copy is validated like any other flow.
"""

import functools
import heapq
import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar, cast, get_args, get_type_hints

import attrs

from .durations import DurationRange
from .otp import OtpFlow
from .raw import RawFlow
from .standard import StandardFlow
from .transactional import TransactionalFlow
from .viber_otp import ViberOtpMessage

_Flow = TypeVar("_Flow", bound=StandardFlow | TransactionalFlow | OtpFlow | ViberOtpMessage | RawFlow)

_MICROSECOND = timedelta(microseconds=1)
"""Durations are allocated in whole microseconds: exact, and their sum may exceed what a `timedelta` holds."""


def fit_to_deadline(flow: _Flow, remaining: timedelta) -> _Flow | None:
    """Return the flow with times to live that end within `remaining`, or `None` if that is too short for it.

    Steps are tried one after the other, so a flow may take as long as all its times to live together. An omitted ttl
    counts as Routee's default, and a voice step, which has none, counts as zero. Where they fit, the flow itself is
    returned. Where they do not, omitted ttls get at most what the explicit ones leave; then each step keeps its
    proportional share of the time, rounded down to what its endpoint can express, but at least the shortest ttl that
    Routee documents: 1 minute for an SMS and 0.5 for Viber where the endpoint counts minutes, 1 second where it counts
    seconds (or 0, if 0 was given). What a step gets above its share in this way is taken from the longest ttl, one unit
    step at a time, and from the earlier of two that are equally long. A raw flow is returned as it is.
    """
    # 1. Without enough time nothing is sent; with enough time nothing is changed.
    if remaining <= timedelta(0):
        return None
    available = remaining // _MICROSECOND
    steps = _timed_parts(flow)
    ttls = [_ttl_of(step) for step in steps]
    if sum(ttls) <= available:
        return flow
    step_ttls = [_step_ttl(step, ttl) for step, ttl in zip(steps, ttls, strict=True)]
    if sum(step_ttl.minimum for step_ttl in step_ttls) > available:
        return None
    # 2. Copy the steps whose ttl becomes shorter.
    shortened: list[Any] = [
        step if share == step_ttl.ttl else attrs.evolve(step, ttl=share * _MICROSECOND)
        for step, step_ttl, share in zip(
            steps, step_ttls, _allocate(_shorten_defaults(step_ttls, available), available), strict=True
        )
    ]
    changed = shortened[0] if isinstance(flow, ViberOtpMessage) else attrs.evolve(cast("Any", flow), steps=shortened)
    return cast("_Flow", changed)


def total_ttl(flow: Any) -> float:
    """Return the seconds that a flow may take: the sum of its times to live, Routee's default for an omitted one.

    How long a raw flow takes is not known: it is infinite.
    """
    return math.inf if isinstance(flow, RawFlow) else sum(map(_ttl_of, _timed_parts(flow))) / 1_000_000


def _timed_parts(flow: Any) -> Sequence[Any]:
    """Return the parts of a flow whose times to live can be shortened."""
    if isinstance(flow, RawFlow):
        return ()
    steps: Sequence[Any] = (flow,) if isinstance(flow, ViberOtpMessage) else flow.steps
    return steps


class _TtlLimits(NamedTuple):
    """Limits of a step class's `ttl` in microseconds: Routee's default, the minimum, and the step of its unit."""

    default: int
    minimum: int
    unit: int


def _read_limits(cls: type) -> _TtlLimits:
    """Return the limits from the annotation of a step's `ttl`; a step without the field takes no time."""
    hint = get_type_hints(cls, include_extras=True).get("ttl")
    found: list[DurationRange] = [
        item for part in (hint, *get_args(hint)) for item in getattr(part, "__metadata__", ())
    ]
    if not found:
        return _TtlLimits(0, 0, 1)
    (duration_range,) = found
    unit = timedelta(seconds=duration_range.unit.resolution)
    return _TtlLimits(
        duration_range.default // _MICROSECOND, max(duration_range.minimum, unit) // _MICROSECOND, unit // _MICROSECOND
    )


_ttl_limits: Callable[[type], _TtlLimits] = functools.cache(_read_limits)


def _ttl_of(step: Any) -> int:
    ttl: timedelta | None = getattr(step, "ttl", None)
    return _ttl_limits(type(step)).default if ttl is None else ttl // _MICROSECOND


class _StepTtl(NamedTuple):
    """The ttl of one step in microseconds: whether it was given, how short it may become, and its unit step."""

    ttl: int
    explicit: bool
    minimum: int
    unit: int


def _step_ttl(step: Any, ttl: int) -> _StepTtl:
    limits = _ttl_limits(type(step))
    return _StepTtl(ttl, getattr(step, "ttl", None) is not None, min(ttl, limits.minimum), limits.unit)


def _shorten_defaults(step_ttls: Sequence[_StepTtl], available: int) -> list[_StepTtl]:
    """Cut the omitted ttls to what the explicit ones leave: Routee's default for an SMS is 20 hours."""
    left_over = available - sum(step_ttl.ttl for step_ttl in step_ttls if step_ttl.explicit)
    defaulted = sorted((step_ttl.ttl, index) for index, step_ttl in enumerate(step_ttls) if not step_ttl.explicit)
    reserved = sum(step_ttls[index].minimum for _, index in defaulted)
    result = list(step_ttls)
    for allocated, (ttl, index) in enumerate(defaulted):
        reserved -= step_ttls[index].minimum  # what is left for it leaves the minimum of those that follow
        fair_share = min(left_over // (len(defaulted) - allocated), left_over - reserved)
        share = max(step_ttls[index].minimum, min(ttl, fair_share))
        result[index] = step_ttls[index]._replace(ttl=share)
        left_over -= share
    return result


def _allocate(step_ttls: Sequence[_StepTtl], available: int) -> list[int]:
    """Return the ttl that each step gets; `available` is enough for the minimum of each."""
    # 1. Proportional shares, rounded down to the unit, and at least the minimum.
    total = sum(step_ttl.ttl for step_ttl in step_ttls)
    distributed = min(available, total)
    shares = [
        max(step_ttl.minimum, step_ttl.ttl * distributed // total // step_ttl.unit * step_ttl.unit)
        for step_ttl in step_ttls
    ]
    # 2. What the minimums take above their shares is taken from the longest.
    excess = sum(shares) - available
    by_length = [(-share, index) for index, share in enumerate(shares) if share > step_ttls[index].minimum]
    heapq.heapify(by_length)
    while excess > 0:
        _, index = by_length[0]
        step_ttl = step_ttls[index]
        shares[index] -= step_ttl.unit
        excess -= step_ttl.unit
        if shares[index] > step_ttl.minimum:
            heapq.heapreplace(by_length, (-shares[index], index))
        else:
            heapq.heappop(by_length)
    return shares
