"""A row of a bulk run: its recipient, its key, and a factory of its flow."""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import NamedTuple, NoReturn

import attrs

from ...errors import InvalidFlow, Problem
from ...flows import AnyFlow
from ...secret import mask_phone


class Correlation(NamedTuple):
    """Correlation: label and callback URL by which a message is found again; a row adds what its flow takes."""

    label: str | None = None
    callback_url: str | None = None

    def __repr__(self) -> str:
        return f"Correlation(label={self.label})"  # the URL is a secret


@attrs.frozen(repr=False)
class Row:
    """Row of a bulk run: one message to be sent. Its flow is built when it is needed, and then contains the PIN."""

    line: int
    """Line in the source, as an editor counts, or position in an iterable, from 1."""
    key: str
    """Idempotency key: one message per key is sent. Empty if an invalid row has none."""
    recipient: str
    """The number in E.164, if the row has a valid one."""
    build_flow: Callable[[Correlation], AnyFlow]
    """Builds the flow. Raises `InvalidFlow`. It may be called more than once."""
    problems: tuple[Problem, ...] = ()
    """Why no flow can be built, if that is known beforehand."""

    def __repr__(self) -> str:
        return f"Row(line={self.line}, recipient={mask_phone(self.recipient)})"


Rows = Iterable[Row] | AsyncIterable[Row]
"""The rows of a run. A re-iterable source is read again for messages that could not be sent in the first pass."""


class _InvalidFlowFactory:
    """Flow factory of an invalid row: raises its problems."""

    __slots__ = ("_line", "_problems")

    def __init__(self, line: int, problems: tuple[Problem, ...]) -> None:
        self._line = line
        self._problems = problems

    def __call__(self, _correlation: Correlation) -> NoReturn:
        raise InvalidFlow(f"line {self._line}", self._problems)


def invalid_row(line: int, key: str, recipient: str, problems: Iterable[Problem]) -> Row:
    """Return a row that cannot be sent, with its problems."""
    found = tuple(problems)
    return Row(line, key, recipient, _InvalidFlowFactory(line, found), found)
