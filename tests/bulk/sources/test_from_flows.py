"""What a program holds already, mappings and flows, makes rows as a file does, as often as it can be gone through."""

from collections.abc import AsyncIterator
from typing import Any

from routee_failover import AnyFlow
from routee_failover._wire import load_flow
from routee_failover.bulk.sources import rows_of
from routee_failover.bulk.templates.row import Correlation, Row
from routee_failover.bulk.templates.template import FlowTemplate

TEMPLATE = FlowTemplate.from_mapping(
    {
        "endpoint": "standard",
        "flow": [{"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Dear {name}"}}],
    }
)


async def test_mappings_are_rows_too() -> None:
    """Any iterable or async iterable of mappings makes rows, numbered from 1; a list can be gone through again."""
    values = [{"phone": "+306900000001", "name": "Ada"}, "no mapping", {"phone": "+306900000002", "name": 5}]

    async def arriving() -> AsyncIterator[Any]:
        for item in values:
            yield item

    rows = TEMPLATE.rows(values)  # type: ignore[arg-type]
    again: list[Row] = [row async for row in TEMPLATE.rows(arriving())]
    for found in ([*rows], [*rows], again):
        assert [(row.line, row.key, bool(row.problems)) for row in found] == [
            (1, "+306900000001", False),
            (2, "", True),
            (3, "+306900000002", False),
        ]
        assert found[2].build_flow(Correlation())


def flow_to(phone: str) -> AnyFlow:
    """A flow to a number."""
    step = {"type": "Sms", "order": 1, "to": phone, "ttl": 60, "message": {"body": "Code 1234"}}
    return load_flow("otp", {"flow": [step]})


async def test_rows_say_whether_they_can_be_gone_through_again() -> None:
    """What comes once gives rows that come once: an iterator of its own, which ends for good."""

    async def arriving() -> AsyncIterator[Any]:
        for item in (flow_to("+306900000001"), flow_to("+306900000002")):
            yield item

    async def people() -> AsyncIterator[dict[str, object]]:
        yield {"phone": "+306900000001", "name": "Ada"}

    values: list[dict[str, object]] = [{"phone": "+306900000001", "name": "Ada"}]
    once = [rows_of(iter([flow_to("+306900000001")])), TEMPLATE.rows(iter(values))]
    for rows in once:
        assert iter(rows) is rows
        assert [len([*rows]), len([*rows])] == [1, 0]
    for again in (rows_of([flow_to("+306900000001")]), TEMPLATE.rows(values)):
        assert iter(again) is not again
    for stream in (rows_of(arriving()), TEMPLATE.rows(people())):
        assert aiter(stream) is stream
        assert len([row async for row in stream]) > 0


async def test_ready_flows_are_rows_too() -> None:
    """A flow is known by its first recipient, in the one way to write it, or by what the caller says."""
    flows: list[Any] = [flow_to("+4407400123456"), "no flow", flow_to("+306900000002")]

    async def arriving() -> AsyncIterator[AnyFlow]:
        for flow in flows:
            yield flow

    rows = rows_of(flows)
    for found in ([*rows], [*rows], [row async for row in rows_of(arriving())]):
        assert [(row.line, row.key, row.recipient) for row in found] == [
            (1, "+447400123456", "+447400123456"),
            (2, "", ""),
            (3, "+306900000002", "+306900000002"),
        ]
        assert [str(problem) for problem in found[1].problems] == ["must be a flow, not text"]
    named = [*rows_of([flows[0], flows[2]], key=lambda flow: "" if flow is flows[2] else "one")]
    assert [(row.key, len(row.problems)) for row in named] == [("one", 0), ("", 1)]
    assert "1234" not in repr([named, named[0].build_flow])
