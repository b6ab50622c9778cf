"""The step engine as a pure function: no server, no clock."""

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
def test_statuses_of_a_step(step: SimulatedStep, statuses: list[tuple[float, str]]) -> None:
    """Each channel takes its own documented statuses, in its own casing, to the scripted end."""
    assert names(compute_timeline([step])) == statuses


def test_expired_sms() -> None:
    """SMS knows no Expired: past its ttl it is Undelivered with the detail Expired."""
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
def test_failover(steps: list[SimulatedStep], status: SimulatedFlowStatus, code: FailureCode | None, sent: int) -> None:
    """Triggers start the next step; any success makes the flow succeed; statusCode tells the four ways to fail apart.

    A server error ends the flow; want of balance does where it is no trigger, and is the reason wherever it is the end.
    """
    line = compute_timeline(steps)
    assert (line.status, line.failure_code, len(line.messages)) == (status, code, sent)


def test_state_at_every_moment() -> None:
    """A flow is Queued, then InProgress, then final; the next message leaves at the very moment the last one ends."""
    line = compute_timeline([viber(ScriptedOutcome.EXPIRED), sms(ScriptedOutcome.DELIVERED)], dispatched_at=1.0)
    moments = (0.0, 0.99, 1.0, 600.99, 601.0, 603.99, 604.0, math.inf)
    states = [line.state_at(moment) for moment in moments]
    assert [state.status for state in states] == ["Queued"] * 2 + ["InProgress"] * 4 + ["Succeeded"] * 2
    assert [len(state.messages) for state in states] == [0, 0, 1, 1, 2, 2, 2, 2]
    assert [state.updated_at for state in states] == [0, 0, 1, 1, 601, 602, 604, 604]
    assert [state.termination_channel for state in states] == [None] * 6 + [SimulatedChannel.SMS] * 2
    message = states[-1].messages[1]
    assert message.delivered_at(603.9) is None
    assert message.delivered_at(604.0) == 604.0


def test_seen_after_the_end() -> None:
    """A flow ends when Viber is delivered; a later Seen still shows on the message."""
    line = compute_timeline([viber(ScriptedOutcome.SEEN)])
    assert line.ended_at == 2.0
    state = line.state_at(5.0)
    assert (state.status, state.messages[0].status_at(5.0).name, state.updated_at) == ("Succeeded", "SEEN", 5.0)


def test_ttl_shorter_than_a_delivery() -> None:
    """Nothing happens to a message after its ttl, however short that is."""
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
    ("viber_ending", "sms_ending", "status", "termination"),
    [
        (ScriptedOutcome.DELIVERED, ScriptedOutcome.FAILED, SimulatedFlowStatus.SUCCEEDED, SimulatedChannel.VIBER),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.DELIVERED, SimulatedFlowStatus.SUCCEEDED, SimulatedChannel.SMS),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.UNDELIVERED, SimulatedFlowStatus.FAILED, SimulatedChannel.SMS),
        (ScriptedOutcome.UNDELIVERED, ScriptedOutcome.FAILED, SimulatedFlowStatus.FAILED, SimulatedChannel.SMS),
    ],
)
def test_the_documented_results(
    call: ScriptedOutcome,
    viber_ending: ScriptedOutcome,
    sms_ending: ScriptedOutcome,
    status: SimulatedFlowStatus,
    termination: SimulatedChannel,
) -> None:
    """A call that nobody takes, then Viber, then SMS: the flow ends as Routee's page of flow statuses shows."""
    state = compute_timeline([voice(call, ANY_VOICE - {"completed"}), viber(viber_ending), sms(sms_ending)]).state_at(
        math.inf
    )
    assert (state.status, state.termination_channel) == (status, termination)


def test_a_completed_call_is_a_success() -> None:
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
    ("one", "statuses"),
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
def test_after(one: SimulatedStep, statuses: list[tuple[float, str]]) -> None:
    """A script says when a message ends as it says; one that would be later than its ttl expires, but for a Seen."""
    assert names(compute_timeline([one])) == statuses


def test_a_late_delivery_fails_over() -> None:
    """What is delivered only after its ttl has passed is not delivered: the next step is sent when it expires."""
    line = compute_timeline([viber(ScriptedOutcome.DELIVERED, ttl=60.0, after=90.0), sms(ScriptedOutcome.DELIVERED)])
    assert [message.sent_at for message in line.messages] == [0.0, 60.0]
    assert line.status is SimulatedFlowStatus.SUCCEEDED


def test_detail() -> None:
    """A script may name the detailedStatus of the end; what expires in its place has its own."""
    roaming = compute_timeline([sms(ScriptedOutcome.UNDELIVERED, detail="Roaming")]).messages[0].status_changes
    assert [change.detailed_status for change in roaming] == ["Queued", "Sent", "Roaming"]
    late = (
        compute_timeline([sms(ScriptedOutcome.DELIVERED, after=1e6, detail="Roaming")]).messages[0].status_changes[-1]
    )
    assert late.detailed_status == "Expired"


def test_a_seen_may_come_after_the_ttl() -> None:
    """A ttl ends the attempts to deliver, not the reading: only with expireOnDelivery a Delivered waits for a Seen."""
    assert names(compute_timeline([viber(ScriptedOutcome.SEEN, ttl=3.0)])) == [
        (0, "QUEUED"),
        (2, "DELIVERED"),
        (5, "SEEN"),
    ]
    short = compute_timeline([viber(ScriptedOutcome.SEEN, ttl=3.0, expire_on_delivery=True)])
    assert names(short) == [(0, "QUEUED"), (2, "DELIVERED"), (3, "SEEN")]


def test_no_ttl_never_expires() -> None:
    """A step without a ttl that only its ttl would end stays as it is, and so does its flow."""
    line = compute_timeline([step(SimulatedChannel.VIBER, ScriptedOutcome.EXPIRED, frozenset())])
    assert line.state_at(1e12).status is SimulatedFlowStatus.IN_PROGRESS
    assert line.next_change_at(0.0) is None
