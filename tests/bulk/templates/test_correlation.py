"""A stamp stands wherever Routee has room for it, and nowhere else."""

from typing import Any

import pytest

from routee_failover import Callback, StandardFlow, dump_flow
from routee_failover._wire import load_flow
from routee_failover.bulk.templates.correlation import add_correlation, first_recipient
from routee_failover.bulk.templates.row import Correlation
from routee_failover.bulk.templates.template import FlowTemplate

from .test_compiled_template import GOOD, TEMPLATES

STAMP = Correlation("RUN-1", "https://run.example/secret")


def filled(name: str) -> dict[str, Any]:
    """A template's JSON with one row in it."""
    (row,) = FlowTemplate.from_mapping(TEMPLATES[name]).rows([GOOD])
    return dump_flow(row.build_flow(Correlation()))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("standard", ["RUN-1", {"label": "Ada RUN-1"}, None]),
        ("transactional", [None, {"label": "Ada RUN-1"}]),
        ("otp", ["own RUN-1", "RUN-1"]),
    ],
)
def test_a_label_stands_where_routee_takes_one(name: str, labels: list[object]) -> None:
    """A standard Viber step, an SMS message and both steps of an OTP are labelled; behind a label of their own."""
    endpoint = TEMPLATES[name]["endpoint"]
    dumped = dump_flow(add_correlation(load_flow(endpoint, filled(name)), STAMP))
    for step, label in zip(dumped["flow"], labels, strict=True):
        if isinstance(label, dict):
            assert "label" not in step
            assert step["message"]["label"] == label["label"]
        else:
            assert step.get("label") == label
    assert dumped["callback"] == {"url": STAMP.callback_url}


def test_a_viber_otp_message_stays_as_it_is() -> None:
    """Its label says how it is billed, and it has no callback."""
    template = dict(filled("viber-otp"))
    flow = load_flow("viber-otp", template)
    assert add_correlation(flow, STAMP) is flow
    assert first_recipient(flow) == "+306900000001"


def test_an_empty_stamp_changes_nothing() -> None:
    """Without a label or an address the flow is the same object, and a callback of its own is kept."""
    flow = load_flow("standard", filled("standard"))
    assert add_correlation(flow, Correlation()) is flow
    own = StandardFlow(steps=flow.steps, callback=Callback(url="https://own.example/"))
    assert add_correlation(own, Correlation(None, STAMP.callback_url)) is own
    only = add_correlation(flow, Correlation(None, STAMP.callback_url))
    assert isinstance(only, StandardFlow)
    assert (only.steps, dump_flow(only)["callback"]) == (flow.steps, {"url": STAMP.callback_url})


def test_a_recipient_is_the_first_steps() -> None:
    """It has its +, is a call's phone or Viber number, and empty for a call to a SIP address."""
    call: dict[str, Any] = {**filled("standard")["flow"][2], "order": 1}
    numbers = [({"phone": "+306900000001"}, "+306900000001"), ({"viber": "+6834000"}, "+6834000"), ({"sip": "a@b"}, "")]
    for to, number in numbers:
        assert first_recipient(load_flow("standard", {"flow": [{**call, "to": to}]})) == number


def test_a_stamp_shows_no_address() -> None:
    """The address is signed, and whoever has it can call back."""
    assert repr(STAMP) == "Stamp(label=RUN-1)"
