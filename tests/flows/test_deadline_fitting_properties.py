"""Fitting a flow to a deadline: properties that hold for any flow and any remaining time."""

import copy
from datetime import timedelta
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._wire import dump_flow, load_flow
from routee_failover.flows import (
    AnyFlow,
    OtpFlow,
    OtpSmsStep,
    SmsStep,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
)
from routee_failover.flows.deadline_fitting import fit_to_deadline

from ..strategies import FLOWS, few, otp_seconds, sms_minutes, viber_minutes
from .sample_requests import MINUTE, STEP_CLASSES, build

ZERO, SECOND, MICROSECOND = timedelta(), timedelta(seconds=1), timedelta(microseconds=1)


class Documented(NamedTuple):
    """What Routee's pages say of a step's ttl, with the shortest that is useful."""

    unit: timedelta
    shortest: timedelta
    longest: timedelta
    default: timedelta


_SMS = Documented(MINUTE, MINUTE, 1440 * MINUTE, 1200 * MINUTE)
_VIBER = Documented(MINUTE / 10, MINUTE / 2, 1440 * MINUTE, 10 * MINUTE)
_OTP = Documented(SECOND, SECOND, timedelta.max, timedelta(days=14))
DOCUMENTED = {
    SmsStep: _SMS,
    ViberStep: _VIBER,
    ViberTemplateStep: _VIBER,
    ViberOtpStep: _OTP,
    OtpSmsStep: _OTP,
    ViberOtpMessage: _OTP,
}


