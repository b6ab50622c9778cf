"""The step engine as a pure function: no server, no clock."""

import math

import pytest

from routee_failover.sandbox.life.channels import FailureCode
from routee_failover.sandbox.life.engine import FlowStatus, Step, play
from routee_failover.sandbox.life.scripts import Channel, Ending

from .steps import ANY_VOICE, names, sms, step, viber, voice


@pytest.mark.parametrize(
    ("step", "statuses"),
    [
        (viber(Ending.DELIVERED), [(0, "QUEUED"), (2, "DELIVERED")]),
        (viber(Ending.SEEN), [(0, "QUEUED"), (2, "DELIVERED"), (5, "SEEN")]),
        (viber(Ending.UNDELIVERED), [(0, "QUEUED"), (2, "UNDELIVERED")]),
        (viber(Ending.FAILED), [(0, "QUEUED"), (1, "FAILED")]),
        (viber(Ending.EXPIRED), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(Ending.DELIVERED, expire_on_delivery=True), [(0, "QUEUED"), (2, "DELIVERED"), (600, "EXPIRED")]),
        (viber(Ending.SEEN, expire_on_delivery=True), [(0, "QUEUED"), (2, "DELIVERED"), (5, "SEEN")]),
        (sms(Ending.DELIVERED), [(0, "Queued"), (1, "Sent"), (3, "Delivered")]),
        (sms(Ending.SEEN), [(0, "Queued"), (1, "Sent"), (3, "Delivered")]),
        (sms(Ending.UNDELIVERED), [(0, "Queued"), (1, "Sent"), (3, "Undelivered")]),
        (sms(Ending.FAILED), [(0, "Queued"), (1, "Failed")]),
        (sms(Ending.EXPIRED), [(0, "Queued"), (1, "Sent"), (72_000, "Undelivered")]),
        (
            voice(Ending.DELIVERED),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Completed")],
        ),
        (voice(Ending.SEEN), [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Completed")]),
        (voice(Ending.UNDELIVERED), [(0, "Queued"), (1, "Initiated"), (2, "Busy")]),
        (voice(Ending.FAILED), [(0, "Queued"), (1, "Failed")]),
        (voice(Ending.EXPIRED), [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (30, "NoAnswer")]),
        (viber(Ending.UNSENT), [(0, "QUEUED"), (1, "UNSENT")]),
        (viber(Ending.TERMINATED), [(0, "QUEUED"), (1, "UNSENT")]),
        (viber(Ending.ERROR), [(0, "QUEUED"), (1, "FAILED")]),
        (viber(Ending.UNKNOWN), [(0, "QUEUED"), (2, "DELIVERED")]),
        (sms(Ending.UNSENT), [(0, "Queued"), (1, "Unsent")]),
        (sms(Ending.TERMINATED), [(0, "Queued"), (1, "Unsent")]),
        (sms(Ending.ERROR), [(0, "Queued"), (1, "Failed")]),
        (voice(Ending.UNSENT), [(0, "Queued"), (1, "Unsent")]),
        (
            voice(Ending.TERMINATED),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Terminated")],
        ),
        (voice(Ending.ERROR), [(0, "Queued"), (1, "Failed")]),
        (
            voice(Ending.UNKNOWN),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "Unknown"), (10, "Completed")],
        ),
    ],
)
def test_statuses_of_a_step(step: Step, statuses: list[tuple[float, str]]) -> None:
    """Each channel takes its own documented statuses, in its own casing, to the scripted end."""
    assert names(play([step])) == statuses


def test_expired_sms() -> None:
    """SMS knows no Expired: past its ttl it is Undelivered with the detail Expired."""
    last = play([sms(Ending.EXPIRED)]).messages[0].changes[-1]
    assert (last.name, last.detail) == ("Undelivered", "Expired")


