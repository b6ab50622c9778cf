"""Timeline of a flow, computed by a pure function: all its status changes and their times follow from its steps.

Nothing runs while a flow is in progress. The timeline is computed on demand and read at the current time, so the
sandbox holds no timer for it, and the same steps always give the same timeline. Times are seconds since the flow was
accepted, rounded to the microsecond, so that sums of floats do not miss a time by their last bit.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import attrs

from .scripted_outcomes import ScriptedMessage, ScriptedOutcome, SimulatedChannel
from .status_sequences import FailureCode, StatusChange, expiry_status, possible_outcomes, status_sequence
from .virtual_clock import round_to_microseconds


class SimulatedFlowStatus(StrEnum):
    """Status of a flow (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@attrs.frozen(kw_only=True)
class SimulatedStep:
    """Input of the simulation for one step; `triggers` are in lower case, `ttl` is in seconds (None: no ttl)."""

    channel: SimulatedChannel
    script: ScriptedMessage
    triggers: frozenset[str]
    ttl: float | None = None
    expire_on_delivery: bool = False
    failover_after_delivery: bool = False
    """Whether the next step is sent `ttl` seconds after the message was delivered."""


@attrs.frozen
class ForcedOutcome:
    """Outcome that was forced on a message by hand: the position of the step, the time, and the outcome."""

    position: int
    at: float
    outcome: ScriptedOutcome


@attrs.frozen
class SimulatedMessage:
    """Message of a step that was sent: the position of the step, when it was sent, and all its status changes."""

    position: int
    channel: SimulatedChannel
    sent_at: float
    status_changes: tuple[StatusChange, ...]

    def status_at(self, elapsed: float) -> StatusChange:
        """Return its status after this many seconds since the flow was accepted."""
        return [change for change in self.status_changes if change.at <= elapsed][-1]

    def possible_outcomes(self, elapsed: float, step: SimulatedStep) -> frozenset[ScriptedOutcome]:
        """Return the outcomes that can still be forced on it."""
        past = [change for change in self.status_changes if change.at <= elapsed]
        return possible_outcomes(self.channel, past, expires_on_delivery=step.expire_on_delivery)

    def delivered_at(self, elapsed: float) -> float | None:
        """Return when it was delivered, or None if it has not been delivered by then."""
        return next((change.at for change in self.status_changes if change.succeeded and change.at <= elapsed), None)


@attrs.frozen
class SimulatedFlowState:
    """State of a flow at one time; `messages` are those sent until then."""

    status: SimulatedFlowStatus
    failure_code: FailureCode | None
    termination_channel: SimulatedChannel | None
    messages: tuple[SimulatedMessage, ...]
    updated_at: float


@attrs.frozen
class FlowTimeline:
    """All status changes of a flow, and how it ends."""

    dispatched_at: float
    messages: tuple[SimulatedMessage, ...]
    ended_at: float
    status: SimulatedFlowStatus
    failure_code: FailureCode | None

    def next_change_at(self, after: float) -> float | None:
        """Return the time of the first change later than `after`; None when there is none."""
        changes = (change.at for message in self.messages for change in message.status_changes)
        later = [at for at in (self.dispatched_at, *changes, self.ended_at) if after < at < math.inf]
        return min(later, default=None)

    def state_at(self, elapsed: float) -> SimulatedFlowState:
        """Return the state of the flow after this many seconds since it was accepted."""
        sent = tuple(message for message in self.messages if message.sent_at <= elapsed)
        updated = max((message.status_at(elapsed).at for message in sent), default=0.0)
        if elapsed >= self.ended_at:
            return SimulatedFlowState(self.status, self.failure_code, self.messages[-1].channel, sent, updated)
        status = SimulatedFlowStatus.IN_PROGRESS if elapsed >= self.dispatched_at else SimulatedFlowStatus.QUEUED
        return SimulatedFlowState(status, None, None, sent, updated)


def compute_timeline(
    steps: Sequence[SimulatedStep], *, dispatched_at: float = 0.0, forced: Sequence[ForcedOutcome] = ()
) -> FlowTimeline:
    """Return the timeline of steps that are attempted in this order, the first of them sent at `dispatched_at`.

    The next step is sent when a message reaches one of its step's triggers, or a ttl after it was delivered where the
    step asks for that. A flow succeeds when any channel had a successful outcome; otherwise it fails, for the reason
    that its last status determines, or with NOT_TRIGGERED when that status is not among the triggers and NO_NEXT_STEP
    when it is and no step is left.

    A forced outcome changes nothing before its time, and nothing at all where the message could no longer end so.
    """
    forced_in_order = sorted(forced, key=lambda outcome: outcome.at)
    messages: list[SimulatedMessage] = []
    now, succeeded = dispatched_at, False
    code: FailureCode | None = None
    for position, step in enumerate(steps):
        # 1. Compute the status changes of the step's message, with its forced outcomes.
        changes = tuple(change.rescheduled(round_to_microseconds(now + change.at)) for change in _planned_changes(step))
        for outcome in forced_in_order:
            if outcome.position == position and outcome.at >= now:
                changes = _apply_forced(step, changes, now, outcome)
        messages.append(SimulatedMessage(position, step.channel, now, changes))
        # 2. Decide by its final status whether the next step is sent, and why the flow fails if it ends here.
        reached = _final_change(step, changes)
        now, succeeded = reached.at, succeeded or reached.succeeded
        # A successful status may be a trigger too: Voice lists Completed among its own. An error ends the flow (INF).
        triggered = reached.name.lower() in step.triggers and reached.failure_code is not FailureCode.SERVER_ERROR
        code = reached.failure_code
        if code is None:
            code = FailureCode.NO_NEXT_STEP if triggered else FailureCode.NOT_TRIGGERED
        if step.failover_after_delivery and reached.succeeded and position + 1 < len(steps):
            now = round_to_microseconds(now + (step.ttl or 0.0))
        elif not triggered:
            break
    if succeeded:
        return FlowTimeline(dispatched_at, tuple(messages), now, SimulatedFlowStatus.SUCCEEDED, None)
    return FlowTimeline(dispatched_at, tuple(messages), now, SimulatedFlowStatus.FAILED, code)


def _final_change(step: SimulatedStep, changes: Sequence[StatusChange]) -> StatusChange:
    """Return the status that decides the step: not a Delivered that may still expire, and no Seen after a Delivered."""
    if step.expire_on_delivery:
        return changes[-1]
    return next((change for change in changes if change.succeeded), changes[-1])


def _planned_changes(step: SimulatedStep) -> tuple[StatusChange, ...]:
    """Return the status changes of a message on which no outcome is forced, in seconds since it was sent."""
    ttl = math.inf if step.ttl is None else step.ttl
    sequence = _scripted_changes(step, ttl)
    # The status that ends a message never comes later than its ttl, however short that is. A Seen may.
    last = (
        sequence[-1]
        if sequence[-1].name == "SEEN" and not step.expire_on_delivery
        else _no_later_than(ttl, sequence[-1])
    )
    sequence = (*(_no_later_than(ttl, change) for change in sequence[:-1]), last)
    return (*sequence, _no_later_than(ttl, expiry_status(step.channel))) if _expires_later(step, last) else sequence


def _scripted_changes(step: SimulatedStep, ttl: float) -> tuple[StatusChange, ...]:
    """Return the changes up to the scripted outcome, at the scripted time; a message later than its ttl expires."""
    script = step.script
    *intermediate, outcome = status_sequence(step.channel, script.outcome)
    if script.detail is not None:
        outcome = attrs.evolve(outcome, detailed_status=script.detail)
    if script.after is None:
        return (*intermediate, outcome)
    intermediate = [_no_later_than(script.after, change) for change in intermediate]
    seen_after_delivery = script.outcome is ScriptedOutcome.SEEN and not step.expire_on_delivery
    too_late = script.after > ttl and script.outcome is not ScriptedOutcome.EXPIRED and not seen_after_delivery
    return (*intermediate, expiry_status(step.channel) if too_late else outcome.rescheduled(script.after))


def _apply_forced(
    step: SimulatedStep, changes: Sequence[StatusChange], sent_at: float, forced: ForcedOutcome
) -> tuple[StatusChange, ...]:
    """Return the changes until the forced outcome, followed at once by the rest of the sequence to that outcome."""
    past = tuple(change for change in changes if change.at <= forced.at)
    if forced.outcome not in possible_outcomes(step.channel, past, expires_on_delivery=step.expire_on_delivery):
        return tuple(changes)
    known = {change.name for change in past}
    sequence = status_sequence(step.channel, forced.outcome)
    rest = tuple(change.rescheduled(forced.at) for change in sequence if change.name not in known)
    if not _expires_later(step, rest[-1]):
        return past + rest
    at_ttl = math.inf if step.ttl is None else round_to_microseconds(sent_at + step.ttl)
    return (*past, *rest, expiry_status(step.channel).rescheduled(at_ttl))


def _expires_later(step: SimulatedStep, last: StatusChange) -> bool:
    return step.expire_on_delivery and last.name == "DELIVERED"


def _no_later_than(latest: float, change: StatusChange) -> StatusChange:
    return change if change.at <= latest else change.rescheduled(latest)
