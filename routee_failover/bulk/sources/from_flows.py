"""Rows of a bulk run from ready-made flows, without a template."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import cast, overload

from ..._validators import check_hook
from ...errors import Problem
from ...flows import AnyFlow, RawFlow
from ...flows.model_validation import type_name
from ..phone_numbers import canonical_e164
from ..templates.correlation import add_correlation, first_recipient
from ..templates.raw_recipients import NO_SINGLE_RECIPIENT
from ..templates.row import Correlation, Row, Rows, invalid_row


@overload
def rows_of(flows: AsyncIterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> AsyncIterable[Row]: ...
@overload
def rows_of(flows: Iterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> Iterable[Row]: ...
def rows_of(flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> Rows:
    """Return rows for flows in any iterable. `key` returns the key of a flow: each key is sent once.

    By default the key is the recipient of the first step in E.164 form: one message is sent to each number, however it
    is written. A raw flow has a recipient if all values of its `to` are one phone number; otherwise it needs a key. The
    rows can be iterated as often as `flows`. Raises `InvalidConfig` for a `key` that is async or not callable.
    """
    if key is not None:
        check_hook("key", key)
    key_of = _recipient if key is None else key
    if isinstance(flows, AsyncIterable):
        async_rows = _AsyncFlowRows(flows, key_of)
        return aiter(async_rows) if isinstance(flows, AsyncIterator) else async_rows
    rows = _FlowRows(flows, key_of)
    return iter(rows) if isinstance(flows, Iterator) else rows


class _FlowRows:
    def __init__(self, flows: Iterable[AnyFlow], key: Callable[[AnyFlow], str]) -> None:
        self._flows = flows
        self._key = key

    def __iter__(self) -> Iterator[Row]:
        for line, flow in enumerate(self._flows, 1):
            yield _row(line, flow, self._key)


class _AsyncFlowRows:
    def __init__(self, flows: AsyncIterable[AnyFlow], key: Callable[[AnyFlow], str]) -> None:
        self._flows = flows
        self._key = key

    async def __aiter__(self) -> AsyncIterator[Row]:
        line = 0
        async for flow in self._flows:
            line += 1
            yield _row(line, flow, self._key)


def _row(line: int, flow: AnyFlow, key: Callable[[AnyFlow], str]) -> Row:
    if not isinstance(cast("object", flow), AnyFlow):
        return invalid_row(line, "", "", [Problem((), f"must be a flow, not {type_name(flow)}")])
    row_key, recipient = key(flow), _recipient(flow)
    if not row_key:
        hint = f": {NO_SINGLE_RECIPIENT}" if isinstance(flow, RawFlow) else ""
        return invalid_row(line, "", recipient, [Problem((), f"has no key{hint}")])
    return Row(line, row_key, recipient, _FlowFactory(flow))


def _recipient(flow: AnyFlow) -> str:
    return canonical_e164(first_recipient(flow))


class _FlowFactory:
    """Adds the correlation to a flow. A class rather than a closure, so that tracebacks do not show the flow."""

    __slots__ = ("_flow",)

    def __init__(self, flow: AnyFlow) -> None:
        self._flow = flow

    def __call__(self, correlation: Correlation) -> AnyFlow:
        return add_correlation(self._flow, correlation)
