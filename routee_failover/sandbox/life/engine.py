"""The life of a flow as a pure function: from its steps follows every status that it will ever have, and when.

Nothing runs while a flow plays out. Its time line is computed when somebody asks and read off at the time of asking, so
the sandbox holds no timer, and the same steps always give the same line. Times are seconds since the flow was accepted.
"""

import math
from collections.abc import Iterator, Sequence
from enum import IntEnum, StrEnum

import attrs

from .scripts import Channel, Ending

# Routee documents no delays. These are short beside any ttl, and long enough to be watched at a moderate speed.
VIBER_DELIVERED, VIBER_SEEN = 2.0, 5.0
SMS_SENT, SMS_DELIVERED = 1.0, 3.0
CALL_INITIATED, CALL_RINGING, CALL_ANSWERED, CALL_COMPLETED, CALL_UNANSWERED = 1.0, 2.0, 4.0, 10.0, 30.0
REFUSED_BY_CHANNEL = 1.0

_OPEN = frozenset({"QUEUED", "Queued", "Sent", "Initiated", "Ringing", "InProgress"})
_SUCCESSES = frozenset({"DELIVERED", "SEEN", "Delivered", "Completed"})


class FlowStatus(StrEnum):
    """A flow's status (https://docs.routee.net/docs/failover-statuses)."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class FailureCode(IntEnum):
    """Why a flow failed, in Routee's numbers."""

    SERVER_ERROR = 0
    INSUFFICIENT_BALANCE = 1
    NO_NEXT_STEP = 2
    NOT_TRIGGERED = 3


@attrs.frozen(kw_only=True)
class Step:
    """What the engine needs to know of a step; `triggers` are in lower case, `ttl` is in seconds (None: no ttl)."""

    channel: Channel
    ending: Ending
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
class StatusChange:
    """A message takes a status; `detail` is Routee's detailedStatus."""

    at: float
    name: str
    detail: str

    @property
    def succeeded(self) -> bool:
        """Whether this status is its channel's successful outcome."""
        return self.name in _SUCCESSES


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
        """The endings that it could still be made to take."""
        status = self.status(elapsed)
        if status.name == "DELIVERED":
            later = {Ending.SEEN, Ending.EXPIRED} if step.expire_on_delivery else {Ending.SEEN}
            return frozenset(later)
        if status.name not in _OPEN:
            return frozenset()
        seen = {Ending.SEEN} if self.channel is Channel.VIBER else set[Ending]()
        return frozenset({Ending.DELIVERED, Ending.UNDELIVERED, Ending.FAILED, Ending.EXPIRED} | seen)

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
    successful outcome; otherwise it fails, with NOT_TRIGGERED when the status reached is not among the triggers and
    NO_NEXT_STEP when it is and no step is left.
    """
    messages: list[Message] = []
    now, succeeded, triggered = dispatched_at, False, False
    for position, step in enumerate(steps):
        changes = tuple(attrs.evolve(change, at=now + change.at) for change in _changes(step))
        for turn in forced:
            if turn.position == position:
                changes = _forced(step, changes, now, turn)
        messages.append(Message(position, step.channel, now, changes))
        reached = _deciding(step, changes)
        now, succeeded = reached.at, succeeded or reached.succeeded
        # A successful status may be a trigger, too: Voice lists Completed among its own.
        triggered = reached.name.lower() in step.triggers
        if not triggered:
            break
    if succeeded:
        return TimeLine(dispatched_at, tuple(messages), now, FlowStatus.SUCCEEDED, None)
    code = FailureCode.NO_NEXT_STEP if triggered else FailureCode.NOT_TRIGGERED
    return TimeLine(dispatched_at, tuple(messages), now, FlowStatus.FAILED, code)


def _forced(step: Step, changes: Sequence[StatusChange], sent_at: float, turn: Forced) -> tuple[StatusChange, ...]:
    """What had happened by then, and the rest of the way to the new ending at once."""
    past = [change for change in changes if change.at <= turn.at]
    known = {change.name for change in past}
    way = (attrs.evolve(change, at=sent_at + change.at) for change in _changes(attrs.evolve(step, ending=turn.ending)))
    rest = [change for change in way if change.name not in known]
    # A message made to be delivered may still expire in its time; one made to expire does so now.
    waits = step.expire_on_delivery and turn.ending is Ending.DELIVERED
    return (
        *past,
        *(attrs.evolve(one, at=max(one.at, turn.at) if waits and one is rest[-1] else turn.at) for one in rest),
    )


def _deciding(step: Step, changes: Sequence[StatusChange]) -> StatusChange:
    """The status that settles the step: a Delivered that may still expire does not; a later Seen changes nothing."""
    if step.expire_on_delivery:
        return changes[-1]
    return next((change for change in changes if change.succeeded), changes[-1])


def _changes(step: Step) -> Iterator[StatusChange]:
    by_channel = {Channel.VIBER: _viber, Channel.SMS: _sms, Channel.VOICE: _voice}
    latest = math.inf if step.ttl is None else step.ttl
    for change in by_channel[step.channel](step):
        # What a script ends before the ttl never comes later than the ttl, however short that is.
        yield attrs.evolve(change, at=min(change.at, latest))


def _viber(step: Step) -> Iterator[StatusChange]:
    yield StatusChange(0.0, "QUEUED", "Queued")
    match step.ending:
        case Ending.UNDELIVERED:
            yield StatusChange(VIBER_DELIVERED, "UNDELIVERED", "Not Viber User")
        case Ending.FAILED:
            yield StatusChange(REFUSED_BY_CHANNEL, "FAILED", "Message Rejected")
        case Ending.EXPIRED:
            yield StatusChange(math.inf, "EXPIRED", "TTL Expired")
        case Ending.SEEN:
            yield StatusChange(VIBER_DELIVERED, "DELIVERED", "Delivered")
            yield StatusChange(VIBER_SEEN, "SEEN", "Seen")
        case _:
            yield StatusChange(VIBER_DELIVERED, "DELIVERED", "Delivered")
            if step.expire_on_delivery:
                yield StatusChange(math.inf, "EXPIRED", "TTL Expired")


def _sms(step: Step) -> Iterator[StatusChange]:
    yield StatusChange(0.0, "Queued", "Queued")
    if step.ending is Ending.FAILED:
        yield StatusChange(REFUSED_BY_CHANNEL, "Failed", "Failed")
        return
    yield StatusChange(SMS_SENT, "Sent", "Sent")
    match step.ending:
        case Ending.UNDELIVERED:
            yield StatusChange(SMS_DELIVERED, "Undelivered", "Unknown Number")
        case Ending.EXPIRED:
            yield StatusChange(math.inf, "Undelivered", "Expired")
        case _:
            yield StatusChange(SMS_DELIVERED, "Delivered", "Delivered")


def _voice(step: Step) -> Iterator[StatusChange]:
    yield StatusChange(0.0, "Queued", "Queued")
    if step.ending is Ending.FAILED:
        yield StatusChange(REFUSED_BY_CHANNEL, "Failed", "Failed")
        return
    yield StatusChange(CALL_INITIATED, "Initiated", "Initiated")
    if step.ending is Ending.UNDELIVERED:
        yield StatusChange(CALL_RINGING, "Busy", "Busy")
        return
    yield StatusChange(CALL_RINGING, "Ringing", "Ringing")
    if step.ending is Ending.EXPIRED:
        yield StatusChange(CALL_UNANSWERED, "NoAnswer", "No answer")
        return
    yield StatusChange(CALL_ANSWERED, "InProgress", "In progress")
    yield StatusChange(CALL_COMPLETED, "Completed", "Completed")