@pytest.mark.parametrize(
    ("steps", "status", "code", "sent"),
    [
        ([viber(Ending.DELIVERED), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 1),
        ([viber(Ending.SEEN), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 1),
        ([viber(Ending.EXPIRED), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 2),
        ([viber(Ending.DELIVERED, expire_on_delivery=True), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 2),
        ([viber(Ending.SEEN, expire_on_delivery=True), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 1),
        ([viber(Ending.UNDELIVERED), sms(Ending.FAILED)], FlowStatus.FAILED, FailureCode.NO_NEXT_STEP, 2),
        ([viber(Ending.FAILED)], FlowStatus.FAILED, FailureCode.NO_NEXT_STEP, 1),
        (
            [viber(Ending.FAILED, frozenset({"expired"})), sms(Ending.DELIVERED)],
            FlowStatus.FAILED,
            FailureCode.NOT_TRIGGERED,
            1,
        ),
        ([viber(Ending.FAILED, frozenset()), sms(Ending.DELIVERED)], FlowStatus.FAILED, FailureCode.NOT_TRIGGERED, 1),
        ([voice(Ending.FAILED), sms(Ending.DELIVERED)], FlowStatus.FAILED, FailureCode.NOT_TRIGGERED, 1),
        ([voice(Ending.UNDELIVERED), viber(Ending.UNDELIVERED), sms(Ending.DELIVERED)], FlowStatus.SUCCEEDED, None, 3),
        ([voice(Ending.DELIVERED, frozenset({"completed"})), sms(Ending.FAILED)], FlowStatus.SUCCEEDED, None, 2),
        ([voice(Ending.DELIVERED, frozenset({"completed"}))], FlowStatus.SUCCEEDED, None, 1),
        ([viber(Ending.UNSENT), sms(Ending.DELIVERED)], FlowStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE, 1),
        ([voice(Ending.TERMINATED)], FlowStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE, 1),
        ([voice(Ending.UNSENT, ANY_VOICE)], FlowStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE, 1),
        ([voice(Ending.UNSENT, ANY_VOICE), sms(Ending.FAILED)], FlowStatus.FAILED, FailureCode.NO_NEXT_STEP, 2),
        ([voice(Ending.DELIVERED, ANY_VOICE), sms(Ending.UNSENT)], FlowStatus.SUCCEEDED, None, 2),
        ([viber(Ending.ERROR), sms(Ending.DELIVERED)], FlowStatus.FAILED, FailureCode.SERVER_ERROR, 1),
        ([sms(Ending.ERROR)], FlowStatus.FAILED, FailureCode.SERVER_ERROR, 1),
        ([voice(Ending.ERROR, ANY_VOICE), sms(Ending.DELIVERED)], FlowStatus.FAILED, FailureCode.SERVER_ERROR, 1),
        ([viber(Ending.FAILED), sms(Ending.ERROR)], FlowStatus.FAILED, FailureCode.SERVER_ERROR, 2),
    ],
)
def test_failover(steps: list[Step], status: FlowStatus, code: FailureCode | None, sent: int) -> None:
    """Triggers start the next step; any success makes the flow succeed; statusCode tells the four ways to fail apart.

    A server error ends the flow; want of balance does where it is no trigger, and is the reason wherever it is the end.
    """
    line = play(steps)
    assert (line.status, line.code, len(line.messages)) == (status, code, sent)


def test_state_at_every_moment() -> None:
    """A flow is Queued, then InProgress, then final; the next message leaves at the very moment the last one ends."""
    line = play([viber(Ending.EXPIRED), sms(Ending.DELIVERED)], dispatched_at=1.0)
    moments = (0.0, 0.99, 1.0, 600.99, 601.0, 603.99, 604.0, math.inf)
    states = [line.state(moment) for moment in moments]
    assert [state.status for state in states] == ["Queued"] * 2 + ["InProgress"] * 4 + ["Succeeded"] * 2
    assert [len(state.messages) for state in states] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert [state.updated_at for state in states] == [0, 0, 1, 1, 601, 602, 604, 604]
    assert [state.termination for state in states] == [None] * 6 + [Channel.SMS] * 2
    message = states[-1].messages[1]
    assert message.delivered_at(603.9) is None
    assert message.delivered_at(604.0) == 604.0


def test_seen_after_the_end() -> None:
    """A flow ends when Viber is delivered; a later Seen still shows on the message."""
    line = play([viber(Ending.SEEN)])
    assert line.ended_at == 2.0
    state = line.state(5.0)
    assert (state.status, state.messages[0].status(5.0).name, state.updated_at) == ("Succeeded", "SEEN", 5.0)


def test_ttl_shorter_than_a_delivery() -> None:
    """Nothing happens to a message after its ttl, however short that is."""
    assert play([sms(Ending.DELIVERED, ttl=0.0)]).ended_at == 0.0


MATRIX_VOICE = [Ending.UNDELIVERED, Ending.EXPIRED, Ending.FAILED, Ending.UNSENT, Ending.TERMINATED]


@pytest.mark.parametrize("call", MATRIX_VOICE)
@pytest.mark.parametrize(
    ("viber_ending", "sms_ending", "status", "termination"),
    [
        (Ending.DELIVERED, Ending.FAILED, FlowStatus.SUCCEEDED, Channel.VIBER),
        (Ending.UNDELIVERED, Ending.DELIVERED, FlowStatus.SUCCEEDED, Channel.SMS),
        (Ending.UNDELIVERED, Ending.UNDELIVERED, FlowStatus.FAILED, Channel.SMS),
        (Ending.UNDELIVERED, Ending.FAILED, FlowStatus.FAILED, Channel.SMS),
    ],
)
def test_the_documented_results(
    call: Ending, viber_ending: Ending, sms_ending: Ending, status: FlowStatus, termination: Channel
) -> None:
    """A call that nobody takes, then Viber, then SMS: the flow ends as Routee's page of flow statuses shows."""
    state = play([voice(call, ANY_VOICE - {"completed"}), viber(viber_ending), sms(sms_ending)]).state(math.inf)
    assert (state.status, state.termination) == (status, termination)


def test_a_completed_call_is_a_success() -> None:
    """The first line of that page: completed, succeeded, and nothing else is sent."""
    state = play([voice(Ending.DELIVERED), viber(Ending.DELIVERED), sms(Ending.DELIVERED)]).state(math.inf)
    assert (state.status, state.termination, len(state.messages)) == (FlowStatus.SUCCEEDED, Channel.VOICE, 1)


@pytest.mark.parametrize(
    ("one", "statuses"),
    [
        (viber(Ending.DELIVERED, after=90.0), [(0, "QUEUED"), (90, "DELIVERED")]),
        (viber(Ending.DELIVERED, after=0.0), [(0, "QUEUED"), (0, "DELIVERED")]),
        (viber(Ending.DELIVERED, after=600.0), [(0, "QUEUED"), (600, "DELIVERED")]),
        (viber(Ending.DELIVERED, after=600.1), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(Ending.FAILED, after=700.0), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(Ending.EXPIRED, after=30.0), [(0, "QUEUED"), (30, "EXPIRED")]),
        (viber(Ending.EXPIRED, after=900.0), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(Ending.SEEN, after=60.0), [(0, "QUEUED"), (2, "DELIVERED"), (60, "SEEN")]),
        (viber(Ending.SEEN, after=1.0), [(0, "QUEUED"), (1, "DELIVERED"), (1, "SEEN")]),
        (viber(Ending.SEEN, after=900.0), [(0, "QUEUED"), (2, "DELIVERED"), (900, "SEEN")]),
        (
            viber(Ending.SEEN, after=900.0, expire_on_delivery=True),
            [(0, "QUEUED"), (2, "DELIVERED"), (600, "EXPIRED")],
        ),
        (
            viber(Ending.DELIVERED, after=60.0, expire_on_delivery=True),
            [(0, "QUEUED"), (60, "DELIVERED"), (600, "EXPIRED")],
        ),
        (sms(Ending.DELIVERED, after=120.0), [(0, "Queued"), (1, "Sent"), (120, "Delivered")]),
        (sms(Ending.DELIVERED, after=80_000.0), [(0, "Queued"), (1, "Sent"), (72_000, "Undelivered")]),
        (
            voice(Ending.DELIVERED, after=3.0),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (3, "InProgress"), (3, "Completed")],
        ),
        (voice(Ending.EXPIRED, after=45.0), [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (45, "NoAnswer")]),
    ],
)
def test_after(one: Step, statuses: list[tuple[float, str]]) -> None:
    """A script says when a message ends as it says; one that would be later than its ttl expires, but for a Seen."""
    assert names(play([one])) == statuses


def test_a_late_delivery_fails_over() -> None:
    """What is delivered only after its ttl has passed is not delivered: the next step is sent when it expires."""
    line = play([viber(Ending.DELIVERED, ttl=60.0, after=90.0), sms(Ending.DELIVERED)])
    assert [message.sent_at for message in line.messages] == [0.0, 60.0]
    assert line.status is FlowStatus.SUCCEEDED


def test_detail() -> None:
    """A script may name the detailedStatus of the end; what expires in its place has its own."""
    roaming = play([sms(Ending.UNDELIVERED, detail="Roaming")]).messages[0].changes
    assert [change.detail for change in roaming] == ["Queued", "Sent", "Roaming"]
    late = play([sms(Ending.DELIVERED, after=1e6, detail="Roaming")]).messages[0].changes[-1]
    assert late.detail == "Expired"


def test_a_seen_may_come_after_the_ttl() -> None:
    """A ttl ends the attempts to deliver, not the reading: only with expireOnDelivery a Delivered waits for a Seen."""
    assert names(play([viber(Ending.SEEN, ttl=3.0)])) == [(0, "QUEUED"), (2, "DELIVERED"), (5, "SEEN")]
    short = play([viber(Ending.SEEN, ttl=3.0, expire_on_delivery=True)])
    assert names(short) == [(0, "QUEUED"), (2, "DELIVERED"), (3, "SEEN")]


def test_no_ttl_never_expires() -> None:
    """A step without a ttl that only its ttl would end stays as it is, and so does its flow."""
    line = play([step(Channel.VIBER, Ending.EXPIRED, frozenset())])
    assert line.state(1e12).status is FlowStatus.IN_PROGRESS
    assert line.next_moment(0.0) is None
