"""Messages that are made to end by hand: what is still possible, and what becomes of the rest."""

import pytest

from routee_failover.sandbox.life.channels import FailureCode
from routee_failover.sandbox.life.engine import FlowStatus, Forced, Step, play
from routee_failover.sandbox.life.scripts import Ending

from .steps import names, sms, viber, voice

SLOW = 500.0
ALWAYS = {Ending.DELIVERED, Ending.UNDELIVERED, Ending.FAILED, Ending.EXPIRED, Ending.ERROR}


@pytest.mark.parametrize(
    ("one", "at", "endings"),
    [
        (viber(Ending.DELIVERED, after=SLOW), 0.0, ALWAYS | {Ending.SEEN, Ending.UNSENT}),
        (viber(Ending.DELIVERED), 2.0, {Ending.SEEN}),
        (viber(Ending.DELIVERED, expire_on_delivery=True), 2.0, {Ending.SEEN, Ending.EXPIRED}),
        (viber(Ending.DELIVERED, expire_on_delivery=True), 600.0, set()),
        (viber(Ending.SEEN), 5.0, set()),
        (viber(Ending.FAILED), 1.0, set()),
        (sms(Ending.DELIVERED, after=SLOW), 0.5, ALWAYS | {Ending.UNSENT}),
        (sms(Ending.DELIVERED, after=SLOW), 1.0, ALWAYS),
        (sms(Ending.DELIVERED), 3.0, set()),
        (voice(Ending.DELIVERED, after=SLOW), 0.0, ALWAYS | {Ending.UNSENT, Ending.TERMINATED}),
        (voice(Ending.DELIVERED, after=SLOW), 1.0, ALWAYS | {Ending.TERMINATED}),
        (voice(Ending.DELIVERED, after=SLOW), 2.0, ALWAYS | {Ending.TERMINATED}),
        (voice(Ending.DELIVERED, after=SLOW), 4.0, {Ending.DELIVERED, Ending.TERMINATED}),
        (voice(Ending.UNKNOWN, after=SLOW), 4.0, {Ending.DELIVERED, Ending.TERMINATED}),
        (voice(Ending.DELIVERED), 10.0, set()),
    ],
)
def test_what_a_message_can_still_come_to(one: Step, at: float, endings: set[Ending]) -> None:
    """Delivered is at most seen then, sent is not unsent, and a call that was answered does not go unanswered."""
    assert play([one]).messages[0].open_endings(at, one) == endings


def test_the_way_to_an_ending_is_taken_at_once() -> None:
    """A message that is made to end takes the statuses on the way there, all of them at that moment."""
    line = play([voice(Ending.EXPIRED)], forced=[Forced(0, 1.5, Ending.DELIVERED)])
    expected = [(0, "Queued"), (1, "Initiated"), (1.5, "Ringing"), (1.5, "InProgress"), (1.5, "Completed")]
    assert names(line) == expected
    assert (line.ended_at, line.status) == (1.5, FlowStatus.SUCCEEDED)


def test_the_next_step_is_sent_at_that_moment() -> None:
    """A message that is made to fail hands over there and then; one made to be delivered ends the flow."""
    steps = [viber(Ending.EXPIRED), sms(Ending.EXPIRED)]
    failed = play(steps, dispatched_at=1.0, forced=[Forced(0, 9.0, Ending.FAILED)])
    assert [message.sent_at for message in failed.messages] == [1.0, 9.0]
    both = play(steps, forced=[Forced(0, 9.0, Ending.FAILED), Forced(1, 20.0, Ending.DELIVERED)])
    assert (both.ended_at, both.status) == (20.0, FlowStatus.SUCCEEDED)
    unsent = play(steps, forced=[Forced(0, 9.0, Ending.UNSENT)])
    assert (unsent.ended_at, unsent.code) == (9.0, FailureCode.INSUFFICIENT_BALANCE)


def test_delivered_by_hand_may_still_expire_or_be_seen() -> None:
    """With expireOnDelivery, a message that was delivered by hand waits for a Seen until its ttl passes."""
    one = viber(Ending.EXPIRED, expire_on_delivery=True)
    delivered = Forced(0, 9.0, Ending.DELIVERED)
    assert names(play([one], forced=[delivered])) == [(0, "QUEUED"), (9, "DELIVERED"), (600, "EXPIRED")]
    seen = play([one], forced=[delivered, Forced(0, 20.0, Ending.SEEN)])
    assert names(seen) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "SEEN")]
    expired = play([one], forced=[delivered, Forced(0, 20.0, Ending.EXPIRED)])
    assert names(expired) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "EXPIRED")]
    without_ttl = viber(Ending.EXPIRED, expire_on_delivery=True, ttl=None)
    assert play([without_ttl], forced=[delivered]).next_moment(9.0) is None


@pytest.mark.parametrize(
    "turn",
    [
        Forced(0, 10.0, Ending.FAILED),
        Forced(0, 3.0, Ending.DELIVERED),
        Forced(0, 0.5, Ending.DELIVERED),
        Forced(1, 0.5, Ending.DELIVERED),
        Forced(7, 2.0, Ending.DELIVERED),
    ],
)
def test_what_cannot_be_is_not(turn: Forced) -> None:
    """A turn that a message cannot take, or that comes before it is sent, or for no message at all, changes nothing."""
    steps = [viber(Ending.UNDELIVERED), sms(Ending.DELIVERED)]
    assert play(steps, dispatched_at=1.0, forced=[turn]) == play(steps, dispatched_at=1.0)
