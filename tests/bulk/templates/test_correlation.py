"""The correlation is added wherever Routee takes it, and nowhere else."""

from typing import Any

import pytest

from routee_failover import Callback, StandardFlow, dump_flow
from routee_failover._wire import load_flow
from routee_failover.bulk.templates.correlation import add_correlation, first_recipient
from routee_failover.bulk.templates.row import Correlation
from routee_failover.bulk.templates.template import FlowTemplate

from .test_compiled_template import GOOD, TEMPLATES

CORRELATION = Correlation("RUN-1", "https://run.example/secret")


def filled(name: str) -> dict[str, Any]:
    """Return a template's JSON filled with one row."""
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
def test_label_is_added_wherever_routee_takes_one(name: str, labels: list[object]) -> None:
    """A standard Viber step, an SMS message and both steps of an OTP are labelled, after a label of their own."""
    endpoint = TEMPLATES[name]["endpoint"]
    dumped = dump_flow(add_correlation(load_flow(endpoint, filled(name)), CORRELATION))
    for step, label in zip(dumped["flow"], labels, strict=True):
        if isinstance(label, dict):
            assert "label" not in step
            assert step["message"]["label"] == label["label"]
        else:
            assert step.get("label") == label
    assert dumped["callback"] == {"url": CORRELATION.callback_url}


def test_viber_otp_message_is_unchanged() -> None:
    """Its label is for billing, and it has no callback."""
    template = dict(filled("viber-otp"))
    flow = load_flow("viber-otp", template)
    assert add_correlation(flow, CORRELATION) is flow
    assert first_recipient(flow) == "+306900000001"


def test_empty_correlation_changes_nothing() -> None:
    """Without a label and a URL the flow is the same object, and its own callback is kept."""
    flow = load_flow("standard", filled("standard"))
    assert add_correlation(flow, Correlation()) is flow
    own = StandardFlow(steps=flow.steps, callback=Callback(url="https://own.example/"))
    assert add_correlation(own, Correlation(None, CORRELATION.callback_url)) is own
    only = add_correlation(flow, Correlation(None, CORRELATION.callback_url))
    assert isinstance(only, StandardFlow)
    assert (only.steps, dump_flow(only)["callback"]) == (flow.steps, {"url": CORRELATION.callback_url})


def test_recipient_is_the_number_of_the_first_step() -> None:
    """It has its +, is a call's phone or Viber number, and is empty for a call to a SIP address."""
    call: dict[str, Any] = {**filled("standard")["flow"][2], "order": 1}
    numbers = [({"phone": "+306900000001"}, "+306900000001"), ({"viber": "+6834000"}, "+6834000"), ({"sip": "a@b"}, "")]
    for to, number in numbers:
        assert first_recipient(load_flow("standard", {"flow": [{**call, "to": to}]})) == number


def test_repr_of_a_correlation_hides_its_url() -> None:
    """The URL is signed: anyone who has it can call back."""
    assert repr(CORRELATION) == "Correlation(label=RUN-1)"
