"""What a deadline leaves of a flow, whatever the flow and whatever the time."""

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
from routee_failover.flows.deadline import fit_to_deadline

from ..strategies import FLOWS, few, otp_seconds, sms_minutes, viber_minutes
from .sample_requests import FLOW_LEAST, MINUTE, build

NOTHING, SECOND, TICK = timedelta(), timedelta(seconds=1), timedelta(microseconds=1)


class Documented(NamedTuple):
    """What Routee's pages say of the ttl of a step, with the shortest that is a time to live at all."""

    unit: timedelta
    shortest: timedelta
    longest: timedelta
    omitted: timedelta


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


class Turn(NamedTuple):
    """How long one step lives, said or not, how short that may become, and in which steps."""

    life: timedelta
    least: timedelta
    unit: timedelta

    def share(self, left: timedelta, takes: timedelta) -> timedelta:
        """Its part of what is left, rounded down to its unit."""
        return self.life // TICK * (left // TICK) // (takes // TICK) * TICK // self.unit * self.unit


def _steps(flow: Any) -> list[Any]:
    return [flow] if isinstance(flow, ViberOtpMessage) else [*flow.steps]


def _timed(flow: Any) -> list[Any]:
    return [step for step in _steps(flow) if type(step) in DOCUMENTED]


def _turns(flow: Any) -> list[Turn]:
    """The turns of the steps that have a time to live."""
    found: list[Turn] = []
    for step in _steps(flow):
        if type(step) in DOCUMENTED:
            unit, shortest, _, omitted = DOCUMENTED[type(step)]
            life = omitted if step.ttl is None else step.ttl
            found.append(Turn(life, min(life, shortest), unit))
    return found


def _lives(flow: Any) -> list[timedelta]:
    return [turn.life for turn in _turns(flow)]


def _takes(flow: Any) -> timedelta:
    """How long a flow may take: all times to live together."""
    return sum(_lives(flow), NOTHING)


def _least(flow: Any) -> timedelta:
    """How short a flow may become."""
    return sum((turn.least for turn in _turns(flow)), NOTHING)


_viber_ttls = st.none() | viber_minutes | st.just(MINUTE / 2)
_otp_ttls = otp_seconds | st.integers(0, 9).map(lambda count: count * SECOND)
_TTLS: dict[type, st.SearchStrategy[timedelta | None]] = {
    ViberStep: _viber_ttls,
    ViberTemplateStep: _viber_ttls,
    SmsStep: st.none() | sms_minutes | st.just(MINUTE),
    ViberOtpStep: _otp_ttls,
    OtpSmsStep: _otp_ttls,
}


def _plain_steps(cls: type[Any]) -> st.SearchStrategy[Any]:
    return _TTLS[cls].map(lambda ttl: build(cls, ttl=ttl)) if cls in _TTLS else st.just(build(cls))


def _plain_flows(cls: type[Any]) -> st.SearchStrategy[Any]:
    steps = st.lists(st.sampled_from(FLOW_LEAST[cls]).flatmap(_plain_steps), min_size=1, max_size=6)
    return steps.map(lambda drawn: cls(steps=drawn))


PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "standard": _plain_flows(StandardFlow),
    "transactional": _plain_flows(TransactionalFlow),
    "otp": _plain_flows(OtpFlow),
    "viber-otp": (st.none() | _otp_ttls).map(lambda ttl: build(ViberOtpMessage, ttl=ttl)),
}
"""Flows of which only the times to live differ; quick to draw."""


def _lefts(flow: Any) -> st.SearchStrategy[timedelta]:
    """Times about as long as a flow takes, about as short as it may become, and any others."""
    near = st.timedeltas(-2 * MINUTE, 2 * MINUTE) | st.integers(-2, 2).map(lambda count: count * TICK)
    return st.one_of(
        near.map(lambda more: _takes(flow) + more),
        near.map(lambda more: _least(flow) + more),
        st.timedeltas(-MINUTE, 2 * _takes(flow) + MINUTE),
    )


