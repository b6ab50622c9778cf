"""From an accepted body to the steps that are played, and from numbers to what becomes of them."""

import pytest

from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome, SimulatedChannel, scripted_outcome
from routee_failover.sandbox.simulation.step_plan import SendEndpoint, plan_steps


@pytest.mark.parametrize(
    ("number", "viber_ending", "sms_ending", "voice_ending"),
    [
        ("+306900000123", ScriptedOutcome.UNDELIVERED, ScriptedOutcome.FAILED, ScriptedOutcome.EXPIRED),
        ("306900000410", ScriptedOutcome.SEEN, ScriptedOutcome.UNDELIVERED, ScriptedOutcome.DELIVERED),
        ("+306900000567", ScriptedOutcome.UNSENT, ScriptedOutcome.TERMINATED, ScriptedOutcome.ERROR),
        ("+306900000988", ScriptedOutcome.DELIVERED, ScriptedOutcome.UNKNOWN, ScriptedOutcome.UNKNOWN),
        ("+3069000001234", ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED),
        ("+30690000012", ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED),
        ("+306912345111", ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED),
        ("sip:x", ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED, ScriptedOutcome.DELIVERED),
    ],
)
def test_scripts(
    number: str, viber_ending: ScriptedOutcome, sms_ending: ScriptedOutcome, voice_ending: ScriptedOutcome
) -> None:
    """The last three digits of exactly +306900000VSP script the channels; every other number delivers."""
    endings = [
        scripted_outcome(channel, number)
        for channel in (SimulatedChannel.VIBER, SimulatedChannel.SMS, SimulatedChannel.VOICE)
    ]
    assert endings == [viber_ending, sms_ending, voice_ending]


def test_order_decides() -> None:
    """Steps are tried by order; without one, or with the same one, they keep their places."""
    step = {"type": "Sms", "to": "+12", "from": "a"}
    named = [step | {"from": "c", "order": 3}, step | {"from": "b"}, step | {"from": "a", "order": 1}]
    planned = plan_steps(SendEndpoint.STANDARD, {"flow": [*named, step | {"from": "d", "order": 3}]})
    assert [one.body["from"] for one in planned] == ["a", "b", "c", "d"]
    assert [one.order for one in planned] == [1, 2, 3, 3]
