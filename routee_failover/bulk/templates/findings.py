"""What a dry run found that can be sent and may be wrong: how many rows, and one of them as an example."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

import attrs

MAX_SUBJECTS = 50
"""Columns and placeholders of a kind that are told apart; the cells of a file may hold any number."""
MAX_CODE_LENGTH = 64
"""Characters."""


class FindingKind(StrEnum):
    """What may be wrong."""

    EMPTY_COLUMN = "empty_column"
    """A column of a text is empty, or holds a word for that: `Hello , we open`."""
    PLACEHOLDER = "placeholder"
    """A placeholder of another tool, or the name of a column, stands in a text as it is: `Hello {{name}}`."""
    CODE_LENGTH = "code_length"
    """Codes of a column have different lengths: some may have lost their zeros."""
    UNCERTAIN_TIME_ZONE = "uncertain_time_zone"
    """The hours of a run are asked of a number that may be in several time zones, or in none that is known."""
    KEY_CONFLICT = "key_conflict"
    """Rows for other recipients have the key of an earlier row: they are not sent."""


@attrs.frozen(kw_only=True)
class Finding:
    """Rows in which the same may be wrong."""

    kind: FindingKind
    subject: str = ""
    """The column, or the placeholder as it stands; empty for what has none, and for all after the first fifty."""
    count: int
    """How many rows. Of codes: how many have another length than most."""
    line: int
    """One of them. Of codes: one of the rarest length."""
    example: str
    """What it says, on one line: numbers masked, codes starred."""
    lengths: Mapping[int, int] = attrs.field(factory=dict)
    """Of codes: how many rows have a code of so many characters."""


@attrs.define
class _Example:
    line: int
    text: str


class Findings:
    """Counts what was found, in constant memory; the text of an example is made for the first row only."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[FindingKind, str]] = Counter()
        self._examples: dict[tuple[FindingKind, str], _Example] = {}
        self._lengths: dict[str, dict[int, int]] = {}
        self._of_length: dict[tuple[str, int], _Example] = {}

    def add(self, kind: FindingKind, subject: str, line: int, example: Callable[[], str]) -> None:
        """Count a row."""
        what = (kind, subject)
        if what not in self._examples and len(self._examples) >= MAX_SUBJECTS:
            what = (kind, "")
        if what not in self._examples:
            self._examples[what] = _Example(line, example())
        self._counts[what] += 1

    def count_known_length(self, column: str, length: int) -> bool:
        """Count the length of a row's code; `False`, and nothing counted, where no code of the column has it yet."""
        lengths = self._lengths.get(column)
        if lengths is None or length not in lengths:
            return False
        lengths[length] += 1
        return True

    def count_new_length(self, column: str, length: int, line: int, example: str) -> None:
        """Count the first code of a length; those that are longer than any code share one."""
        lengths = self._lengths.setdefault(column, {})
        length = min(length, MAX_CODE_LENGTH)
        lengths[length] = lengths.get(length, 0) + 1
        self._of_length.setdefault((column, length), _Example(line, example))

    def all(self) -> Iterator[Finding]:
        """Yield what was found, by its kind."""
        found = [
            Finding(kind=kind, subject=subject, count=self._counts[kind, subject], line=one.line, example=one.text)
            for (kind, subject), one in self._examples.items()
        ]
        for column, lengths in self._lengths.items():
            if len(lengths) < 2:
                continue
            by_length = dict(sorted(lengths.items(), key=lambda item: -item[1]))
            *_, rarest = by_length
            one = self._of_length[column, rarest]
            found.append(
                Finding(
                    kind=FindingKind.CODE_LENGTH,
                    subject=column,
                    count=sum(lengths.values()) - max(lengths.values()),
                    line=one.line,
                    example=one.text,
                    lengths=by_length,
                )
            )
        order = [*FindingKind]
        yield from sorted(found, key=lambda finding: (order.index(finding.kind), -finding.count))