def _shortened(data: st.DataObject, flows: st.SearchStrategy[Any]) -> tuple[Any, timedelta, Any]:
    """A flow, a time that is too short for it as it is, and what the flow becomes."""
    flow = data.draw(flows.filter(lambda flow: _least(flow) < _takes(flow)))
    takes, least = _takes(flow), _least(flow)
    part = st.integers(0, 999).map(lambda part: least + (takes - least) * part // 1000)
    left = data.draw(part | st.timedeltas(least, min(takes - TICK, least + 5 * MINUTE)))
    result = fit_to_deadline(flow, left)
    assert result is not None
    assert result is not flow
    return flow, left, result


def _says_all(flow: Any) -> bool:
    return all(step.ttl is not None for step in _steps(flow) if type(step) in DOCUMENTED)


endpoints = pytest.mark.parametrize("endpoint", FLOWS)


@endpoints
@given(data=st.data())
def test_a_flow_that_fits_is_sent_as_it_is(endpoint: str, data: st.DataObject) -> None:
    """The flow itself is returned exactly when its times to live, with Routee's defaults, end within what is left."""
    flow = data.draw(PLAIN[endpoint])
    left = data.draw(_lefts(flow))
    assert (fit_to_deadline(flow, left) is flow) == (left > NOTHING and _takes(flow) <= left)


@endpoints
@given(data=st.data())
def test_too_little_time_sends_nothing(endpoint: str, data: st.DataObject) -> None:
    """There is no flow exactly when no time is left, or less than the shortest times to live of its steps."""
    flow = data.draw(PLAIN[endpoint])
    left = data.draw(_lefts(flow))
    assert (fit_to_deadline(flow, left) is None) == (left <= NOTHING or _least(flow) > left)


@endpoints
@given(data=st.data())
def test_it_ends_in_time(endpoint: str, data: st.DataObject) -> None:
    """All times to live together, with Routee's defaults for what stays unsaid, are at most what is left."""
    _, left, result = _shortened(data, PLAIN[endpoint])
    assert _takes(result) <= left


@endpoints
@given(data=st.data())
def test_every_ttl_is_one_that_routee_documents(endpoint: str, data: st.DataObject) -> None:
    """Each time to live is within the documented limits, whole in its unit, and never longer than the caller's own."""
    flow, _, result = _shortened(data, PLAIN[endpoint])
    for step, before in zip(_timed(result), _turns(flow), strict=True):
        life = DOCUMENTED[type(step)].omitted if step.ttl is None else step.ttl
        assert before.least <= life <= min(before.life, DOCUMENTED[type(step)].longest)
        assert life % before.unit == NOTHING


@endpoints
@given(data=st.data())
def test_each_step_keeps_its_share(endpoint: str, data: st.DataObject) -> None:
    """Each step gets its share, and at least the shortest; where that is too much, the longest give what is needed."""
    flow, left, result = _shortened(data, PLAIN[endpoint].filter(_says_all))
    takes = _takes(flow)
    shares = [max(turn.least, turn.share(left, takes)) for turn in _turns(flow)]
    ends = list(zip(_turns(flow), shares, _lives(result), strict=True))
    givers = [(turn, life) for turn, share, life in ends if life != share]
    assert bool(givers) == (sum(shares, NOTHING) > left)
    assert not givers or any(_takes(result) + turn.unit > left for turn, _ in givers)
    for giver, life in givers:
        assert all(life + giver.unit >= other for turn, _, other in ends if other > turn.least)


@endpoints
@given(data=st.data())
def test_what_is_omitted_takes_nothing_from_what_is_said(endpoint: str, data: st.DataObject) -> None:
    """Where what was said, and the least for the rest, fits into what is left, it stays as it is."""
    flow, left, result = _shortened(data, PLAIN[endpoint])
    said = [step.ttl for step in _steps(flow) if type(step) in DOCUMENTED and step.ttl is not None]
    least = [turn.least for step, turn in zip(_timed(flow), _turns(flow), strict=True) if step.ttl is None]
    if sum(said, NOTHING) + sum(least, NOTHING) <= left:
        kept = [after.ttl for before, after in zip(_timed(flow), _timed(result), strict=True) if before.ttl is not None]
        assert kept == said


@endpoints
@given(data=st.data())
def test_fitting_twice_is_fitting_once(endpoint: str, data: st.DataObject) -> None:
    """What was fitted fits, and is not copied again."""
    _, left, result = _shortened(data, PLAIN[endpoint])
    assert fit_to_deadline(result, left) is result


def _timeless(flow: Any) -> Any:
    """A flow with every time to live replaced by the same one, said or not."""
    steps = [attrs.evolve(step, ttl=MINUTE) if type(step) in DOCUMENTED else step for step in _steps(flow)]
    return steps[0] if isinstance(flow, ViberOtpMessage) else attrs.evolve(flow, steps=steps)


@endpoints
@few
@given(data=st.data())
def test_nothing_else_changes(endpoint: str, data: st.DataObject) -> None:
    """Order, contents, triggers, callback and extras of the flow stay, and so does the flow that was given."""
    flow: AnyFlow = data.draw(FLOWS[endpoint].filter(lambda flow: _least(flow) < _takes(flow)))
    before, sent = copy.deepcopy(flow), dump_flow(flow)
    result = _shortened(data, st.just(flow))[2]
    assert flow == before
    assert dump_flow(flow) == sent
    assert _timeless(result) == _timeless(flow)


@endpoints
@few
@given(data=st.data())
def test_the_result_is_a_flow_like_any_other(endpoint: str, data: st.DataObject) -> None:
    """What was fitted can be dumped and loaded."""
    result = _shortened(data, FLOWS[endpoint])[2]
    assert load_flow(result.endpoint, dump_flow(result), extra="keep") == result
