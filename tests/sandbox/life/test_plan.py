"""From an accepted body to the steps that are played, and from numbers to what becomes of them."""

import pytest

from routee_failover.sandbox.life.plan import Endpoint, planned_steps
from routee_failover.sandbox.life.scripts import Channel, Ending, scripted_ending


@pytest.mark.parametrize(
    ("number", "viber_ending", "sms_ending", "voice_ending"),
    [
        ("+306900000123", Ending.UNDELIVERED, Ending.FAILED, Ending.EXPIRED),
        ("306900000410", Ending.SEEN, Ending.UNDELIVERED, Ending.DELIVERED),
        ("+306900000567", Ending.UNSENT, Ending.TERMINATED, Ending.ERROR),
        ("+306900000988", Ending.DELIVERED, Ending.UNKNOWN, Ending.UNKNOWN),
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
