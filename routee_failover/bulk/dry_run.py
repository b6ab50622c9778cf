"""Dry run: builds and checks every row, counts it and discards it. Nothing is sent.

It predicts a run as far as that is possible: what Routee charges, and which step will reach a recipient, is not known.
"""

import random
import re
from collections import Counter
from collections.abc import AsyncIterable, Container, Mapping
from typing import Any, NamedTuple

import attrs

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, OtpSmsStep, RawFlow, SmsStep, ViberOtpMessage
from ..secret import mask_phone
from ..sms_parts import is_gsm, split_sms
from . import phone_numbers
from .flow_masking import masked_flow
from .key_set import KeyIndex
from .send_window import SendWindow, has_single_utc_offset
from .templates.correlation import all_recipients
from .templates.dry_run_findings import Finding, FindingKind, Findings
from .templates.raw_recipients import suppression_problem
from .templates.row import Correlation, Row, Rows
from .text_checks import check_texts, sms_text

MAX_INVALID_ROWS = 10
"""Number of invalid rows that are reported in full; all of them are counted."""
MAX_REASONS = 1000
"""Number of different reasons that are counted: the values of a file can make any number of them."""
_PLACEHOLDER_CORRELATION = Correlation("A" * 12 + "-" + "A" * 13, "https://example.com/")
"""As long as a run's own label, so that a label that would be too long is found now."""
_MAX_PREVIEWS = 3


@attrs.frozen
class RowPreview:
    """One row as it would be sent, for review: numbers masked, codes starred."""

    line: int
    selection: str
    """Why this row was selected: `first`, `any` or `longest`."""
    recipient: str
    """Masked."""
    flow: Mapping[str, Any]
    """In Routee's JSON form, with the endpoint added."""
    sms_parts: int
    """Parts of the SMS in the flow; of the longest if there are several."""


@attrs.frozen
class InvalidRow:
    """A row that cannot be sent."""

    line: int
    recipient: str
    """Masked."""
    problems: tuple[Problem, ...]


@attrs.frozen
class SmsCount:
    """Upper bound of the SMS that a run sends: all of them, if each flow reaches its SMS step.

    Texts are counted as they are: characters that the application's settings replace, shortened links and labels that
    Routee fills in change the length.
    """

    messages: int = 0
    parts: int = 0
    """Number of SMS parts, which are what Routee charges for."""
    max_parts: int = 0
    """Parts of the longest SMS."""
    unicode: int = 0
    """Number of SMS that need Unicode, and so have 70 characters a part instead of 160."""
    by_parts: Mapping[int, int] = attrs.field(factory=dict)
    """Number of SMS by their number of parts."""
    first_step: int = 0
    """Number of SMS that are the first step of their flow, and so are sent in any case."""


@attrs.frozen
class DryRunResult:
    """Result of a dry run: what a run over the same rows would do."""

    rows: int
    valid: int
    """Rows to be sent: neither invalid nor a duplicate nor suppressed."""
    invalid: int
    duplicates: int
    """Rows with the key and the recipient of an earlier valid row; the first is sent."""
    suppressed: int
    """Rows that are not sent because one of their numbers is on the suppression list."""
    invalid_rows: tuple[InvalidRow, ...]
    """The first invalid rows."""
    reason_counts: Mapping[str, int]
    """Count of each reason, regardless of the row and of other lines that it names."""
    channels: Mapping[str, int]
    """Rows by channel sequence: `Viber, Sms` lists the channels in the order in which they are tried.

    Those of a raw flow are not known: it counts as `raw flow`, and its SMS are not counted.
    """
    sms: SmsCount
    countries: Mapping[str, int] | None
    """Valid rows by country (ISO 3166), "" if it is not known; `None` without phonenumbers."""
    previews: tuple[RowPreview, ...]
    key_conflicts: int = 0
    """Invalid rows that have the key of an earlier row for another recipient."""
    findings: tuple[Finding, ...] = ()
    """Warnings about rows that can be sent, and the key conflicts, each with one example."""


