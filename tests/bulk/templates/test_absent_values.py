"""Templates whose steps repeat or omit `order`, and templates with nulls: the same flow on both paths to a flow."""

from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.bulk.templates.row import Correlation
from routee_failover.bulk.templates.template import FlowTemplate

ROWS = [{"first": f"+3069000000{n}1", "second": f"+3069000000{n}2", "third": f"+3069000000{n}3"} for n in range(3)]
COLUMNS = ("first", "second", "third")


def _template(orders: tuple[object, ...], **more: object) -> dict[str, Any]:
    steps = [
        {"type": "Sms", "order": order, "from": "Demo", "to": f"{{{column}}}", "message": {"body": f"Hi {column}"}}
        for column, order in zip(COLUMNS, orders, strict=True)
    ]
    return {
        "endpoint": "standard",
        "flow": [{key: value for key, value in step.items() if value is not ...} for step in steps],
        **more,
    }


@pytest.mark.parametrize(
    ("orders", "sequence"),
    [
        ((2, ..., 1), ("third", "first", "second")),
        ((3, None, 1), ("third", "second", "first")),
        ((2, 1, 1), ("second", "third", "first")),
        ((..., ..., ...), ("first", "second", "third")),
        ((2.0, 1.0, 3), ("second", "first", "third")),
    ],
)
def test_each_row_sends_each_text_to_its_own_recipient(orders: tuple[object, ...], sequence: tuple[str, ...]) -> None:
    """However steps are ordered, every text goes to the number of its own step; the first step's is the row's."""
    for row, values in zip(FlowTemplate.from_mapping(_template(orders)).rows(ROWS), ROWS, strict=True):
        sent = dump_flow(row.build_flow(Correlation("RUN-1")))["flow"]
        assert [(step["to"], step["message"]["body"]) for step in sent] == [
            (values[column], f"Hi {column}") for column in sequence
        ]
        assert row.recipient == values[sequence[0]]


@pytest.mark.parametrize("callback", [None, {"url": None, "strategy": "OnStep"}, {"url": None, "strategy": None}])
def test_null_callback_of_a_template_gets_that_of_the_run(callback: Any) -> None:
    """A null counts as absent: the run adds its own callback, and without one nothing is added."""
    template = FlowTemplate.from_mapping(_template((1, 2, 3), callback=callback))
    strategy = {"strategy": "OnStep"} if callback and callback["strategy"] else {}
    for row in template.rows(ROWS):
        sent = dump_flow(row.build_flow(Correlation("RUN-1", "https://example.com/run")))
        assert sent["callback"] == {"url": "https://example.com/run", **strategy}
        assert "callback" not in dump_flow(row.build_flow(Correlation()))


def test_null_label_and_blank_address_of_a_call_are_left_out() -> None:
    """A null label is replaced by the run's, and the blank addresses of Routee's own example are not called."""
    flow = {
        "endpoint": "standard",
        "flow": [
            {
                "type": "Voice",
                "order": 1,
                "from": "Demo",
                "to": {"phone": "{first}", "viber": "", "sip": " "},
                "dialPlan": {"verbs": [{"type": "PLAY", "fileURL": "https://example.test/a.wav"}]},
                "machineDetection": None,
            },
            {"type": "Sms", "order": 1, "from": "Demo", "to": "{second}", "message": {"body": "Hi", "label": None}},
        ],
    }
    for row, values in zip(FlowTemplate.from_mapping(flow).rows(ROWS), ROWS, strict=True):
        voice, sms = dump_flow(row.build_flow(Correlation("RUN-1")))["flow"]
        assert voice["to"] == {"phone": values["first"]}
        assert sms["message"] == {"body": "Hi", "label": "RUN-1"}
        assert load_flow("standard", {"flow": [voice, sms]})
