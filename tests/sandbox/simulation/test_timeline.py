"""Timelines as a pure function: no server, no clock."""

import math

import pytest

from routee_failover.sandbox.simulation.channel_statuses import FailureCode
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome, SimulatedChannel
from routee_failover.sandbox.simulation.timeline import SimulatedFlowStatus, SimulatedStep, compute_timeline

from .step_factory import ANY_VOICE, names, sms, step, viber, voice


@pytest.mark.parametrize(
    ("step", "statuses"),
    [
        (viber(ScriptedOutcome.DELIVERED), [(0, "QUEUED"), (2, "DELIVERED")]),
        (viber(ScriptedOutcome.SEEN), [(0, "QUEUED"), (2, "DELIVERED"), (5, "SEEN")]),
        (viber(ScriptedOutcome.UNDELIVERED), [(0, "QUEUED"), (2, "UNDELIVERED")]),
        (viber(ScriptedOutcome.FAILED), [(0, "QUEUED"), (1, "FAILED")]),
        (viber(ScriptedOutcome.EXPIRED), [(0, "QUEUED"), (600, "EXPIRED")]),
        (
            viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True),
            [(0, "QUEUED"), (2, "DELIVERED"), (600, "EXPIRED")],
        ),
        (viber(ScriptedOutcome.SEEN, expire_on_delivery=True), [(0, "QUEUED"), (2, "DELIVERED"), (5, "SEEN")]),
        (sms(ScriptedOutcome.DELIVERED), [(0, "Queued"), (1, "Sent"), (3, "Delivered")]),
        (sms(ScriptedOutcome.SEEN), [(0, "Queued"), (1, "Sent"), (3, "Delivered")]),
        (sms(ScriptedOutcome.UNDELIVERED), [(0, "Queued"), (1, "Sent"), (3, "Undelivered")]),
        (sms(ScriptedOutcome.FAILED), [(0, "Queued"), (1, "Failed")]),
        (sms(ScriptedOutcome.EXPIRED), [(0, "Queued"), (1, "Sent"), (72_000, "Undelivered")]),
        (
            voice(ScriptedOutcome.DELIVERED),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Completed")],
        ),
        (
            voice(ScriptedOutcome.SEEN),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Completed")],
        ),
        (voice(ScriptedOutcome.UNDELIVERED), [(0, "Queued"), (1, "Initiated"), (2, "Busy")]),
        (voice(ScriptedOutcome.FAILED), [(0, "Queued"), (1, "Failed")]),
        (voice(ScriptedOutcome.EXPIRED), [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (30, "NoAnswer")]),
        (viber(ScriptedOutcome.UNSENT), [(0, "QUEUED"), (1, "UNSENT")]),
        (viber(ScriptedOutcome.TERMINATED), [(0, "QUEUED"), (1, "UNSENT")]),
        (viber(ScriptedOutcome.ERROR), [(0, "QUEUED"), (1, "FAILED")]),
        (viber(ScriptedOutcome.UNKNOWN), [(0, "QUEUED"), (2, "DELIVERED")]),
        (sms(ScriptedOutcome.UNSENT), [(0, "Queued"), (1, "Unsent")]),
        (sms(ScriptedOutcome.TERMINATED), [(0, "Queued"), (1, "Unsent")]),
        (sms(ScriptedOutcome.ERROR), [(0, "Queued"), (1, "Failed")]),
        (voice(ScriptedOutcome.UNSENT), [(0, "Queued"), (1, "Unsent")]),
        (
            voice(ScriptedOutcome.TERMINATED),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "InProgress"), (10, "Terminated")],
        ),
        (voice(ScriptedOutcome.ERROR), [(0, "Queued"), (1, "Failed")]),
        (
            voice(ScriptedOutcome.UNKNOWN),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (4, "Unknown"), (10, "Completed")],
        ),
    ],
)
def test_each_channel_passes_its_documented_statuses(step: SimulatedStep, statuses: list[tuple[float, str]]) -> None:
    """Each channel has its own documented statuses, in its own casing, up to the scripted outcome."""
    assert names(compute_timeline([step])) == statuses


def test_expired_sms_is_undelivered_with_detail_expired() -> None:
    """SMS has no Expired: after its ttl it is Undelivered with the detail Expired."""
    last = compute_timeline([sms(ScriptedOutcome.EXPIRED)]).messages[0].status_changes[-1]
    assert (last.name, last.detailed_status) == ("Undelivered", "Expired")