async def check_rows(
    rows: Rows, suppression_list: Container[str] | None = None, *, send_window: SendWindow | None = None
) -> DryRunResult:
    """Check all rows, in constant memory, and return what a run would do with them. Nothing is sent or stored.

    With the send window of a run, numbers of uncertain time zone are among the findings.
    """
    counter = _RowCounter(suppression_list, send_window)
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            counter.add(row)
    else:
        for row in rows:
            counter.add(row)
    return counter.result()


_line_reference = re.compile(r"\bline [0-9]+\b")


class _RowCounter:
    """Counter of the rows of a dry run, one by one."""

    def __init__(self, suppression_list: Container[str] | None, send_window: SendWindow | None) -> None:
        self._has_suppression_list = suppression_list is not None
        self._suppressed_numbers = () if suppression_list is None else suppression_list
        self._send_window = send_window
        self._findings = Findings()
        self._rows = self._valid = self._invalid = self._duplicates = self._suppressed = self._key_conflicts = 0
        self._invalid_rows: list[InvalidRow] = []
        self._reason_counts: Counter[str] = Counter()
        self._keys = KeyIndex()
        self._channels: Counter[tuple[str, ...]] = Counter()
        self._countries: Counter[str] | None = Counter() if phone_numbers.is_installed() else None
        self._by_parts: Counter[int] = Counter()
        self._unicode = self._first_step_sms = 0
        self._first: _PreviewCandidate | None = None
        self._longest: _PreviewCandidate | None = None
        # Two rows after the first, since one of them may be the longest.
        self._others: list[_PreviewCandidate] = []
        self._max_length = -1
        # Seeded, so that the same rows give the same previews.
        self._random = random.Random(6)  # noqa: S311  # selects previews

    def add(self, row: Row) -> None:
        self._rows += 1
        if row.recipient in self._suppressed_numbers:
            self._suppressed += 1
            return
        problems = row.problems
        flow = None
        if not problems:
            try:
                flow = row.build_flow(_PLACEHOLDER_CORRELATION)
            except InvalidFlow as error:
                problems = error.problems
        if flow is None:
            self._add_invalid(row, problems)
            return
        problem = suppression_problem(row, flow) if self._has_suppression_list else None
        if problem is not None:
            self._add_invalid(row, (problem,))
            return
        if any(number in self._suppressed_numbers for number in all_recipients(flow)):
            self._suppressed += 1
            return
        earlier = self._keys.add(row.key, row.recipient, row.line)
        if earlier is None:
            self._valid += 1
            self._count(row, flow)
            check_texts(row, flow, self._findings)
            if self._send_window is not None and not has_single_utc_offset(row.recipient):
                self._findings.add(FindingKind.UNCERTAIN_TIME_ZONE, "", row.line, lambda: mask_phone(row.recipient))
        elif earlier.is_same_recipient:
            self._duplicates += 1
        else:
            self._add_key_conflict(row, earlier.line)

    def _add_key_conflict(self, row: Row, line: int) -> None:
        self._key_conflicts += 1
        example = f"has the key of line {line}, for {mask_phone(row.recipient)}, who is another recipient"
        self._findings.add(FindingKind.KEY_CONFLICT, "", row.line, lambda: example)
        self._add_invalid(row, (Problem((), f"has the key of line {line}, which is for another recipient"),))

    def _add_invalid(self, row: Row, problems: tuple[Problem, ...]) -> None:
        self._invalid += 1
        if len(self._invalid_rows) < MAX_INVALID_ROWS:
            self._invalid_rows.append(
                InvalidRow(row.line, mask_phone(row.recipient) if row.recipient else "", problems)
            )
        for problem in problems:
            reason = _line_reference.sub("another line", str(problem))
            if reason in self._reason_counts or len(self._reason_counts) < MAX_REASONS:
                self._reason_counts[reason] += 1

    def _count(self, row: Row, flow: AnyFlow) -> None:
        if self._countries is not None:
            self._countries[phone_numbers.cached_country_of(row.recipient) or ""] += 1
        length = parts = 0
        if isinstance(flow, ViberOtpMessage):
            self._channels["Viber",] += 1
        elif isinstance(flow, RawFlow):
            self._channels[_RAW,] += 1
        else:
            self._channels[tuple(_CHANNELS[step.api_type] for step in flow.steps)] += 1
            self._first_step_sms += isinstance(flow.steps[0], SmsStep | OtpSmsStep)
            for step in flow.steps:
                if isinstance(step, SmsStep | OtpSmsStep):
                    body = sms_text(step)
                    sent = split_sms(body, transcode=bool(step.message.transcode))
                    length, parts = max(length, len(body)), max(parts, len(sent))
                    self._by_parts[len(sent)] += 1
                    self._unicode += not is_gsm("".join(sent))
        self._maybe_preview(row, length, parts)

    def _maybe_preview(self, row: Row, length: int, parts: int) -> None:
        is_longest = length > self._max_length
        index = self._reservoir_index()
        if not is_longest and index is None and self._first is not None:
            return
        candidate = _PreviewCandidate(row, row.build_flow(Correlation()), parts)
        if is_longest:
            self._max_length, self._longest = length, candidate
        if self._first is None:
            self._first = candidate
        elif index is not None:
            self._others[index : index + 1] = [candidate]

    def _reservoir_index(self) -> int | None:
        """Return the row's index among the other candidates; `None` to skip it.

        Reservoir sampling: all have the same chance.
        """
        after_first = self._valid - 1
        if after_first < _MAX_PREVIEWS:
            return after_first - 1
        index = self._random.randrange(after_first)
        return index if index < _MAX_PREVIEWS - 1 else None

    def result(self) -> DryRunResult:
        return DryRunResult(
            rows=self._rows,
            valid=self._valid,
            invalid=self._invalid,
            duplicates=self._duplicates,
            suppressed=self._suppressed,
            invalid_rows=tuple(self._invalid_rows),
            reason_counts=dict(self._reason_counts.most_common()),
            channels={", ".join(channels): count for channels, count in self._channels.most_common()},
            sms=SmsCount(
                messages=self._by_parts.total(),
                parts=sum(parts * count for parts, count in self._by_parts.items()),
                max_parts=max(self._by_parts, default=0),
                unicode=self._unicode,
                by_parts=dict(sorted(self._by_parts.items())),
                first_step=self._first_step_sms,
            ),
            countries=None if self._countries is None else dict(self._countries.most_common()),
            previews=tuple(self._previews()),
            key_conflicts=self._key_conflicts,
            findings=tuple(self._findings.all()),
        )

    def _previews(self) -> list[RowPreview]:
        """Return the first row, the longest, and as many others as make three different rows."""
        chosen = {"first": self._first}
        if self._longest is not self._first:
            chosen["longest"] = self._longest
        lines = {candidate.row.line for candidate in chosen.values() if candidate is not None}
        others = [candidate for candidate in self._others if candidate.row.line not in lines][
            : _MAX_PREVIEWS - len(chosen)
        ]
        labelled = [
            ("first", self._first),
            *(("any", candidate) for candidate in others),
            ("longest", chosen.get("longest")),
        ]
        return [candidate.preview(selection) for selection, candidate in labelled if candidate is not None]


class _PreviewCandidate(NamedTuple):
    """A row that may be shown as a preview."""

    row: Row
    flow: AnyFlow
    parts: int

    def preview(self, selection: str) -> RowPreview:
        row = self.row
        return RowPreview(row.line, selection, mask_phone(row.recipient), masked_flow(row, self.flow), self.parts)

    def __repr__(self) -> str:
        return f"_PreviewCandidate({self.row!r})"  # the flow may hold a code


_RAW = "raw flow"
_CHANNELS: Mapping[str, str] = {"Sms": "Sms", "Viber": "Viber", "ViberOtp": "Viber", "Voice": "Voice"}
