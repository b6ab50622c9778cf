"""Findings of a dry run: warnings about rows that can be sent, counted, with one row as an example."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

import attrs

MAX_SUBJECTS = 50
"""Columns and placeholders per kind that are counted separately: the cells of a file can hold any number of them."""
MAX_CODE_LENGTH = 64
"""Characters."""


class FindingKind(StrEnum):
    """Kind of warning."""

    EMPTY_COLUMN = "empty_column"
    """A column of a text is empty, or holds a word for an empty cell: `Hello , we open`."""
    PLACEHOLDER = "placeholder"
    """A text contains a placeholder of another tool, or the name of a column: `Hello {{name}}`."""
    CODE_LENGTH = "code_length"
    """The codes of a column have different lengths: some may have lost leading zeros."""
    UNCERTAIN_TIME_ZONE = "uncertain_time_zone"
    """The run has a send window, and the number may be in several time zones or in no known one."""
    KEY_CONFLICT = "key_conflict"
    """Rows for other recipients have the key of an earlier row: they are not sent."""


@attrs.frozen(kw_only=True)
class Finding:
    """Finding of a dry run: the rows with the same warning, counted, and one of them as an example."""

    kind: FindingKind
    subject: str = ""
    """The column, or the placeholder as written; empty if there is none, and for all beyond the first fifty."""
    count: int
    """Number of rows. For codes: rows with another length than the most frequent one."""
    line: int
    """Line of the example. For codes: a row of the rarest length."""
    example: str
    """The text, on one line: numbers masked, codes starred."""
    lengths: Mapping[int, int] = attrs.field(factory=dict)
    """For codes: number of rows by code length."""


@attrs.define
class _Example:
    line: int
    text: str


class Findings:
    """Collector of findings, in constant memory; the text of an example is made for the first row only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[FindingKind, str]] = Counter()
        self._examples: dict[tuple[FindingKind, str], _Example] = {}
        self._lengths: dict[str, dict[int, int]] = {}
        self._length_examples: dict[tuple[str, int], _Example] = {}

    def add(self, kind: FindingKind, subject: str, line: int, example: Callable[[], str]) -> None:
        """Count a row with a warning; `example` makes its text."""
        subject_key = (kind, subject)
        if subject_key not in self._examples and len(self._examples) >= MAX_SUBJECTS:
            subject_key = (kind, "")
        if subject_key not in self._examples:
            self._examples[subject_key] = _Example(line, example())
        self._counts[subject_key] += 1

    def count_known_length(self, column: str, length: int) -> bool:
        """Count the length of a row's code.

        Returns `False`, and counts nothing, for the first code of its length in a column.
        """
        lengths = self._lengths.get(column)
        if lengths is None or length not in lengths:
            return False
        lengths[length] += 1
        return True

    def count_new_length(self, column: str, length: int, line: int, example: str) -> None:
        """Count the first code of a length; all lengths beyond `MAX_CODE_LENGTH` count as one."""
        lengths = self._lengths.setdefault(column, {})
        length = min(length, MAX_CODE_LENGTH)
        lengths[length] = lengths.get(length, 0) + 1
        self._length_examples.setdefault((column, length), _Example(line, example))

    def all(self) -> Iterator[Finding]:
        """Yield the findings, ordered by kind."""
        found = [
            Finding(
                kind=kind, subject=subject, count=self._counts[kind, subject], line=example.line, example=example.text
            )
            for (kind, subject), example in self._examples.items()
        ]
        for column, lengths in self._lengths.items():
            if len(lengths) < 2:
                continue
            by_length = dict(sorted(lengths.items(), key=lambda item: -item[1]))
            *_, rarest = by_length
            example = self._length_examples[column, rarest]
            found.append(
                Finding(
                    kind=FindingKind.CODE_LENGTH,
                    subject=column,
                    count=sum(lengths.values()) - max(lengths.values()),
                    line=example.line,
                    example=example.text,
                    lengths=by_length,
                )
            )
        order = [*FindingKind]
        yield from sorted(found, key=lambda finding: (order.index(finding.kind), -finding.count))