@pytest.mark.parametrize(
    ("steps", "status", "code", "sent"),
    [
        ([viber(ScriptedOutcome.DELIVERED), sms(ScriptedOutcome.DELIVERED)], SimulatedFlowStatus.SUCCEEDED, None, 1),
        ([viber(ScriptedOutcome.SEEN), sms(ScriptedOutcome.DELIVERED)], SimulatedFlowStatus.SUCCEEDED, None, 1),
        ([viber(ScriptedOutcome.EXPIRED), sms(ScriptedOutcome.DELIVERED)], SimulatedFlowStatus.SUCCEEDED, None, 2),
        (
            [viber(ScriptedOutcome.DELIVERED, expire_on_delivery=True), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.SUCCEEDED,
            None,
            2,
        ),
        (
            [viber(ScriptedOutcome.SEEN, expire_on_delivery=True), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.SUCCEEDED,
            None,
            1,
        ),
        (
            [viber(ScriptedOutcome.UNDELIVERED), sms(ScriptedOutcome.FAILED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.NO_NEXT_STEP,
            2,
        ),
        ([viber(ScriptedOutcome.FAILED)], SimulatedFlowStatus.FAILED, FailureCode.NO_NEXT_STEP, 1),
        (
            [viber(ScriptedOutcome.FAILED, frozenset({"expired"})), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.NOT_TRIGGERED,
            1,
        ),
        (
            [viber(ScriptedOutcome.FAILED, frozenset()), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.NOT_TRIGGERED,
            1,
        ),
        (
            [voice(ScriptedOutcome.FAILED), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.NOT_TRIGGERED,
            1,
        ),
        (
            [voice(ScriptedOutcome.UNDELIVERED), viber(ScriptedOutcome.UNDELIVERED), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.SUCCEEDED,
            None,
            3,
        ),
        (
            [voice(ScriptedOutcome.DELIVERED, frozenset({"completed"})), sms(ScriptedOutcome.FAILED)],
            SimulatedFlowStatus.SUCCEEDED,
            None,
            2,
        ),
        ([voice(ScriptedOutcome.DELIVERED, frozenset({"completed"}))], SimulatedFlowStatus.SUCCEEDED, None, 1),
        (
            [viber(ScriptedOutcome.UNSENT), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.INSUFFICIENT_BALANCE,
            1,
        ),
        ([voice(ScriptedOutcome.TERMINATED)], SimulatedFlowStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE, 1),
        ([voice(ScriptedOutcome.UNSENT, ANY_VOICE)], SimulatedFlowStatus.FAILED, FailureCode.INSUFFICIENT_BALANCE, 1),
        (
            [voice(ScriptedOutcome.UNSENT, ANY_VOICE), sms(ScriptedOutcome.FAILED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.NO_NEXT_STEP,
            2,
        ),
        (
            [voice(ScriptedOutcome.DELIVERED, ANY_VOICE), sms(ScriptedOutcome.UNSENT)],
            SimulatedFlowStatus.SUCCEEDED,
            None,
            2,
        ),
        (
            [viber(ScriptedOutcome.ERROR), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.SERVER_ERROR,
            1,
        ),
        ([sms(ScriptedOutcome.ERROR)], SimulatedFlowStatus.FAILED, FailureCode.SERVER_ERROR, 1),
        (
            [voice(ScriptedOutcome.ERROR, ANY_VOICE), sms(ScriptedOutcome.DELIVERED)],
            SimulatedFlowStatus.FAILED,
            FailureCode.SERVER_ERROR,
            1,
        ),
        (
            [viber(ScriptedOutcome.FAILED), sms(ScriptedOutcome.ERROR)],
            SimulatedFlowStatus.FAILED,
            FailureCode.SERVER_ERROR,
            2,
        ),
    ],
)
def test_triggers_statuses_and_failure_codes_of_a_flow(
    steps: list[SimulatedStep], status: SimulatedFlowStatus, code: FailureCode | None, sent: int
) -> None:
    """Triggers start the next step; any success makes the flow succeed; statusCode has four reasons of failure.

    A server error ends the flow; an insufficient balance does where it is no trigger, and is the reason wherever the
    flow ends with it.
    """
    timeline = compute_timeline(steps)
    assert (timeline.status, timeline.failure_code, len(timeline.messages)) == (status, code, sent)


def test_state_changes_at_the_times_of_the_timeline() -> None:
    """A flow is Queued, then InProgress, then final; the next message is sent at the time at which the last ends."""
    timeline = compute_timeline([viber(ScriptedOutcome.EXPIRED), sms(ScriptedOutcome.DELIVERED)], dispatched_at=1.0)
    times = (0.0, 0.99, 1.0, 600.99, 601.0, 603.99, 604.0, math.inf)
    states = [timeline.state_at(at) for at in times]
    assert [state.status for state in states] == ["Queued"] * 2 + ["InProgress"] * 4 + ["Succeeded"] * 2
    assert [len(state.messages) for state in states] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert [state.updated_at for state in states] == [0, 0, 1, 1, 601, 602, 604, 604]
    assert [state.termination_channel for state in states] == [None] * 6 + [SimulatedChannel.SMS] * 2
    message = states[-1].messages[1]
    assert message.delivered_at(603.9) is None
    assert message.delivered_at(604.0) == 604.0


def test_seen_after_delivery_changes_the_message_but_not_the_flow() -> None:
    """A flow ends when Viber is delivered; a later Seen still shows on the message."""
    timeline = compute_timeline([viber(ScriptedOutcome.SEEN)])
    assert timeline.ended_at == 2.0
    state = timeline.state_at(5.0)
    assert (state.status, state.messages[0].status_at(5.0).name, state.updated_at) == ("Succeeded", "SEEN", 5.0)


def test_ttl_of_zero_ends_a_message_at_once() -> None:
    """The status that ends a message comes at its ttl at the latest, however short that is."""
    assert compute_timeline([sms(ScriptedOutcome.DELIVERED, ttl=0.0)]).ended_at == 0.0


MATRIX_VOICE = [
    ScriptedOutcome.UNDELIVERED,
    ScriptedOutcome.EXPIRED,
    ScriptedOutcome.FAILED,
    ScriptedOutcome.UNSENT,
    ScriptedOutcome.TERMINATED,
]


@pytest.mark.parametrize("call", MATRIX_VOICE)
@pytest.mark.parametrize(
    ("viber_outcome", "sms_outcome", "status", "termination"),
    [
        (ScriptedOutcome.DELIVERED, ScriptedOutcome.FAILED, SimulatedFlowStatus.SUCCEEDED, SimulatedChannel.VIBER),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.DELIVERED, SimulatedFlowStatus.SUCCEEDED, SimulatedChannel.SMS),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.UNDELIVERED, SimulatedFlowStatus.FAILED, SimulatedChannel.SMS),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.FAILED, SimulatedFlowStatus.FAILED, SimulatedChannel.SMS),
    ],
)
def test_flow_statuses_match_the_documented_table(
    call: ScriptedOutcome,
    viber_outcome: ScriptedOutcome,
    sms_outcome: ScriptedOutcome,
    status: SimulatedFlowStatus,
    termination: SimulatedChannel,
) -> None:
    """A call that is not answered, then Viber, then SMS: the flow ends as Routee's page of flow statuses shows."""
    state = compute_timeline([voice(call, ANY_VOICE - {"completed"}), viber(viber_outcome), sms(sms_outcome)]).state_at(
        math.inf
    )
    assert (state.status, state.termination_channel) == (status, termination)


def test_completed_call_succeeds_without_further_steps() -> None:
    """The first line of that page: completed, succeeded, and nothing else is sent."""
    state = compute_timeline(
        [voice(ScriptedOutcome.DELIVERED), viber(ScriptedOutcome.DELIVERED), sms(ScriptedOutcome.DELIVERED)]
    ).state_at(math.inf)
    assert (state.status, state.termination_channel, len(state.messages)) == (
        SimulatedFlowStatus.SUCCEEDED,
        SimulatedChannel.VOICE,
        1,
    )


@pytest.mark.parametrize(
    ("step", "statuses"),
    [
        (viber(ScriptedOutcome.DELIVERED, after=90.0), [(0, "QUEUED"), (90, "DELIVERED")]),
        (viber(ScriptedOutcome.DELIVERED, after=0.0), [(0, "QUEUED"), (0, "DELIVERED")]),
        (viber(ScriptedOutcome.DELIVERED, after=600.0), [(0, "QUEUED"), (600, "DELIVERED")]),
        (viber(ScriptedOutcome.DELIVERED, after=600.1), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(ScriptedOutcome.FAILED, after=700.0), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(ScriptedOutcome.EXPIRED, after=30.0), [(0, "QUEUED"), (30, "EXPIRED")]),
        (viber(ScriptedOutcome.EXPIRED, after=900.0), [(0, "QUEUED"), (600, "EXPIRED")]),
        (viber(ScriptedOutcome.SEEN, after=60.0), [(0, "QUEUED"), (2, "DELIVERED"), (60, "SEEN")]),
        (viber(ScriptedOutcome.SEEN, after=1.0), [(0, "QUEUED"), (1, "DELIVERED"), (1, "SEEN")]),
        (viber(ScriptedOutcome.SEEN, after=900.0), [(0, "QUEUED"), (2, "DELIVERED"), (900, "SEEN")]),
        (
            viber(ScriptedOutcome.SEEN, after=900.0, expire_on_delivery=True),
            [(0, "QUEUED"), (2, "DELIVERED"), (600, "EXPIRED")],
        ),
        (
            viber(ScriptedOutcome.DELIVERED, after=60.0, expire_on_delivery=True),
            [(0, "QUEUED"), (60, "DELIVERED"), (600, "EXPIRED")],
        ),
        (sms(ScriptedOutcome.DELIVERED, after=120.0), [(0, "Queued"), (1, "Sent"), (120, "Delivered")]),
        (sms(ScriptedOutcome.DELIVERED, after=80_000.0), [(0, "Queued"), (1, "Sent"), (72_000, "Undelivered")]),
        (
            voice(ScriptedOutcome.DELIVERED, after=3.0),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (3, "InProgress"), (3, "Completed")],
        ),
        (
            voice(ScriptedOutcome.EXPIRED, after=45.0),
            [(0, "Queued"), (1, "Initiated"), (2, "Ringing"), (45, "NoAnswer")],
        ),
    ],
)
def test_after_sets_the_time_of_the_outcome_up_to_the_ttl(
    step: SimulatedStep, statuses: list[tuple[float, str]]
) -> None:
    """`after` is the time of the outcome; one later than the ttl becomes an expiry, except for a Seen."""
    assert names(compute_timeline([step])) == statuses


def test_delivery_after_the_ttl_fails_over() -> None:
    """A delivery after the ttl is none: the next step is sent when the message expires."""
    timeline = compute_timeline(
        [viber(ScriptedOutcome.DELIVERED, ttl=60.0, after=90.0), sms(ScriptedOutcome.DELIVERED)]
    )
    assert [message.sent_at for message in timeline.messages] == [0.0, 60.0]
    assert timeline.status is SimulatedFlowStatus.SUCCEEDED


def test_detail_sets_the_detailed_status_of_the_outcome() -> None:
    """A script may set the detailedStatus of the outcome; an expiry in its place has its own."""
    roaming = compute_timeline([sms(ScriptedOutcome.UNDELIVERED, detail="Roaming")]).messages[0].status_changes
    assert [change.detailed_status for change in roaming] == ["Queued", "Sent", "Roaming"]
    late = (
        compute_timeline([sms(ScriptedOutcome.DELIVERED, after=1e6, detail="Roaming")]).messages[0].status_changes[-1]
    )
    assert late.detailed_status == "Expired"


def test_seen_may_come_after_the_ttl() -> None:
    """The ttl ends the attempts to deliver, not the reading: only with expireOnDelivery it limits a Seen."""
    assert names(compute_timeline([viber(ScriptedOutcome.SEEN, ttl=3.0)])) == [
        (0, "QUEUED"),
        (2, "DELIVERED"),
        (5, "SEEN"),
    ]
    short = compute_timeline([viber(ScriptedOutcome.SEEN, ttl=3.0, expire_on_delivery=True)])
    assert names(short) == [(0, "QUEUED"), (2, "DELIVERED"), (3, "SEEN")]


def test_step_without_ttl_never_expires() -> None:
    """A step without a ttl that only its ttl would end stays in progress, and so does its flow."""
    timeline = compute_timeline([step(SimulatedChannel.VIBER, ScriptedOutcome.EXPIRED, frozenset())])
    assert timeline.state_at(1e12).status is SimulatedFlowStatus.IN_PROGRESS
    assert timeline.next_change_at(0.0) is None
