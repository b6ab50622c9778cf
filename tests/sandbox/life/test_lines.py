"""What holds of every time line, whatever the steps, their scripts, and what is done to them by hand."""

import math
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.sandbox.life.channels import FailureCode
from routee_failover.sandbox.life.clock import exact
from routee_failover.sandbox.life.engine import FlowStatus, Forced, Step, TimeLine, play
from routee_failover.sandbox.life.scripts import Channel, Ending, Script

TERMINAL = {
    Channel.VIBER: {"DELIVERED", "UNDELIVERED", "FAILED", "EXPIRED", "UNSENT", "SEEN"},
    Channel.SMS: {"Delivered", "Undelivered", "Failed", "Unsent"},
    Channel.VOICE: {"Completed", "Busy", "NoAnswer", "Failed", "Unsent", "Terminated"},
}
MAY_FOLLOW = {("DELIVERED", "SEEN"), ("DELIVERED", "EXPIRED")}
SUCCESSES = {"DELIVERED", "SEEN", "Delivered", "Completed"}
WORDS = sorted({name.lower() for names in TERMINAL.values() for name in names})

seconds = st.floats(0.0, 1e6) | st.integers(0, 40).map(float)
scripts = st.builds(Script, st.sampled_from(Ending), st.none() | seconds, st.none() | st.just("Roaming"))


@st.composite
def one_step(draw: st.DrawFn) -> Step:
    """Any step."""
    channel = draw(st.sampled_from(Channel))
    return Step(
        channel=channel,
        script=draw(scripts),
        triggers=frozenset(draw(st.lists(st.sampled_from(WORDS), max_size=8))),
        ttl=None if channel is Channel.VOICE else draw(seconds),
        expire_on_delivery=channel is Channel.VIBER and draw(st.booleans()),
    )


steps_ = st.lists(one_step(), min_size=1, max_size=4)
moments = seconds.map(exact)  # as the clock tells them
turns_ = st.lists(st.builds(Forced, st.integers(0, 3), moments, st.sampled_from(Ending)), max_size=4)
lines: dict[str, Any] = {"steps": steps_, "dispatched_at": st.sampled_from([0.0, 1.0]), "forced": turns_}


