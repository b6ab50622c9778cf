"""What `Succeeded` means, at acceptance and at the end, is where people read it, with `until=` beside it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import FlowRecord, OtpReceipt, OtpRecord, RouteeClient
from tests.webhooks.payloads import flow, otp

from .test_python_blocks import ROOT

TEXTS = {
    **{page: (ROOT / page).read_text("utf-8") for page in ("README.md", "docs/tutorial.md", "docs/reference.md")},
    "OtpReceipt": str(OtpReceipt.__doc__),
    "wait": str(RouteeClient.wait.__doc__),
    "OtpRecord.final": str(OtpRecord.final.__doc__),
}


def _conditions(text: str) -> list[Callable[[Any], bool]]:
    joined = " ".join(text.split())
    return [eval(found) for found in re.findall(r"`until=(lambda record: [^`]*)`", joined)]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_meaning_of_succeeded_is_explained_with_until_beside_it(text: str) -> None:
    """Each place says that a receipt's Succeeded means accepted, or what a record's means, and how to wait longer."""
    assert "`Succeeded`" in text
    assert re.search(r"accepted|queued", text)
    assert _conditions(text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_printed_condition_waits_until_each_step_is_final(text: str) -> None:
    """The first condition that is printed holds once the flow and each of its steps are final, and not before."""
    until = _conditions(text)[0]
    steps = [{"channel": "viber", "status": "EXPIRED"}, {"channel": "sms", "status": "queued"}]
    record = otp("Succeeded") | {"steps": steps}
    assert OtpRecord.from_dict(record).final
    assert not until(OtpRecord.from_dict(record))
    assert not until(OtpRecord.from_dict(otp("InProgress")))
    assert until(OtpRecord.from_dict(record | {"steps": [steps[0], {"channel": "sms", "status": "delivered"}]}))


def test_condition_of_the_reference_for_a_seen_message_holds_for_that_alone() -> None:
    """The reference shows a condition on a flow, too: the recipient has seen the message."""
    seen = _conditions(TEXTS["docs/reference.md"])[1]
    assert seen(FlowRecord.from_dict(flow("Succeeded", 0, "SEEN")))
    assert not seen(FlowRecord.from_dict(flow("Succeeded", 0, "DELIVERED")))
