"""The life of a flow as a pure function: from its steps follows every status that it will ever have, and when.

Nothing runs while a flow plays out. Its time line is computed when somebody asks and read off at the time of asking, so
the sandbox holds no timer, and the same steps always give the same line. Times are seconds since the flow was accepted,
to the microsecond: so the sums that lead to a moment do not miss it by the last bit of a float.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import attrs

from .channel_statuses import FailureCode, StatusChange, expiry_status, possible_outcomes, status_sequence
from .outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from .virtual_clock import round_to_microseconds


class SimulatedFlowStatus(StrEnum):
    """A flow's status (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@attrs.frozen(kw_only=True)
class SimulatedStep:
    """What the engine needs to know of a step; `triggers` are in lower case, `ttl` is in seconds (None: no ttl)."""

    channel: SimulatedChannel
    script: ScriptedMessage
    triggers: frozenset[str]
    ttl: float | None = None
    expire_on_delivery: bool = False


@attrs.frozen
class ForcedOutcome:
    """A message was made to end by hand: the step's position, when, and how."""

    position: int
    at: float
    outcome: ScriptedOutcome


@attrs.frozen
class SimulatedMessage:
    """A step that was sent: its position among the steps, when it left, and every status it takes."""

    position: int
    channel: SimulatedChannel
    sent_at: float
    status_changes: tuple[StatusChange, ...]

    def status_at(self, elapsed: float) -> StatusChange:
        """The status it has by then."""
        return [change for change in self.status_changes if change.at <= elapsed][-1]

    def possible_outcomes(self, elapsed: float, step: SimulatedStep) -> frozenset[ScriptedOutcome]:
        """The endings that it could still be made to come to."""
        past = [change for change in self.status_changes if change.at <= elapsed]
        return possible_outcomes(self.channel, past, expires_on_delivery=step.expire_on_delivery)

    def delivered_at(self, elapsed: float) -> float | None:
        """When it was delivered, if it has been by then."""
        return next((change.at for change in self.status_changes if change.succeeded and change.at <= elapsed), None)


@attrs.frozen
class SimulatedFlowState:
    """How a flow stands at one moment; `messages` are those sent by then."""

    status: SimulatedFlowStatus
    failure_code: FailureCode | None
    termination_channel: SimulatedChannel | None
    messages: tuple[SimulatedMessage, ...]
    updated_at: float


@attrs.frozen
class FlowTimeline:
    """Everything that will become of a flow."""

    dispatched_at: float
    messages: tuple[SimulatedMessage, ...]
    ended_at: float
    status: SimulatedFlowStatus
    failure_code: FailureCode | None

    def next_change_at(self, after: float) -> float | None:
        """When something becomes of the flow next, later than `after`; None when nothing ever will."""
        changes = (change.at for message in self.messages for change in message.status_changes)
        later = [at for at in (self.dispatched_at, *changes, self.ended_at) if after < at < math.inf]
        return min(later, default=None)

    def state_at(self, elapsed: float) -> SimulatedFlowState:
        """How the flow stands when that many seconds have passed since it was accepted."""
        sent = tuple(message for message in self.messages if message.sent_at <= elapsed)
        updated = max((message.status_at(elapsed).at for message in sent), default=0.0)
        if elapsed >= self.ended_at:
            return SimulatedFlowState(self.status, self.failure_code, self.messages[-1].channel, sent, updated)
        status = SimulatedFlowStatus.IN_PROGRESS if elapsed >= self.dispatched_at else SimulatedFlowStatus.QUEUED
        return SimulatedFlowState(status, None, None, sent, updated)