def _line(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> TimeLine:
    return play(steps, dispatched_at=dispatched_at, forced=forced)


@given(**lines)
def test_same_input_same_line(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """A line follows from what goes in, and from nothing else."""
    assert _line(steps, dispatched_at, forced) == _line(steps, dispatched_at, forced)


@given(**lines)
def test_times_never_go_back(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """A message is sent, takes its statuses in order, each once, and the next one is not sent before it has ended."""
    line = _line(steps, dispatched_at, forced)
    assert line.messages[0].sent_at == dispatched_at
    for message in line.messages:
        times = [message.sent_at, *(change.at for change in message.changes)]
        assert times == sorted(times)
        assert len({change.name for change in message.changes}) == len(message.changes)
    sent = [message.sent_at for message in line.messages]
    assert [*sent, line.ended_at] == sorted([*sent, line.ended_at])


@given(**lines)
def test_one_end(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """A message ends in one terminal status of its channel; only Delivered on Viber is followed by another one."""
    for message in _line(steps, dispatched_at, forced).messages:
        found = [change.name for change in message.changes]
        assert found[-1] in TERMINAL[message.channel]
        for earlier, later in pairwise(found):
            assert earlier not in TERMINAL[message.channel] or (earlier, later) in MAY_FOLLOW


@given(**lines)
def test_the_next_step_needs_a_trigger(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """A step is sent at the moment in which a status among the triggers of the step before settles that one."""
    line = _line(steps, dispatched_at, forced)
    for before, after in pairwise(line.messages):
        reached = [change.name.lower() for change in before.changes if change.at == after.sent_at]
        assert set(reached) & steps[before.position].triggers
    assert [message.position for message in line.messages] == list(range(len(line.messages)))


@given(**lines)
def test_the_result_follows_from_the_ends(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """One successful channel makes the flow succeed; else its last status says why it failed, or its triggers do."""
    line = _line(steps, dispatched_at, forced)
    settled = [_settled(steps[message.position], message.changes) for message in line.messages]
    if any(change.name in SUCCESSES for change in settled):
        assert (line.status, line.code) == (FlowStatus.SUCCEEDED, None)
        return
    last, step = settled[-1], steps[len(line.messages) - 1]
    assert line.status is FlowStatus.FAILED
    if last.name.lower() in {"unsent", "terminated"}:
        assert line.code is FailureCode.INSUFFICIENT_BALANCE
    elif line.code is FailureCode.SERVER_ERROR:
        assert last.name.lower() == "failed"
    elif last.name.lower() in step.triggers:
        assert line.code is FailureCode.NO_NEXT_STEP
        assert len(line.messages) == len(steps)
    else:
        assert line.code is FailureCode.NOT_TRIGGERED


def _settled(step: Step, changes: Any) -> Any:
    successes = [change for change in changes if change.name in SUCCESSES]
    return successes[0] if successes and not step.expire_on_delivery else changes[-1]


@given(**lines, moments=st.lists(seconds, min_size=2, max_size=6))
def test_a_flow_only_goes_forward(
    steps: list[Step], dispatched_at: float, forced: list[Forced], moments: list[float]
) -> None:
    """Seen at later and later moments, a flow loses no message and no status, and a final one stays as it is."""
    line = _line(steps, dispatched_at, forced)
    order = [FlowStatus.QUEUED, FlowStatus.IN_PROGRESS, line.status]
    states = [line.state(moment) for moment in sorted(moments)]
    for before, after in pairwise(states):
        assert order.index(before.status) <= order.index(after.status)
        assert before.messages == after.messages[: len(before.messages)]
        assert before.updated_at <= after.updated_at
        assert before.termination in {None, after.termination}
    final = line.state(math.inf)
    assert (final.status, final.code, final.termination) == (line.status, line.code, line.messages[-1].channel)


@given(**lines)
def test_every_change_has_its_moment(steps: list[Step], dispatched_at: float, forced: list[Forced]) -> None:
    """Going from moment to moment one misses nothing: between two of them a flow stands still."""
    line = _line(steps, dispatched_at, forced)
    at, seen = 0.0, [0.0]
    while (later := line.next_moment(at)) is not None:
        assert later > at
        assert line.state((at + later) / 2) == line.state(at) or (at + later) / 2 in {at, later}
        seen.append(at := later)
    changes = {change.at for message in line.messages for change in message.changes}
    assert {at for at in changes if at < math.inf} <= set(seen)


@given(**lines, turn=st.builds(Forced, st.integers(0, 3), seconds, st.sampled_from(Ending)))
def test_forcing_never_rewrites_the_past(
    steps: list[Step], dispatched_at: float, forced: list[Forced], turn: Forced
) -> None:
    """Up to the moment of a turn all is as it would have been, and what was sent or reached then is kept."""
    earlier = [one for one in forced if one.at <= turn.at]
    before, after = _line(steps, dispatched_at, earlier), _line(steps, dispatched_at, [*earlier, turn])
    for moment in (0.0, turn.at / 2, math.nextafter(turn.at, 0.0)):
        if moment < turn.at:
            assert _told(before, moment) == _told(after, moment)
    for was, now in zip(before.state(turn.at).messages, after.state(turn.at).messages, strict=False):
        reached = tuple(change for change in was.changes if change.at <= turn.at)
        assert now.changes[: len(reached)] == reached
    assert len(before.state(turn.at).messages) <= len(after.state(turn.at).messages)


def _told(line: TimeLine, moment: float) -> Any:
    """All that can be known of a flow at a moment."""
    state = line.state(moment)
    reached = [[change for change in message.changes if change.at <= moment] for message in state.messages]
    return state.status, state.code, state.termination, state.updated_at, reached
