"""Flows that are made already become rows of a bulk run."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import cast, overload

from ...errors import Problem
from ...flows import AnyFlow
from ...flows.model import type_name
from ..phone_numbers import canonical_e164
from ..templates.correlation import add_correlation, first_recipient
from ..templates.row import Correlation, Row, Rows, invalid_row


@overload
def rows_of(flows: AsyncIterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> AsyncIterable[Row]: ...
@overload
def rows_of(flows: Iterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> Iterable[Row]: ...
def rows_of(flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], key: Callable[[AnyFlow], str] | None = None) -> Rows:
    """The rows of flows that are there already, in any iterable; what each is known by is `key`'s to say.

    Without one it is the recipient of the first step: one message is sent to each, in however many ways its number is
    written. The rows can
    be gone through again where the flows can.
    """
    known_by = _recipient if key is None else key
    if isinstance(flows, AsyncIterable):
        arriving = _AsyncFlowRows(flows, known_by)
        return aiter(arriving) if isinstance(flows, AsyncIterator) else arriving
    rows = _FlowRows(flows, known_by)
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
    name, recipient = key(flow), _recipient(flow)
    if not name:
        return invalid_row(line, "", recipient, [Problem((), "has no key to be known by")])
    return Row(line, name, recipient, _FlowFactory(flow))


def _recipient(flow: AnyFlow) -> str:
    return canonical_e164(first_recipient(flow))


class _FlowFactory:
    """Puts a stamp on a flow. A class, for what it holds to stay out of sight."""

    __slots__ = ("_flow",)

    def __init__(self, flow: AnyFlow) -> None:
        self._flow = flow

    def __call__(self, stamp: Correlation) -> AnyFlow:
        return add_correlation(self._flow, stamp)
