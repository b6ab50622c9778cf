"""Properties of every timeline, whatever the steps, scripts and forced outcomes."""

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from routee_failover.sandbox.simulation.status_sequences import FailureCode
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
ALLOWED_AFTER_TERMINAL = {("DELIVERED", "SEEN"), ("DELIVERED", "EXPIRED")}
SUCCESSES = {"DELIVERED", "SEEN", "Delivered", "Completed"}
STATUS_NAMES = sorted({name.lower() for names in TERMINAL.values() for name in names})

seconds = st.floats(0.0, 1e6) | st.integers(0, 40).map(float)
scripts = st.builds(
    ScriptedMessage, st.sampled_from(ScriptedOutcome), st.none() | seconds, st.none() | st.just("Roaming")
)


@st.composite
def one_step(draw: st.DrawFn) -> SimulatedStep:
    """Generate any step."""
    channel = draw(st.sampled_from(SimulatedChannel))
    return SimulatedStep(
        channel=channel,
        script=draw(scripts),
        triggers=frozenset(draw(st.lists(st.sampled_from(STATUS_NAMES), max_size=8))),
        ttl=None if channel is SimulatedChannel.VOICE else draw(seconds),
        expire_on_delivery=channel is SimulatedChannel.VIBER and draw(st.booleans()),
    )


steps_ = st.lists(one_step(), min_size=1, max_size=4)
times = seconds.map(round_to_microseconds)  # in the precision of the clock
forced_ = st.lists(st.builds(ForcedOutcome, st.integers(0, 3), times, st.sampled_from(ScriptedOutcome)), max_size=4)
timelines: dict[str, Any] = {"steps": steps_, "dispatched_at": st.sampled_from([0.0, 1.0]), "forced": forced_}


def _timeline(steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]) -> FlowTimeline:
    return compute_timeline(steps, dispatched_at=dispatched_at, forced=forced)