class StepLimits(NamedTuple):
    """The ttl of one step, explicit or default, how short it may become, and its unit."""

    ttl: timedelta
    minimum: timedelta
    unit: timedelta

    def share(self, remaining: timedelta, total: timedelta) -> timedelta:
        """Return the step's share of the remaining time, rounded down to its unit."""
        return (
            self.ttl
            // MICROSECOND
            * (remaining // MICROSECOND)
            // (total // MICROSECOND)
            * MICROSECOND
            // self.unit
            * self.unit
        )


def _steps(flow: Any) -> list[Any]:
    return [flow] if isinstance(flow, ViberOtpMessage) else [*flow.steps]


def _steps_with_ttl(flow: Any) -> list[Any]:
    return [step for step in _steps(flow) if type(step) in DOCUMENTED]


def _step_limits(flow: Any) -> list[StepLimits]:
    """Return the limits of the steps that have a ttl."""
    found: list[StepLimits] = []
    for step in _steps(flow):
        if type(step) in DOCUMENTED:
            unit, shortest, _, default = DOCUMENTED[type(step)]
            ttl = default if step.ttl is None else step.ttl
            found.append(StepLimits(ttl, min(ttl, shortest), unit))
    return found


def _ttls(flow: Any) -> list[timedelta]:
    return [limits.ttl for limits in _step_limits(flow)]


def _total(flow: Any) -> timedelta:
    """Return how long a flow may take: the sum of its ttls."""
    return sum(_ttls(flow), ZERO)


def _minimum(flow: Any) -> timedelta:
    """Return how short a flow may become."""
    return sum((limits.minimum for limits in _step_limits(flow)), ZERO)


_viber_ttls = st.none() | viber_minutes | st.just(MINUTE / 2)
_otp_ttls = otp_seconds | st.integers(0, 9).map(lambda count: count * SECOND)
_TTL_STRATEGIES: dict[type, st.SearchStrategy[timedelta | None]] = {
    ViberStep: _viber_ttls,
    ViberTemplateStep: _viber_ttls,
    SmsStep: st.none() | sms_minutes | st.just(MINUTE),
    ViberOtpStep: _otp_ttls,
    OtpSmsStep: _otp_ttls,
}


def _minimal_steps(cls: type[Any]) -> st.SearchStrategy[Any]:
    return _TTL_STRATEGIES[cls].map(lambda ttl: build(cls, ttl=ttl)) if cls in _TTL_STRATEGIES else st.just(build(cls))


def _minimal_flows(cls: type[Any]) -> st.SearchStrategy[Any]:
    steps = st.lists(st.sampled_from(STEP_CLASSES[cls]).flatmap(_minimal_steps), min_size=1, max_size=6)
    return steps.map(lambda drawn: cls(steps=drawn))


MINIMAL_FLOWS: dict[str, st.SearchStrategy[Any]] = {
    "standard": _minimal_flows(StandardFlow),
    "transactional": _minimal_flows(TransactionalFlow),
    "otp": _minimal_flows(OtpFlow),
    "viber-otp": (st.none() | _otp_ttls).map(lambda ttl: build(ViberOtpMessage, ttl=ttl)),
}
"""Flows that differ in their ttls only; fast to draw."""


def _remaining_times(flow: Any) -> st.SearchStrategy[timedelta]:
    """Times near the total of a flow, near its minimum, and any others."""
    near = st.timedeltas(-2 * MINUTE, 2 * MINUTE) | st.integers(-2, 2).map(lambda count: count * MICROSECOND)
    return st.one_of(
        near.map(lambda offset: _total(flow) + offset),
        near.map(lambda offset: _minimum(flow) + offset),
        st.timedeltas(-MINUTE, 2 * _total(flow) + MINUTE),
    )


def _shortened(data: st.DataObject, flows: st.SearchStrategy[Any]) -> tuple[Any, timedelta, Any]:
    """Draw a flow and a time that is too short for it, and return both with the fitted flow."""
    flow = data.draw(flows.filter(lambda flow: _minimum(flow) < _total(flow)))
    total, minimum = _total(flow), _minimum(flow)
    share = st.integers(0, 999).map(lambda share: minimum + (total - minimum) * share // 1000)
    remaining = data.draw(share | st.timedeltas(minimum, min(total - MICROSECOND, minimum + 5 * MINUTE)))
    result = fit_to_deadline(flow, remaining)
    assert result is not None
    assert result is not flow
    return flow, remaining, result


def _all_explicit(flow: Any) -> bool:
    return all(step.ttl is not None for step in _steps(flow) if type(step) in DOCUMENTED)


endpoints = pytest.mark.parametrize("endpoint", FLOWS)


@endpoints
@given(data=st.data())
def test_flow_that_fits_is_returned_unchanged(endpoint: str, data: st.DataObject) -> None:
    """The flow itself is returned exactly if its ttls, with Routee's defaults, end within the remaining time."""
    flow = data.draw(MINIMAL_FLOWS[endpoint])
    remaining = data.draw(_remaining_times(flow))
    assert (fit_to_deadline(flow, remaining) is flow) == (remaining > ZERO and _total(flow) <= remaining)


@endpoints
@given(data=st.data())
def test_too_little_time_returns_none(endpoint: str, data: st.DataObject) -> None:
    """The result is `None` exactly if no time remains, or less than the shortest ttls of the steps together."""
    flow = data.draw(MINIMAL_FLOWS[endpoint])
    remaining = data.draw(_remaining_times(flow))
    assert (fit_to_deadline(flow, remaining) is None) == (remaining <= ZERO or _minimum(flow) > remaining)


@endpoints
@given(data=st.data())
def test_fitted_flow_ends_within_the_remaining_time(endpoint: str, data: st.DataObject) -> None:
    """The ttls together, with Routee's defaults for omitted ones, are at most the remaining time."""
    _, remaining, result = _shortened(data, MINIMAL_FLOWS[endpoint])
    assert _total(result) <= remaining


@endpoints
@given(data=st.data())
def test_fitted_ttls_stay_within_documented_limits(endpoint: str, data: st.DataObject) -> None:
    """Each ttl is within the documented limits, whole in its unit, and never longer than the caller's own."""
    flow, _, result = _shortened(data, MINIMAL_FLOWS[endpoint])
    for step, before in zip(_steps_with_ttl(result), _step_limits(flow), strict=True):
        ttl = DOCUMENTED[type(step)].default if step.ttl is None else step.ttl
        assert before.minimum <= ttl <= min(before.ttl, DOCUMENTED[type(step)].longest)
        assert ttl % before.unit == ZERO


@endpoints
@given(data=st.data())
def test_fitted_ttls_are_proportional_shares(endpoint: str, data: st.DataObject) -> None:
    """Each step gets its share, and at least its minimum; what that takes too much is taken from the longest."""
    flow, remaining, result = _shortened(data, MINIMAL_FLOWS[endpoint].filter(_all_explicit))
    total = _total(flow)
    shares = [max(limits.minimum, limits.share(remaining, total)) for limits in _step_limits(flow)]
    allocations = list(zip(_step_limits(flow), shares, _ttls(result), strict=True))
    shortened = [(limits, ttl) for limits, share, ttl in allocations if ttl != share]
    assert bool(shortened) == (sum(shares, ZERO) > remaining)
    assert not shortened or any(_total(result) + limits.unit > remaining for limits, _ in shortened)
    for shortened_limits, ttl in shortened:
        assert all(ttl + shortened_limits.unit >= other for limits, _, other in allocations if other > limits.minimum)


@endpoints
@given(data=st.data())
def test_omitted_ttls_do_not_shorten_explicit_ones(endpoint: str, data: st.DataObject) -> None:
    """If the explicit ttls and the minimums of the others fit into the remaining time, the explicit ones stay."""
    flow, remaining, result = _shortened(data, MINIMAL_FLOWS[endpoint])
    explicit = [step.ttl for step in _steps(flow) if type(step) in DOCUMENTED and step.ttl is not None]
    minimum = [
        limits.minimum
        for step, limits in zip(_steps_with_ttl(flow), _step_limits(flow), strict=True)
        if step.ttl is None
    ]
    if sum(explicit, ZERO) + sum(minimum, ZERO) <= remaining:
        kept = [
            after.ttl
            for before, after in zip(_steps_with_ttl(flow), _steps_with_ttl(result), strict=True)
            if before.ttl is not None
        ]
        assert kept == explicit


def test_minimums_of_omitted_ttls_do_not_shorten_an_explicit_one() -> None:
    """An omitted ttl leaves the minimums of the others, so that an explicit one that fits beside them stays."""
    viber, sms = build(ViberStep, ttl=None), build(SmsStep, ttl=None)
    flow = StandardFlow(steps=[viber, sms, attrs.evolve(sms, ttl=timedelta(minutes=2))])
    fitted = fit_to_deadline(flow, timedelta(seconds=30 + 60 + 120))
    assert fitted is not None
    assert [step.ttl for step in _steps_with_ttl(fitted)] == [
        timedelta(seconds=30),
        timedelta(minutes=1),
        timedelta(minutes=2),
    ]


@endpoints
@given(data=st.data())
def test_fitting_again_changes_nothing(endpoint: str, data: st.DataObject) -> None:
    """A fitted flow fits, and is not copied again."""
    _, remaining, result = _shortened(data, MINIMAL_FLOWS[endpoint])
    assert fit_to_deadline(result, remaining) is result


def _with_equal_ttls(flow: Any) -> Any:
    """Return the flow with every ttl replaced by the same one, explicit or omitted."""
    steps = [attrs.evolve(step, ttl=MINUTE) if type(step) in DOCUMENTED else step for step in _steps(flow)]
    return steps[0] if isinstance(flow, ViberOtpMessage) else attrs.evolve(flow, steps=steps)


@endpoints
@few
@given(data=st.data())
def test_fitting_changes_only_the_ttls(endpoint: str, data: st.DataObject) -> None:
    """Order, contents, failover statuses, callback and extras do not change, and the given flow is left unchanged."""
    flow: AnyFlow = data.draw(FLOWS[endpoint].filter(lambda flow: _minimum(flow) < _total(flow)))
    before, sent = copy.deepcopy(flow), dump_flow(flow)
    result = _shortened(data, st.just(flow))[2]
    assert flow == before
    assert dump_flow(flow) == sent
    assert _with_equal_ttls(result) == _with_equal_ttls(flow)


@endpoints
@few
@given(data=st.data())
def test_fitted_flow_survives_a_round_trip(endpoint: str, data: st.DataObject) -> None:
    """A fitted flow can be dumped and loaded."""
    result = _shortened(data, FLOWS[endpoint])[2]
    assert load_flow(result.endpoint, dump_flow(result), extra="keep") == result
