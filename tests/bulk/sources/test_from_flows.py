"""Rows from mappings and flows in memory, sync and async."""

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


async def test_mappings_make_rows() -> None:
    """Any iterable or async iterable of mappings makes rows, numbered from 1; a list can be iterated again."""
    values = [{"phone": "+306900000001", "name": "Ada"}, "not a mapping", {"phone": "+306900000002", "name": 5}]

    async def async_values() -> AsyncIterator[Any]:
        for item in values:
            yield item

    rows = TEMPLATE.rows(values)  # type: ignore[arg-type]
    async_rows: list[Row] = [row async for row in TEMPLATE.rows(async_values())]
    for result in ([*rows], [*rows], async_rows):
        assert [(row.line, row.key, bool(row.problems)) for row in result] == [
            (1, "+306900000001", False),
            (2, "", True),
            (3, "+306900000002", False),
        ]
        assert result[2].build_flow(Correlation())


def flow_to(phone: str) -> AnyFlow:
    """Return a flow to a number."""
    step = {"type": "Sms", "order": 1, "to": phone, "ttl": 60, "message": {"body": "Code 1234"}}
    return load_flow("otp", {"flow": [step]})


async def test_rows_of_an_iterator_are_an_iterator() -> None:
    """Rows of an iterator are an iterator, which can be consumed only once."""

    async def async_values() -> AsyncIterator[Any]:
        for item in (flow_to("+306900000001"), flow_to("+306900000002")):
            yield item

    async def async_mappings() -> AsyncIterator[dict[str, object]]:
        yield {"phone": "+306900000001", "name": "Ada"}

    values: list[dict[str, object]] = [{"phone": "+306900000001", "name": "Ada"}]
    single_use = [rows_of(iter([flow_to("+306900000001")])), TEMPLATE.rows(iter(values))]
    for rows in single_use:
        assert iter(rows) is rows
        assert [len([*rows]), len([*rows])] == [1, 0]
    for reusable in (rows_of([flow_to("+306900000001")]), TEMPLATE.rows(values)):
        assert iter(reusable) is not reusable
    for stream in (rows_of(async_values()), TEMPLATE.rows(async_mappings())):
        assert aiter(stream) is stream
        assert len([row async for row in stream]) > 0


async def test_flows_make_rows_with_a_key() -> None:
    """The key of a flow is its first recipient in E.164 form, or the one that the caller returns."""
    flows: list[Any] = [flow_to("+4407400123456"), "not a flow", flow_to("+306900000002")]

    async def async_values() -> AsyncIterator[AnyFlow]:
        for flow in flows:
            yield flow

    rows = rows_of(flows)
    for result in ([*rows], [*rows], [row async for row in rows_of(async_values())]):
        assert [(row.line, row.key, row.recipient) for row in result] == [
            (1, "+447400123456", "+447400123456"),
            (2, "", ""),
            (3, "+306900000002", "+306900000002"),
        ]
        assert [str(problem) for problem in result[1].problems] == ["must be a flow, not text"]
    custom = [*rows_of([flows[0], flows[2]], key=lambda flow: "" if flow is flows[2] else "one")]
    assert [(row.key, len(row.problems)) for row in custom] == [("one", 0), ("", 1)]
    assert "1234" not in repr([custom, custom[0].build_flow])