@given(**timelines)
def test_timeline_is_deterministic(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """A timeline follows from its inputs, and from nothing else."""
    assert _timeline(steps, dispatched_at, forced) == _timeline(steps, dispatched_at, forced)


@given(**timelines)
def test_statuses_and_messages_are_in_time_order(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """The statuses of a message are in order and unique, and the next message is not sent before it has ended."""
    timeline = _timeline(steps, dispatched_at, forced)
    assert timeline.messages[0].sent_at == dispatched_at
    for message in timeline.messages:
        times = [message.sent_at, *(change.at for change in message.status_changes)]
        assert times == sorted(times)
        assert len({change.name for change in message.status_changes}) == len(message.status_changes)
    sent = [message.sent_at for message in timeline.messages]
    assert [*sent, timeline.ended_at] == sorted([*sent, timeline.ended_at])


@given(**timelines)
def test_message_ends_in_one_terminal_status(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """A message ends in one terminal status of its channel; only Delivered on Viber may be followed by another one."""
    for message in _timeline(steps, dispatched_at, forced).messages:
        found = [change.name for change in message.status_changes]
        assert found[-1] in TERMINAL[message.channel]
        for earlier, later in pairwise(found):
            assert earlier not in TERMINAL[message.channel] or (earlier, later) in ALLOWED_AFTER_TERMINAL


@given(**timelines)
def test_next_step_is_sent_at_a_triggering_status(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """A step is sent at the time at which a status among the triggers of the previous step ends that one."""
    timeline = _timeline(steps, dispatched_at, forced)
    for before, after in pairwise(timeline.messages):
        reached = [change.name.lower() for change in before.status_changes if change.at == after.sent_at]
        assert set(reached) & steps[before.position].triggers
    assert [message.position for message in timeline.messages] == list(range(len(timeline.messages)))


@given(**timelines)
def test_flow_status_follows_from_the_final_statuses(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """One success makes the flow succeed; otherwise the failure code follows from the last status or its triggers."""
    timeline = _timeline(steps, dispatched_at, forced)
    final = [_final_change(steps[message.position], message.status_changes) for message in timeline.messages]
    if any(change.name in SUCCESSES for change in final):
        assert (timeline.status, timeline.failure_code) == (SimulatedFlowStatus.SUCCEEDED, None)
        return
    last, step = final[-1], steps[len(timeline.messages) - 1]
    assert timeline.status is SimulatedFlowStatus.FAILED
    if last.name.lower() in {"unsent", "terminated"}:
        assert timeline.failure_code is FailureCode.INSUFFICIENT_BALANCE
    elif timeline.failure_code is FailureCode.SERVER_ERROR:
        assert last.name.lower() == "failed"
    elif last.name.lower() in step.triggers:
        assert timeline.failure_code is FailureCode.NO_NEXT_STEP
        assert len(timeline.messages) == len(steps)
    else:
        assert timeline.failure_code is FailureCode.NOT_TRIGGERED


def _final_change(step: SimulatedStep, changes: Any) -> Any:
    successes = [change for change in changes if change.name in SUCCESSES]
    return successes[0] if successes and not step.expire_on_delivery else changes[-1]


@given(**timelines, times=st.lists(seconds, min_size=2, max_size=6))
def test_later_states_extend_earlier_ones(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome], times: list[float]
) -> None:
    """At later times a flow loses no message and no status, and a final status stays."""
    timeline = _timeline(steps, dispatched_at, forced)
    order = [SimulatedFlowStatus.QUEUED, SimulatedFlowStatus.IN_PROGRESS, timeline.status]
    states = [timeline.state_at(at) for at in sorted(times)]
    for before, after in pairwise(states):
        assert order.index(before.status) <= order.index(after.status)
        assert before.messages == after.messages[: len(before.messages)]
        assert before.updated_at <= after.updated_at
        assert before.termination_channel in {None, after.termination_channel}
    final = timeline.state_at(math.inf)
    assert (final.status, final.failure_code, final.termination_channel) == (
        timeline.status,
        timeline.failure_code,
        timeline.messages[-1].channel,
    )


@given(**timelines)
def test_state_changes_only_at_next_change_times(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome]
) -> None:
    """Following `next_change_at` misses nothing: between two such times the state is constant."""
    timeline = _timeline(steps, dispatched_at, forced)
    at, seen = 0.0, [0.0]
    while (later := timeline.next_change_at(at)) is not None:
        assert later > at
        assert timeline.state_at((at + later) / 2) == timeline.state_at(at) or (at + later) / 2 in {at, later}
        seen.append(at := later)
    changes = {change.at for message in timeline.messages for change in message.status_changes}
    assert {at for at in changes if at < math.inf} <= set(seen)


@given(**timelines, added=st.builds(ForcedOutcome, st.integers(0, 3), times, st.sampled_from(ScriptedOutcome)))
def test_forced_outcome_changes_nothing_before_its_time(
    steps: list[SimulatedStep], dispatched_at: float, forced: list[ForcedOutcome], added: ForcedOutcome
) -> None:
    """Before the time of a forced outcome the timeline is unchanged, and what was sent or reached by then stays."""
    earlier = [outcome for outcome in forced if outcome.at <= added.at]
    before, after = _timeline(steps, dispatched_at, earlier), _timeline(steps, dispatched_at, [*earlier, added])
    for at in (0.0, added.at / 2, math.nextafter(added.at, 0.0)):
        if at < added.at:
            assert _observable_state(before, at) == _observable_state(after, at)
    for was, now in zip(before.state_at(added.at).messages, after.state_at(added.at).messages, strict=False):
        reached = tuple(change for change in was.status_changes if change.at <= added.at)
        assert now.status_changes[: len(reached)] == reached
    assert len(before.state_at(added.at).messages) <= len(after.state_at(added.at).messages)


def _observable_state(timeline: FlowTimeline, at: float) -> Any:
    """Return all that is observable of a flow at a time."""
    state = timeline.state_at(at)
    reached = [[change for change in message.status_changes if change.at <= at] for message in state.messages]
    return state.status, state.failure_code, state.termination_channel, state.updated_at, reached
