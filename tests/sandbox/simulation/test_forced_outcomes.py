"""Forced outcomes: which ones are possible, and their effect on the rest of the flow."""

import pytest

from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedOutcome
from routee_failover.sandbox.simulation.status_sequences import FailureCode
from routee_failover.sandbox.simulation.timeline import (
    ForcedOutcome,
    SimulatedFlowStatus,
    SimulatedStep,
    compute_timeline,
)

from .step_factory import names, sms, viber, voice

LATE = 500.0
ALWAYS = {
    ScriptedOutcome.DELIVERED,
    ScriptedOutcome.UNDELIVERED,
    ScriptedOutcome.FAILED,
    ScriptedOutcome.EXPIRED,
    ScriptedOutcome.ERROR,
}


@pytest.mark.parametrize(
    ("step", "at", "outcomes"),
    [
        (viber(ScriptedOutcome.DELIVERED, after=LATE), 0.0, ALWAYS | {ScriptedOutcome.SEEN, ScriptedOutcome.UNSENT}),
        (viber(ScriptedOutcome.DELIVERED), 2.0, {ScriptedOutcome.SEEN}),
        (
            viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True),
            2.0,
            {ScriptedOutcome.SEEN, ScriptedOutcome.EXPIRED},
        ),
        (viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True), 600.0, set()),
        (viber(ScriptedOutcome.SEEN), 5.0, set()),
        (viber(ScriptedOutcome.FAILED), 1.0, set()),
        (sms(ScriptedOutcome.DELIVERED, after=LATE), 0.5, ALWAYS | {ScriptedOutcome.UNSENT}),
        (sms(ScriptedOutcome.DELIVERED, after=LATE), 1.0, ALWAYS),
        (sms(ScriptedOutcome.DELIVERED), 3.0, set()),
        (
            voice(ScriptedOutcome.DELIVERED, after=LATE),
            0.0,
            ALWAYS | {ScriptedOutcome.UNSENT, ScriptedOutcome.TERMINATED},
        ),
        (voice(ScriptedOutcome.DELIVERED, after=LATE), 1.0, ALWAYS | {ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED, after=LATE), 2.0, ALWAYS | {ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED, after=LATE), 4.0, {ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.UNKNOWN, after=LATE), 4.0, {ScriptedOutcome.DELIVERED, ScriptedOutcome.TERMINATED}),
        (voice(ScriptedOutcome.DELIVERED), 10.0, set()),
    ],
)
def test_possible_outcomes_depend_on_the_current_status(
    step: SimulatedStep, at: float, outcomes: set[ScriptedOutcome]
) -> None:
    """Delivered can only become seen, sent cannot become unsent, and an answered call cannot end unanswered."""
    assert compute_timeline([step]).messages[0].possible_outcomes(at, step) == outcomes


def test_intermediate_statuses_are_passed_at_the_forced_time() -> None:
    """A message with a forced outcome passes through the intermediate statuses at that time."""
    timeline = compute_timeline(
        [voice(ScriptedOutcome.EXPIRED)], forced=[ForcedOutcome(0, 1.5, ScriptedOutcome.DELIVERED)]
    )
    expected = [(0, "Queued"), (1, "Initiated"), (1.5, "Ringing"), (1.5, "InProgress"), (1.5, "Completed")]
    assert names(timeline) == expected
    assert (timeline.ended_at, timeline.status) == (1.5, SimulatedFlowStatus.SUCCEEDED)


def test_next_step_is_sent_at_the_forced_time() -> None:
    """A forced failure sends the next step at that time; a forced delivery ends the flow."""
    steps = [viber(ScriptedOutcome.EXPIRED), sms(ScriptedOutcome.EXPIRED)]
    failed = compute_timeline(steps, dispatched_at=1.0, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.FAILED)])
    assert [message.sent_at for message in failed.messages] == [1.0, 9.0]
    both = compute_timeline(
        steps, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.FAILED), ForcedOutcome(1, 20.0, ScriptedOutcome.DELIVERED)]
    )
    assert (both.ended_at, both.status) == (20.0, SimulatedFlowStatus.SUCCEEDED)
    unsent = compute_timeline(steps, forced=[ForcedOutcome(0, 9.0, ScriptedOutcome.UNSENT)])
    assert (unsent.ended_at, unsent.failure_code) == (9.0, FailureCode.INSUFFICIENT_BALANCE)


def test_forced_delivery_may_still_expire_or_be_seen() -> None:
    """With expireOnDelivery, a message with a forced delivery may become Seen until its ttl passes."""
    step = viber(ScriptedOutcome.EXPIRED, expire_on_delivery=True)
    delivered = ForcedOutcome(0, 9.0, ScriptedOutcome.DELIVERED)
    assert names(compute_timeline([step], forced=[delivered])) == [(0, "QUEUED"), (9, "DELIVERED"), (600, "EXPIRED")]
    seen = compute_timeline([step], forced=[delivered, ForcedOutcome(0, 20.0, ScriptedOutcome.SEEN)])
    assert names(seen) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "SEEN")]
    expired = compute_timeline([step], forced=[delivered, ForcedOutcome(0, 20.0, ScriptedOutcome.EXPIRED)])
    assert names(expired) == [(0, "QUEUED"), (9, "DELIVERED"), (20, "EXPIRED")]
    without_ttl = viber(ScriptedOutcome.EXPIRED, expire_on_delivery=True, ttl=None)
    assert compute_timeline([without_ttl], forced=[delivered]).next_change_at(9.0) is None


@pytest.mark.parametrize(
    "outcome",
    [
        ForcedOutcome(0, 10.0, ScriptedOutcome.FAILED),
        ForcedOutcome(0, 3.0, ScriptedOutcome.DELIVERED),
        ForcedOutcome(0, 0.5, ScriptedOutcome.DELIVERED),
        ForcedOutcome(1, 0.5, ScriptedOutcome.DELIVERED),
        ForcedOutcome(7, 2.0, ScriptedOutcome.DELIVERED),
    ],
)
def test_impossible_forced_outcome_changes_nothing(outcome: ForcedOutcome) -> None:
    """A forced outcome that is impossible, before the message is sent, or for no message changes nothing."""
    steps = [viber(ScriptedOutcome.UNDELIVERED), sms(ScriptedOutcome.DELIVERED)]
    assert compute_timeline(steps, dispatched_at=1.0, forced=[outcome]) == compute_timeline(steps, dispatched_at=1.0)
