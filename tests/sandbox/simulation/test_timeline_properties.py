"""What holds of every time line, whatever the steps, their scripts, and what is done to them by hand."""

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.sandbox.simulation.channel_statuses import FailureCode
from routee_failover.sandbox.simulation.outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from routee_failover.sandbox.simulation.timeline import (
    FlowTimeline,
    ForcedOutcome,
    SimulatedFlowStatus,
    SimulatedStep,
    compute_timeline,
)
from routee_failover.sandbox.simulation.virtual_clock import round_to_microseconds

TERMINAL = {
    SimulatedChannel.VIBER: {"DELIVERED", "UNDELIVERED", "FAILED", "EXPIRED", "UNSENT", "SEEN"},
    SimulatedChannel.SMS: {"Delivered", "Undelivered", "Failed", "Unsent"},
    SimulatedChannel.VOICE: {"Completed", "Busy", "NoAnswer", "Failed", "Unsent", "Terminated"},
}
MAY_FOLLOW = {("DELIVERED", "SEEN"), ("DELIVERED", "EXPIRED")}
SUCCESSES = {"DELIVERED", "SEEN", "Delivered", "Completed"}
WORDS = sorted({name.lower() for names in TERMINAL.values() for name in names})

seconds = st.floats(0.0, 1e6) | st.integers(0, 40).map(float)
scripts = st.builds(
    ScriptedMessage, st.sampled_from(ScriptedOutcome), st.none() | seconds, st.none() | st.just("Roaming")
)


@st.composite
def one_step(draw: st.DrawFn) -> SimulatedStep:
    """Any step."""
    channel = draw(st.sampled_from(SimulatedChannel))
    return SimulatedStep(
        channel=channel,
        script=draw(scripts),
        triggers=frozenset(draw(st.lists(st.sampled_from(WORDS), max_size=8))),
        ttl=None if channel is SimulatedChannel.VOICE else draw(seconds),
        expire_on_delivery=channel is SimulatedChannel.VIBER and draw(st.booleans()),
    )


steps_ = st.lists(one_step(), min_size=1, max_size=4)
moments = seconds.map(round_to_microseconds)  # as the clock tells them
turns_ = st.lists(st.builds(ForcedOutcome, st.integers(0, 3), moments, st.sampled_from(ScriptedOutcome)), max_size=4)
lines: dict[str, Any] = {"steps": steps_, "dispatched_at": st.sampled_from([0.0, 1.0]), "forced": turns_}


def _line(steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]) -> FlowTimeline:
    return compute_timeline(steps, dispatched_at=dispatched_at, forced=forced)


@given(**lines)
def test_same_input_same_line(steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]) -> None:
    """A line follows from what goes in, and from nothing else."""
    assert _line(steps, dispatched_at, forced) == _line(steps, dispatched_at, forced)


@given(**lines)
def test_times_never_go_back(steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]) -> None:
    """A message is sent, takes its statuses in order, each once, and the next one is not sent before it has ended."""
    line = _line(steps, dispatched_at, forced)
    assert line.messages[0].sent_at == dispatched_at
    for message in line.messages:
        times = [message.sent_at, *(change.at for change in message.status_changes)]
        assert times == sorted(times)
        assert len({change.name for change in message.status_changes}) == len(message.status_changes)
    sent = [message.sent_at for message in line.messages]
    assert [*sent, line.ended_at] == sorted([*sent, line.ended_at])


@given(**lines)
def test_one_end(steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]) -> None:
    """A message ends in one terminal status of its channel; only Delivered on Viber is followed by another one."""
    for message in _line(steps, dispatched_at, forced).messages:
        found = [change.name for change in message.status_changes]
        assert found[-1] in TERMINAL[message.channel]
        for earlier, later in pairwise(found):
            assert earlier not in TERMINAL[message.channel] or (earlier, later) in MAY_FOLLOW