def compute_timeline(
    steps: Sequence[SimulatedStep], *, dispatched_at: float = 0.0, forced: Sequence[ForcedOutcome] = ()
) -> FlowTimeline:
    """The time line of steps that are tried in this order, the first of them sent at `dispatched_at`.

    The next step is sent when a message reaches one of its step's triggers. A flow succeeds when any channel had a
    successful outcome; otherwise it fails, for the reason that its last status names, or with NOT_TRIGGERED when that
    status is not among the triggers and NO_NEXT_STEP when it is and no step is left.

    What was `forced` changes nothing before its moment, and nothing at all where a message could not end so any more.
    """
    turns = sorted(forced, key=lambda turn: turn.at)
    messages: list[SimulatedMessage] = []
    now, succeeded = dispatched_at, False
    code: FailureCode | None = None
    for position, step in enumerate(steps):
        changes = tuple(change.rescheduled(round_to_microseconds(now + change.at)) for change in _changes(step))
        for turn in turns:
            if turn.position == position and turn.at >= now:
                changes = _forced(step, changes, now, turn)
        messages.append(SimulatedMessage(position, step.channel, now, changes))
        reached = _deciding(step, changes)
        now, succeeded = reached.at, succeeded or reached.succeeded
        # A successful status may be a trigger, too: Voice lists Completed among its own. An error ends all (INF).
        triggered = reached.name.lower() in step.triggers and reached.failure_code is not FailureCode.SERVER_ERROR
        code = reached.failure_code
        if code is None:
            code = FailureCode.NO_NEXT_STEP if triggered else FailureCode.NOT_TRIGGERED
        if not triggered:
            break
    if succeeded:
        return FlowTimeline(dispatched_at, tuple(messages), now, SimulatedFlowStatus.SUCCEEDED, None)
    return FlowTimeline(dispatched_at, tuple(messages), now, SimulatedFlowStatus.FAILED, code)


def _deciding(step: SimulatedStep, changes: Sequence[StatusChange]) -> StatusChange:
    """The status that settles the step: a Delivered that may still expire does not; a later Seen changes nothing."""
    if step.expire_on_delivery:
        return changes[-1]
    return next((change for change in changes if change.succeeded), changes[-1])


def _changes(step: SimulatedStep) -> tuple[StatusChange, ...]:
    """What a message goes through if nobody interferes, in seconds since it was sent."""
    ttl = math.inf if step.ttl is None else step.ttl
    way = _scripted(step, ttl)
    # What ends a message of itself never comes later than its ttl, however short that is. A Seen may.
    last = way[-1] if way[-1].name == "SEEN" and not step.expire_on_delivery else _by(ttl, way[-1])
    way = (*(_by(ttl, change) for change in way[:-1]), last)
    return (*way, _by(ttl, expiry_status(step.channel))) if _expires_yet(step, last) else way


def _scripted(step: SimulatedStep, ttl: float) -> tuple[StatusChange, ...]:
    """The way to the scripted ending, at the scripted time; a message that would be later than its ttl expires."""
    script = step.script
    *way, outcome = status_sequence(step.channel, script.outcome)
    if script.detail is not None:
        outcome = attrs.evolve(outcome, detailed_status=script.detail)
    if script.after is None:
        return (*way, outcome)
    way = [_by(script.after, change) for change in way]
    seen_in_peace = script.outcome is ScriptedOutcome.SEEN and not step.expire_on_delivery
    too_late = script.after > ttl and script.outcome is not ScriptedOutcome.EXPIRED and not seen_in_peace
    return (*way, expiry_status(step.channel) if too_late else outcome.rescheduled(script.after))


def _forced(
    step: SimulatedStep, changes: Sequence[StatusChange], sent_at: float, turn: ForcedOutcome
) -> tuple[StatusChange, ...]:
    """What had happened by then, and the rest of the way to the new ending at once."""
    past = tuple(change for change in changes if change.at <= turn.at)
    if turn.outcome not in possible_outcomes(step.channel, past, expires_on_delivery=step.expire_on_delivery):
        return tuple(changes)
    known = {change.name for change in past}
    way = status_sequence(step.channel, turn.outcome)
    rest = tuple(change.rescheduled(turn.at) for change in way if change.name not in known)
    if not _expires_yet(step, rest[-1]):
        return past + rest
    at_ttl = math.inf if step.ttl is None else round_to_microseconds(sent_at + step.ttl)
    return (*past, *rest, expiry_status(step.channel).rescheduled(at_ttl))


def _expires_yet(step: SimulatedStep, last: StatusChange) -> bool:
    return step.expire_on_delivery and last.name == "DELIVERED"


def _by(latest: float, change: StatusChange) -> StatusChange:
    return change if change.at <= latest else change.rescheduled(latest)
