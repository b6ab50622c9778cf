"""Messages that are made to end by hand: what is still possible, and what becomes of the rest."""

import pytest

from routee_failover.sandbox.simulation.channel_statuses import FailureCode
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome
from routee_failover.sandbox.simulation.timeline import (
    ForcedOutcome,
    SimulatedFlowStatus,
    SimulatedStep,
    compute_timeline,
)

from .step_factory import names, sms, viber, voice

SLOW = 500.0
ALWAYS = {
    ScriptedOutcome.DELIVERED,
    ScriptedOutcome.UNDELIVERED,
    ScriptedOutcome.FAILED,
    ScriptedOutcome.EXPIRED,
    ScriptedOutcome.ERROR,
}


@pytest.mark.parametrize(
    ("one", "at", "endings"),
    [
        (viber(ScriptedOutcome.DELIVERED, after=SLOW), 0.0, ALWAYS | {ScriptedOutcome.SEEN, ScriptedOutcome.UNSENT}),
        (viber(ScriptedOutcome.DELIVERED), 2.0, {ScriptedOutcome.SEEN}),
        (
            viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True),
            2.0,
            {ScriptedOutcome.SEEN, ScriptedOutcome.EXPIRED},
        ),
        (viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True), 600.0, set()),
        (viber(ScriptedOutcome.SEEN), 5.0, set()),
        (viber(ScriptedOutcome.FAILED), 1.0, set()),
        (sms(ScriptedOutcome.DELIVERED, after=SLOW), 0.5, ALWAYS | {ScriptedOutcome.UNSENT}),
        (sms(ScriptedOutcome.DELIVERED, after=SLOW), 1.0, ALWAYS),
        (sms(ScriptedOutcome.DELIVERED), 3.0, set()),
        (
            voice(ScriptedOutcome.DELIVERED, after=SLOW),
            0.0,
            ALWAYS | {ScriptedOutcome.UNSENT, ScriptedOutcome.TERMINATED},
        ),
        (voice(ScriptedOutcome.DELIVERED, after=SLOW), 1.0, ALWAYS | {ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED, after=SLOW), 2.0, ALWAYS | {ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED, after=SLOW), 4.0, {ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.UNKNOWN, after=SLOW), 4.0, {ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED), 10.0, set()),
    ],
)
def test_what_a_message_can_still_come_to(one: SimulatedStep, at: float, endings: set[ScriptedOutcome]) -> None:
    """Delivered is at most seen then, sent is not unsent, and a call that was answered does not go unanswered."""
    assert compute_timeline([one]).messages[0].possible_outcomes(at, one) == endings


def test_the_way_to_an_ending_is_taken_at_once() -> None:
    """A message that is made to end takes the statuses on the way there, all of them at that moment."""
    line = compute_timeline([voice(ScriptedOutcome.EXPIRED)], forced=[ForcedOutcome(0, 1.5, ScriptedOutcome.DELIVERED)])
    expected = [(0, "Queued"), (1, "Initiated"), (1.5, "Ringing"), (1.5, "InProgress"), (1.5, "Completed")]
    assert names(line) == expected
    assert (line.ended_at, line.status) == (1.5, SimulatedFlowStatus.SUCCEEDED)


def test_the_next_step_is_sent_at_that_moment() -> None:
    """A message that is made to fail hands over there and then; one made to be delivered ends the flow."""
    steps = [viber(ScriptedOutcome.EXPIRED), sms(ScriptedOutcome.EXPIRED)]
    failed = compute_timeline(steps, dispatched_at=1.0, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.FAILED)])
    assert [message.sent_at for message in failed.messages] == [1.0, 9.0]
    both = compute_timeline(
        steps, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.FAILED), ForcedOutcome(1, 20.0, ScriptedOutcome.DELIVERED)]
    )
    assert (both.ended_at, both.status) == (20.0, SimulatedFlowStatus.SUCCEEDED)
    unsent = compute_timeline(steps, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.UNSENT)])
    assert (unsent.ended_at, unsent.failure_code) == (9.0, FailureCode.INSUFFICIENT_BALANCE)


def test_delivered_by_hand_may_still_expire_or_be_seen() -> None:
    """With expireOnDelivery, a message that was delivered by hand waits for a Seen until its ttl passes."""
    one = viber(ScriptedOutcome.EXPIRED, expire_on_delivery=True)
    delivered = ForcedOutcome(0, 9.0, ScriptedOutcome.DELIVERED)
    assert names(compute_timeline([one], forced=[delivered])) == [(0, "QUEUED"), (9, "DELIVERED"), (600, "EXPIRED")]
    seen = compute_timeline([one], forced=[delivered, ForcedOutcome(0, 20.0, ScriptedOutcome.SEEN)])
    assert names(seen) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "SEEN")]
    expired = compute_timeline([one], forced=[delivered, ForcedOutcome(0, 20.0, ScriptedOutcome.EXPIRED)])
    assert names(expired) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "EXPIRED")]
    without_ttl = viber(ScriptedOutcome.EXPIRED, expire_on_delivery=True, ttl=None)
    assert compute_timeline([without_ttl], forced=[delivered]).next_change_at(9.0) is None


@pytest.mark.parametrize(
    "turn",
    [
        ForcedOutcome(0, 10.0, ScriptedOutcome.FAILED),
        ForcedOutcome(0, 3.0, ScriptedOutcome.DELIVERED),
        ForcedOutcome(0, 0.5, ScriptedOutcome.DELIVERED),
        ForcedOutcome(1, 0.5, ScriptedOutcome.DELIVERED),
        ForcedOutcome(7, 2.0, ScriptedOutcome.DELIVERED),
    ],
)
def test_what_cannot_be_is_not(turn: ForcedOutcome) -> None:
    """A turn that a message cannot take, or that comes before it is sent, or for no message at all, changes nothing."""
    steps = [viber(ScriptedOutcome.UNDELIVERED), sms(ScriptedOutcome.DELIVERED)]
    assert compute_timeline(steps, dispatched_at=1.0, forced=[turn]) == compute_timeline(steps, dispatched_at=1.0)
