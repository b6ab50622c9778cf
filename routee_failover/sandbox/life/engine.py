"""The life of a flow as a pure function: from its steps follows every status that it will ever have, and when.

Nothing runs while a flow plays out. Its time line is computed when somebody asks and read off at the time of asking, so
the sandbox holds no timer, and the same steps always give the same line. Times are seconds since the flow was accepted,
to the microsecond: so the sums that lead to a moment do not miss it by the last bit of a float.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import attrs

from .channels import FailureCode, StatusChange, course, expired, open_endings
from .clock import exact
from .scripts import Channel, Ending, Script


class FlowStatus(StrEnum):
    """A flow's status (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@attrs.frozen(kw_only=True)
class Step:
    """What the engine needs to know of a step; `triggers` are in lower case, `ttl` is in seconds (None: no ttl)."""

    channel: Channel
    script: Script
    triggers: frozenset[str]
    ttl: float | None = None
    expire_on_delivery: bool = False


@attrs.frozen
class Forced:
    """A message was made to end by hand: the step's position, when, and how."""

    position: int
    at: float
    ending: Ending


@attrs.frozen
class Message:
    """A step that was sent: its position among the steps, when it left, and every status it takes."""

    position: int
    channel: Channel
    sent_at: float
    changes: tuple[StatusChange, ...]

    def status(self, elapsed: float) -> StatusChange:
        """The status it has by then."""
        return [change for change in self.changes if change.at <= elapsed][-1]

    def open_endings(self, elapsed: float, step: Step) -> frozenset[Ending]:
        """The endings that it could still be made to come to."""
        past = [change for change in self.changes if change.at <= elapsed]
        return open_endings(self.channel, past, expires_on_delivery=step.expire_on_delivery)

    def delivered_at(self, elapsed: float) -> float | None:
        """When it was delivered, if it has been by then."""
        return next((change.at for change in self.changes if change.succeeded and change.at <= elapsed), None)


@attrs.frozen
class FlowState:
    """How a flow stands at one moment; `messages` are those sent by then."""

    status: FlowStatus
    code: FailureCode | None
    termination: Channel | None
    messages: tuple[Message, ...]
    updated_at: float


@attrs.frozen
class TimeLine:
    """Everything that will become of a flow."""

    dispatched_at: float
    messages: tuple[Message, ...]
    ended_at: float
    status: FlowStatus
    code: FailureCode | None

    def next_moment(self, after: float) -> float | None:
        """When something becomes of the flow next, later than `after`; None when nothing ever will."""
        changes = (change.at for message in self.messages for change in message.changes)
        later = [at for at in (self.dispatched_at, *changes, self.ended_at) if after < at < math.inf]
        return min(later, default=None)

    def state(self, elapsed: float) -> FlowState:
        """How the flow stands when that many seconds have passed since it was accepted."""
        sent = tuple(message for message in self.messages if message.sent_at <= elapsed)
        updated = max((message.status(elapsed).at for message in sent), default=0.0)
        if elapsed >= self.ended_at:
            return FlowState(self.status, self.code, self.messages[-1].channel, sent, updated)
        status = FlowStatus.IN_PROGRESS if elapsed >= self.dispatched_at else FlowStatus.QUEUED
        return FlowState(status, None, None, sent, updated)


def play(steps: Sequence[Step], *, dispatched_at: float = 0.0, forced: Sequence[Forced] = ()) -> TimeLine:
    """The time line of steps that are tried in this order, the first of them sent at `dispatched_at`.

    The next step is sent when a message reaches one of its step's triggers. A flow succeeds when any channel had a
    successful outcome; otherwise it fails, for the reason that its last status names, or with NOT_TRIGGERED when that
    status is not among the triggers and NO_NEXT_STEP when it is and no step is left.

    What was `forced` changes nothing before its moment, and nothing at all where a message could not end so any more.
    """
    turns = sorted(forced, key=lambda turn: turn.at)
    messages: list[Message] = []
    now, succeeded = dispatched_at, False
    code: FailureCode | None = None
    for position, step in enumerate(steps):
        changes = tuple(change.moved(exact(now + change.at)) for change in _changes(step))
        for turn in turns:
            if turn.position == position and turn.at >= now:
                changes = _forced(step, changes, now, turn)
        messages.append(Message(position, step.channel, now, changes))
        reached = _deciding(step, changes)
        now, succeeded = reached.at, succeeded or reached.succeeded
        # A successful status may be a trigger, too: Voice lists Completed among its own. An error ends all (INF).
        triggered = reached.name.lower() in step.triggers and reached.code is not FailureCode.SERVER_ERROR
        code = reached.code
        if code is None:
            code = FailureCode.NO_NEXT_STEP if triggered else FailureCode.NOT_TRIGGERED
        if not triggered:
            break
    if succeeded:
        return TimeLine(dispatched_at, tuple(messages), now, FlowStatus.SUCCEEDED, None)
    return TimeLine(dispatched_at, tuple(messages), now, FlowStatus.FAILED, code)


def _deciding(step: Step, changes: Sequence[StatusChange]) -> StatusChange:
    """The status that settles the step: a Delivered that may still expire does not; a later Seen changes nothing."""
    if step.expire_on_delivery:
        return changes[-1]
    return next((change for change in changes if change.succeeded), changes[-1])


def _changes(step: Step) -> tuple[StatusChange, ...]:
    """What a message goes through if nobody interferes, in seconds since it was sent."""
    ttl = math.inf if step.ttl is None else step.ttl
    way = _scripted(step, ttl)
    # What ends a message of itself never comes later than its ttl, however short that is. A Seen may.
    last = way[-1] if way[-1].name == "SEEN" and not step.expire_on_delivery else _by(ttl, way[-1])
    way = (*(_by(ttl, change) for change in way[:-1]), last)
    return (*way, _by(ttl, expired(step.channel))) if _expires_yet(step, last) else way


def _scripted(step: Step, ttl: float) -> tuple[StatusChange, ...]:
    """The way to the scripted ending, at the scripted time; a message that would be later than its ttl expires."""
    script = step.script
    *way, outcome = course(step.channel, script.ending)
    if script.detail is not None:
        outcome = attrs.evolve(outcome, detail=script.detail)
    if script.after is None:
        return (*way, outcome)
    way = [_by(script.after, change) for change in way]
    seen_in_peace = script.ending is Ending.SEEN and not step.expire_on_delivery
    too_late = script.after > ttl and script.ending is not Ending.EXPIRED and not seen_in_peace
    return (*way, expired(step.channel) if too_late else outcome.moved(script.after))


def _forced(step: Step, changes: Sequence[StatusChange], sent_at: float, turn: Forced) -> tuple[StatusChange, ...]:
    """What had happened by then, and the rest of the way to the new ending at once."""
    past = tuple(change for change in changes if change.at <= turn.at)
    if turn.ending not in open_endings(step.channel, past, expires_on_delivery=step.expire_on_delivery):
        return tuple(changes)
    known = {change.name for change in past}
    way = course(step.channel, turn.ending)
    rest = tuple(change.moved(turn.at) for change in way if change.name not in known)
    if not _expires_yet(step, rest[-1]):
        return past + rest
    at_ttl = math.inf if step.ttl is None else exact(sent_at + step.ttl)
    return (*past, *rest, expired(step.channel).moved(at_ttl))


def _expires_yet(step: Step, last: StatusChange) -> bool:
    return step.expire_on_delivery and last.name == "DELIVERED"


def _by(latest: float, change: StatusChange) -> StatusChange:
    return change if change.at <= latest else change.moved(latest)
