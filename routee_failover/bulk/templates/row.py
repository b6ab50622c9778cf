"""A row of a bulk run: whom it is for, what it is known by, and how its flow is made when its turn comes."""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import NamedTuple, NoReturn

import attrs

from ...errors import InvalidFlow, Problem
from ...flows import AnyFlow
from ...secret import mask_phone


class Correlation(NamedTuple):
    """What a message carries so that it can be found again; a row puts it where its flow has room for it."""

    label: str | None = None
    callback_url: str | None = None

    def __repr__(self) -> str:
        return f"Stamp(label={self.label})"  # the address is a secret


@attrs.frozen(repr=False)
class Row:
    """One message to be sent. Its flow is made only when it is needed, and then holds the PIN."""

    line: int
    """Where it stands in the source, as an editor counts, or its place in an iterable, from 1."""
    key: str
    """What it is known by: one message per key is sent. Empty where a broken row has none."""
    recipient: str
    """The number in E.164, as far as the row has one."""
    build_flow: Callable[[Correlation], AnyFlow]
    """Gives the flow. Raises `InvalidFlow`. It may be called more than once."""
    problems: tuple[Problem, ...] = ()
    """Why no flow can be made of it, where that is known before."""

    def __repr__(self) -> str:
        return f"Row(line={self.line}, recipient={mask_phone(self.recipient)})"


Rows = Iterable[Row] | AsyncIterable[Row]
"""The rows of a run. Those that can be gone through again are, for what could not be sent the first time."""


class _InvalidFlowFactory:
    """Stands for the flow of a row that has none."""

    __slots__ = ("_line", "_problems")

    def __init__(self, line: int, problems: tuple[Problem, ...]) -> None:
        self._line = line
        self._problems = problems

    def __call__(self, _stamp: Correlation) -> NoReturn:
        raise InvalidFlow(f"line {self._line}", self._problems)


def invalid_row(line: int, key: str, recipient: str, problems: Iterable[Problem]) -> Row:
    """A row that cannot be sent, and why."""
    found = tuple(problems)
    return Row(line, key, recipient, _InvalidFlowFactory(line, found), found)
