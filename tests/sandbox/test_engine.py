"""The step engine as a pure function: no server, no clock."""

import math

import pytest

from routee_failover.sandbox.life.clock import VirtualClock
from routee_failover.sandbox.life.engine import FailureCode, FlowStatus, Step, TimeLine, play
from routee_failover.sandbox.life.plan import Endpoint, planned_steps
from routee_failover.sandbox.life.scripts import Channel, Ending, scripted_ending

VIBER_TRIGGERS = frozenset({"expired", "failed", "undelivered"})
SMS_TRIGGERS = frozenset({"undelivered", "failed"})
VOICE_TRIGGERS = frozenset({"busy", "noanswer"})


def viber(ending: Ending, triggers: frozenset[str] = VIBER_TRIGGERS, **more: bool) -> Step:
    """A Viber step that ends so."""
    return Step(channel=Channel.VIBER, ending=ending, triggers=triggers, ttl=600.0, **more)


def sms(ending: Ending, triggers: frozenset[str] = SMS_TRIGGERS) -> Step:
    """An SMS step that ends so."""
    return Step(channel=Channel.SMS, ending=ending, triggers=triggers, ttl=72_000.0)


def voice(ending: Ending, triggers: frozenset[str] = VOICE_TRIGGERS) -> Step:
    """A call that ends so."""
    return Step(channel=Channel.VOICE, ending=ending, triggers=triggers)


def names(line: TimeLine, position: int = 0) -> list[tuple[float, str]]:
    """The statuses of a message, and when it takes them."""
    return [(change.at, change.name) for change in line.messages[position].changes]


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
    ],
)
def test_failover(steps: list[Step], status: FlowStatus, code: FailureCode | None, sent: int) -> None:
    """Triggers start the next step; any success makes the flow succeed; statusCode tells the two ways to fail apart."""
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
    step = Step(channel=Channel.SMS, ending=Ending.DELIVERED, triggers=SMS_TRIGGERS, ttl=0.0)
    assert play([step]).ended_at == 0.0


@pytest.mark.parametrize(
    ("number", "viber_ending", "sms_ending", "voice_ending"),
    [
        ("+306900000123", Ending.UNDELIVERED, Ending.FAILED, Ending.EXPIRED),
        ("306900000410", Ending.SEEN, Ending.UNDELIVERED, Ending.DELIVERED),
        ("+306900000579", Ending.DELIVERED, Ending.DELIVERED, Ending.DELIVERED),
        ("+3069000001234", Ending.DELIVERED, Ending.DELIVERED, Ending.DELIVERED),
        ("+30690000012", Ending.DELIVERED, Ending.DELIVERED, Ending.DELIVERED),
        ("+306912345111", Ending.DELIVERED, Ending.DELIVERED, Ending.DELIVERED),
        ("sip:x", Ending.DELIVERED, Ending.DELIVERED, Ending.DELIVERED),
    ],
)
def test_scripts(number: str, viber_ending: Ending, sms_ending: Ending, voice_ending: Ending) -> None:
    """The last three digits of exactly +306900000VSP script the channels; every other number delivers."""
    endings = [scripted_ending(channel, number) for channel in (Channel.VIBER, Channel.SMS, Channel.VOICE)]
    assert endings == [viber_ending, sms_ending, voice_ending]


def test_order_decides() -> None:
    """Steps are tried by order; without one, or with the same one, they keep their places."""
    step = {"type": "Sms", "to": "+12", "from": "a"}
    named = [step | {"from": "c", "order": 3}, step | {"from": "b"}, step | {"from": "a", "order": 1}]
    planned = planned_steps(Endpoint.STANDARD, {"flow": [*named, step | {"from": "d", "order": 3}]})
    assert [one.body["from"] for one in planned] == ["a", "b", "c", "d"]
    assert [one.order for one in planned] == [1, 2, 3, 3]


def test_virtual_clock() -> None:
    """Virtual seconds pass `speed` times faster than real ones, from zero."""
    real = [50.0]
    clock = VirtualClock(60.0, monotonic=lambda: real[0])
    assert clock.now() == 0.0
    real[0] += 2.0
    assert clock.now() == 120.0


@pytest.mark.parametrize("speed", [-1.0, math.inf, math.nan])
def test_impossible_speed(speed: float) -> None:
    """A clock that would run backwards or not at all is refused, from the start and later."""
    with pytest.raises(ValueError, match="speed"):
        VirtualClock(speed)
    clock = VirtualClock(2.0)
    with pytest.raises(ValueError, match="speed"):
        clock.set_speed(speed)
    assert clock.speed == 2.0


def test_a_clock_changes_its_speed_and_keeps_its_time() -> None:
    """What has passed stays passed when the speed changes; at speed 0 nothing passes but what it is put forward by."""
    real = [50.0]
    clock = VirtualClock(60.0, monotonic=lambda: real[0])
    real[0] += 2.0
    clock.set_speed(0.0)
    real[0] += 1_000.0
    assert clock.now() == 120.0
    clock.advance(86_400.0)
    clock.advance(0.0)
    assert clock.now() == 86_520.0
    clock.set_speed(1.0)
    real[0] += 3.0
    assert clock.now() == 86_523.0
    clock.advance(7.0)
    assert clock.now() == 86_530.0


@pytest.mark.parametrize("seconds", [-0.001, math.inf, math.nan])
def test_a_clock_never_goes_back(seconds: float) -> None:
    """A clock is put forward by a number of seconds, and by nothing else."""
    with pytest.raises(ValueError, match="never back"):
        VirtualClock().advance(seconds)
