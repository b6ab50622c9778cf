"""Routee's own examples, by endpoint, as they stand on its pages: each of them loads, and is dumped as documented.

Only placeholders are replaced, such as `+3069xxxxxxxx`. Recipients without + are excepted: a raw flow sends them.
"""

import copy
from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import OtpFlow
from routee_failover.sandbox.contract import load_contract

from ..conformance import documented_bodies as documented
from ..contract.test_agreement import OPERATIONS

TO = "+306912345678"

# https://docs.routee.net/docs/how-to-send-a-failover-message
STANDARD_GUIDE: dict[str, Any] = {
    "flow": [
        {
            "type": "Sms",
            "from": "senderId",
            "to": TO,
            "ttl": 30,
            "message": {"body": "The sms message to be sent", "flash": True, "label": "string", "transcode": True},
            "order": 1,
            "failoverOnStatuses": ["FAILED", "UNDELIVERED"],
        },
        {
            "type": "Voice",
            "from": "ASenderId",
            "to": {"phone": "+306981234567", "viber": "", "sip": ""},
            "dialPlan": {
                "verbs": [
                    {"type": "PLAY", "repeat": 2, "fileURL": "http://example.test/monkey.wav", "bargeIn": False},
                    {
                        "type": "SAY",
                        "repeat": 3,
                        "bargeIn": False,
                        "message": {"language": "en-US", "gender": "female", "text": "Failover Voice Dialplan"},
                    },
                ]
            },
            "machineDetection": {"strategy": "Hangup"},
            "order": 2,
            "failoverOnStatuses": ["Busy", "NoAnswer"],
        },
        {
            "type": "Viber",
            "senderInfoTrackingId": "0094d198-4dd2-4fb5-b451-d46aca191b27",
            "to": TO,
            "inboundUrl": "https://inbound.example.test",
            "ttl": 30,
            "expireOnDelivery": False,
            "message": {
                "text": "string",
                "imageUrl": "https://image.example.test",
                "action": {"caption": "Go", "targetUrl": "https://example.test/"},
            },
            "order": 2,
            "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
        },
    ],
    "callback": {"strategy": "OnCompletion", "url": "https://target.example.test"},
}

# https://docs.routee.net/docs/how-to-send-a-transactional-failover-message
TRANSACTIONAL_GUIDE: dict[str, Any] = {
    "flow": [
        {
            "type": "Viber",
            "senderInfoTrackingId": "your-sender-info-tracking-id",
            "to": TO,
            "templateId": "0aac888f-2ee2-4112-9659-1755a951966a",
            "templateLang": "en",
            "templateParams": {"customer_name": "Alex"},
            "deliveryScope": "PRIMARY_DEVICE",
            "ttl": 10,
            "order": 1,
            "failoverOnStatuses": ["EXPIRED", "FAILED", "UNDELIVERED"],
        },
        {
            "type": "Sms",
            "from": "YourBrand",
            "to": TO,
            "message": {"body": "We could not reach you on Viber."},
            "ttl": 120,
            "order": 2,
            "failoverOnStatuses": ["FAILED", "UNDELIVERED"],
        },
    ],
    "callback": {"strategy": "OnCompletion", "url": "https://your-server.example.test/failover-callback"},
}

# https://docs.routee.net/docs/sending-an-otp writes the recipient of a ViberOtp step as text and as a list.
OTP_GUIDE: dict[str, Any] = {
    "flow": [{**documented.VIBER_OTP_STEP, "to": ["+306912345671"]}, documented.OTP_SMS_STEP],
    "callback": {"url": "https://example.test/otp"},
}

# The tables of the reference show the dial plan under its name in responses.
VOICE = {**{k: v for k, v in documented.VOICE.items() if k != "dialPlans"}, "dialPlan": documented.VOICE["dialPlans"]}

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "standard guide": ("standard", STANDARD_GUIDE),
    "standard reference": ("standard", {**documented.STANDARD, "flow": [*documented.STANDARD["flow"][:2], VOICE]}),
    "standard file": ("standard", {"flow": [documented.VIBER_FILE]}),
    "transactional reference": (
        "transactional",
        {**documented.TRANSACTIONAL, "flow": [*documented.TRANSACTIONAL["flow"][:2], VOICE]},
    ),
    "otp guide": ("otp", OTP_GUIDE),
    "otp reference": ("otp", documented.OTP),
    "viber otp reference": ("viber-otp", documented.VIBER_OTP),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_of_a_page_loads_and_what_is_sent_is_within_the_contract(name: str) -> None:
    """An example of Routee's loads as it stands on its page, and the contract accepts it and what is sent for it."""
    endpoint, example = EXAMPLES[name]
    unchanged = copy.deepcopy(example)
    sent = dump_flow(load_flow(endpoint, example))
    assert example == unchanged
    contract = load_contract()
    assert contract.check_body(OPERATIONS[endpoint], example) == []
    assert contract.check_body(OPERATIONS[endpoint], sent) == []


def test_standard_guide_keeps_its_steps_and_calls_the_phone() -> None:
    """Two steps with order 2 stay in the sequence in which they are written, and blank addresses are left out."""
    sent = dump_flow(load_flow("standard", STANDARD_GUIDE))
    assert [(step["type"], step["order"]) for step in sent["flow"]] == [("Sms", 1), ("Voice", 2), ("Viber", 3)]
    assert sent["flow"][1]["to"] == {"phone": "+306981234567"}


def test_otp_reference_is_sent_without_the_null_tracking_id() -> None:
    """`trackingId: null`, which the request schema shows, is left out, and all else is sent as it is written."""
    sent = dump_flow(load_flow("otp", documented.OTP))
    first = {key: value for key, value in documented.VIBER_OTP_STEP.items() if key != "trackingId"}
    assert sent == {**documented.OTP, "flow": [first, documented.OTP_SMS_STEP]}


def test_recipient_list_of_the_otp_guide_is_one_recipient() -> None:
    """The recipient of a ViberOtp step may be a list of one number."""
    flow = load_flow("otp", OTP_GUIDE)
    assert isinstance(flow, OtpFlow)
    assert flow.steps[0].to == "+306912345671"


def test_transactional_guide_lacks_only_the_pin_that_its_own_page_requires() -> None:
    """The guide's example names a template for one-time passwords without the `pin` that the page requires there."""
    with pytest.raises(InvalidFlow) as excinfo:
        load_flow("transactional", TRANSACTIONAL_GUIDE)
    (problem,) = excinfo.value.problems
    assert problem.path == ("flow", 0, "templateParams", "pin")
    example = copy.deepcopy(TRANSACTIONAL_GUIDE)
    example["flow"][0]["templateParams"]["pin"] = "847291"
    sent = dump_flow(load_flow("transactional", example))
    assert load_contract().check_body("sendTransactionalFailover", sent) == []
    assert [step["order"] for step in sent["flow"]] == [1, 2]