@given(**lines)
def test_the_next_step_needs_a_trigger(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """A step is sent at the moment in which a status among the triggers of the step before settles that one."""
    line = _line(steps, dispatched_at, forced)
    for before, after in pairwise(line.messages):
        reached = [change.name.lower() for change in before.status_changes if change.at == after.sent_at]
        assert set(reached) & steps[before.position].triggers
    assert [message.position for message in line.messages] == list(range(len(line.messages)))


@given(**lines)
def test_the_result_follows_from_the_ends(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """One successful channel makes the flow succeed; else its last status says why it failed, or its triggers do."""
    line = _line(steps, dispatched_at, forced)
    settled = [_settled(steps[message.position], message.status_changes) for message in line.messages]
    if any(change.name in SUCCESSES for change in settled):
        assert (line.status, line.failure_code) == (SimulatedFlowStatus.SUCCEEDED, None)
        return
    last, step = settled[-1], steps[len(line.messages) - 1]
    assert line.status is SimulatedFlowStatus.FAILED
    if last.name.lower() in {"unsent", "terminated"}:
        assert line.failure_code is FailureCode.INSUFFICIENT_BALANCE
    elif line.failure_code is FailureCode.SERVER_ERROR:
        assert last.name.lower() == "failed"
    elif last.name.lower() in step.triggers:
        assert line.failure_code is FailureCode.NO_NEXT_STEP
        assert len(line.messages) == len(steps)
    else:
        assert line.failure_code is FailureCode.NOT_TRIGGERED


def _settled(step: SimulatedStep, changes: Any) -> Any:
    successes = [change for change in changes if change.name in SUCCESSES]
    return successes[0] if successes and not step.expire_on_delivery else changes[-1]


@given(**lines, moments=st.lists(seconds, min_size=2, max_size=6))
def test_a_flow_only_goes_forward(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome], moments: list[float]
) -> None:
    """Seen at later and later moments, a flow loses no message and no status, and a final one stays as it is."""
    line = _line(steps, dispatched_at, forced)
    order = [SimulatedFlowStatus.QUEUED, SimulatedFlowStatus.IN_PROGRESS, line.status]
    states = [line.state_at(moment) for moment in sorted(moments)]
    for before, after in pairwise(states):
        assert order.index(before.status) <= order.index(after.status)
        assert before.messages == after.messages[: len(before.messages)]
        assert before.updated_at <= after.updated_at
        assert before.termination_channel in {None, after.termination_channel}
    final = line.state_at(math.inf)
    assert (final.status, final.failure_code, final.termination_channel) == (
        line.status,
        line.failure_code,
        line.messages[-1].channel,
    )


@given(**lines)
def test_every_change_has_its_moment(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """Going from moment to moment one misses nothing: between two of them a flow stands still."""
    line = _line(steps, dispatched_at, forced)
    at, seen = 0.0, [0.0]
    while (later := line.next_change_at(at)) is not None:
        assert later > at
        assert line.state_at((at + later) / 2) == line.state_at(at) or (at + later) / 2 in {at, later}
        seen.append(at := later)
    changes = {change.at for message in line.messages for change in message.status_changes}
    assert {at for at in changes if at < math.inf} <= set(seen)


@given(**lines, turn=st.builds(ForcedOutcome, st.integers(0, 3), seconds, st.sampled_from(ScriptedOutcome)))
def test_forcing_never_rewrites_the_past(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome], turn: ForcedOutcome
) -> None:
    """Up to the moment of a turn all is as it would have been, and what was sent or reached then is kept."""
    earlier = [one for one in forced if one.at <= turn.at]
    before, after = _line(steps, dispatched_at, earlier), _line(steps, dispatched_at, [*earlier, turn])
    for moment in (0.0, turn.at / 2, math.nextafter(turn.at, 0.0)):
        if moment < turn.at:
            assert _told(before, moment) == _told(after, moment)
    for was, now in zip(before.state_at(turn.at).messages, after.state_at(turn.at).messages, strict=False):
        reached = tuple(change for change in was.status_changes if change.at <= turn.at)
        assert now.status_changes[: len(reached)] == reached
    assert len(before.state_at(turn.at).messages) <= len(after.state_at(turn.at).messages)


def _told(line: FlowTimeline, moment: float) -> Any:
    """All that can be known of a flow at a moment."""
    state = line.state_at(moment)
    reached = [[change for change in message.status_changes if change.at <= moment] for message in state.messages]
    return state.status, state.failure_code, state.termination_channel, state.updated_at, reached
