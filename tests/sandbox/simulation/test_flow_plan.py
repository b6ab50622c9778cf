"""Plans of accepted bodies, and outcomes that numbers script."""

import pytest

from routee_failover.sandbox.simulation.flow_plan import SendEndpoint, plan_steps
from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedOutcome, SimulatedChannel, scripted_outcome


@pytest.mark.parametrize(
    ("number", "viber_outcome", "sms_outcome", "voice_outcome"),
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
def test_last_digits_of_the_test_number_script_each_channel(
    number: str, viber_outcome: ScriptedOutcome, sms_outcome: ScriptedOutcome, voice_outcome: ScriptedOutcome
) -> None:
    """The last three digits of exactly +306900000VSP script the channels; messages to other numbers are delivered."""
    outcomes = [
        scripted_outcome(channel, number)
        for channel in (SimulatedChannel.VIBER, SimulatedChannel.SMS, SimulatedChannel.VOICE)
    ]
    assert outcomes == [viber_outcome, sms_outcome, voice_outcome]


def test_steps_are_sorted_by_order_and_keep_their_places() -> None:
    """Steps are attempted by `order`; without one, or with the same one, they keep their places."""
    step = {"type": "Sms", "to": "+12", "from": "a"}
    named = [step | {"from": "c", "order": 3}, step | {"from": "b"}, step | {"from": "a", "order": 1}]
    planned = plan_steps(SendEndpoint.STANDARD, {"flow": [*named, step | {"from": "d", "order": 3}]})
    assert [step.body["from"] for step in planned] == ["a", "b", "c", "d"]
    assert [step.order for step in planned] == [1, 2, 3, 3]
