"""The dry run: every row is made and checked, counted and thrown away, and nothing is sent.

What a run will do is told as far as it is known: what Routee charges, or which step will reach whom, is not.
"""

import random
import re
from collections import Counter
from collections.abc import AsyncIterable, Container, Mapping
from typing import Any, NamedTuple

import attrs

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, OtpSmsStep, SmsStep, ViberOtpMessage
from ..secret import mask_phone
from ..sms_parts import is_gsm, split_sms
from . import phone_numbers
from .dry_run_checks import check_texts
from .key_set import KeyIndex
from .preview import masked_flow
from .send_window import SendWindow, has_single_utc_offset
from .templates.correlation import all_recipients
from .templates.findings import Finding, FindingKind, Findings
from .templates.row import Correlation, Row, Rows

MAX_INVALID_ROWS = 10
"""So many broken rows are told in full; all of them are counted."""
MAX_REASONS = 1000
"""So many different ones are counted: some name lines, and of those there is no end."""
_PLACEHOLDER_CORRELATION = Correlation("A" * 12 + "-" + "A" * 13, "https://example.com/")
"""As long as a run's own label, for what has no room for one to be found now."""
_MAX_PREVIEWS = 3


@attrs.frozen
class RowPreview:
    """One row as it would be sent, to be looked at: numbers masked, codes starred."""

    line: int
    selection: str
    """What it is a sample of: `first`, `any` or `longest`."""
    recipient: str
    """Masked."""
    flow: Mapping[str, Any]
    """In Routee's shape, with the endpoint beside it."""
    sms_parts: int
    """Of the SMS in it; of the longest where there are several."""


@attrs.frozen
class InvalidRow:
    """A row that cannot be sent."""

    line: int
    recipient: str
    """Masked."""
    problems: tuple[Problem, ...]


@attrs.frozen
class SmsCount:
    """The SMS that a run sends at most: all of them where each flow comes to its SMS step.

    A text is counted as it stands: letters that the application's settings replace, links that are shortened and
    labels that Routee fills in make it another length.
    """

    messages: int = 0
    parts: int = 0
    """What is priced."""
    max_parts: int = 0
    """The parts of the longest."""
    unicode: int = 0
    """How many need Unicode, and so have 70 letters a part for 160."""
    by_parts: Mapping[int, int] = attrs.field(factory=dict)
    """How many messages have so many parts."""
    first_step: int = 0
    """How many are the first step of their flow, and so are sent whatever happens."""


@attrs.frozen
class DryRunResult:
    """What a run over the same rows would do."""

    rows: int
    valid: int
    """To be sent: neither broken nor there before."""
    invalid: int
    duplicates: int
    """Rows whose key an earlier good row has; the first is sent."""
    suppressed: int
    """Rows that are not sent because a number of theirs is on the suppression list."""
    invalid_rows: tuple[InvalidRow, ...]
    """The first broken rows."""
    reason_counts: Mapping[str, int]
    """How often each reason was given, whatever the row and the other lines that it names."""
    channels: Mapping[str, int]
    """How many rows go which way: `Viber, Sms` names the channels in the order in which they are tried."""
    sms: SmsCount
    countries: Mapping[str, int] | None
    """How many good rows go to which country (ISO 3166), "" where that is not known; `None` without phonenumbers."""
    previews: tuple[RowPreview, ...]
    key_conflicts: int = 0
    """Of the bad rows, how many have the key of an earlier row for another recipient."""
    findings: tuple[Finding, ...] = ()
    """What can be sent and may be wrong, and the key conflicts; one example of each."""


async def check_rows(
    rows: Rows, suppression_list: Container[str] | None = None, *, send_window: SendWindow | None = None
) -> DryRunResult:
    """Go through all rows, in constant memory, and say what became of them. Nothing is sent and nothing is kept.

    With the send window of a run, numbers whose hours are not certain are counted among the findings.
    """
    watch = _RowCounter(suppression_list, send_window)
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            watch.add(row)
    else:
        for row in rows:
            watch.add(row)
    return watch.result()


_line = re.compile(r"\bline [0-9]+\b")


class _RowCounter:
    """Counts rows as they pass."""

    def __init__(self, suppressed: Container[str] | None, window: SendWindow | None) -> None:
        self._suppressed_numbers = () if suppressed is None else suppressed
        self._window = window
        self._findings = Findings()
        self._rows = self._good = self._bad = self._duplicates = self._suppressed = self._conflicts = 0
        self._problems: list[InvalidRow] = []
        self._reasons: Counter[str] = Counter()
        self._keys = KeyIndex()
        self._channels: Counter[tuple[str, ...]] = Counter()
        self._countries: Counter[str] | None = Counter() if phone_numbers.is_installed() else None
        self._by_parts: Counter[int] = Counter()
        self._unicode = self._first_sms = 0
        self._first: _PreviewCandidate | None = None
        self._longest: _PreviewCandidate | None = None
        # Two of the rows after the first, since one of them may be the longest.
        self._others: list[_PreviewCandidate] = []
        self._length = -1
        # A seed of its own: the same rows show the same samples.
        self._chance = random.Random(6)  # noqa: S311  # to choose a sample

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
        if any(number in self._suppressed_numbers for number in all_recipients(flow)):
            self._suppressed += 1
            return
        earlier = self._keys.add(row.key, row.recipient, row.line)
        if earlier is None:
            self._good += 1
            self._count(row, flow)
            check_texts(row, flow, self._findings)
            if self._window is not None and not has_single_utc_offset(row.recipient):
                self._findings.add(FindingKind.UNCERTAIN_TIME_ZONE, "", row.line, lambda: mask_phone(row.recipient))
        elif earlier.is_same_recipient:
            self._duplicates += 1
        else:
            self._add_key_conflict(row, earlier.line)

    def _add_key_conflict(self, row: Row, line: int) -> None:
        self._conflicts += 1
        words = f"has the key of line {line}, for {mask_phone(row.recipient)}, who is another recipient"
        self._findings.add(FindingKind.KEY_CONFLICT, "", row.line, lambda: words)
        self._add_invalid(row, (Problem((), f"has the key of line {line}, which is for another recipient"),))

    def _add_invalid(self, row: Row, problems: tuple[Problem, ...]) -> None:
        self._bad += 1
        if len(self._problems) < MAX_INVALID_ROWS:
            self._problems.append(InvalidRow(row.line, mask_phone(row.recipient) if row.recipient else "", problems))
        for problem in problems:
            reason = _line.sub("another line", str(problem))
            if reason in self._reasons or len(self._reasons) < MAX_REASONS:
                self._reasons[reason] += 1

    def _count(self, row: Row, flow: AnyFlow) -> None:
        if self._countries is not None:
            self._countries[phone_numbers.cached_country_of(row.recipient) or ""] += 1
        length = parts = 0
        if isinstance(flow, ViberOtpMessage):
            self._channels["Viber",] += 1
        else:
            self._channels[tuple(_CHANNELS[step.api_type] for step in flow.steps)] += 1
            self._first_sms += isinstance(flow.steps[0], SmsStep | OtpSmsStep)
            for step in flow.steps:
                if isinstance(step, SmsStep | OtpSmsStep):
                    body = step.message.body
                    sent = split_sms(body, transcode=bool(step.message.transcode))
                    length, parts = max(length, len(body)), max(parts, len(sent))
                    self._by_parts[len(sent)] += 1
                    self._unicode += not is_gsm("".join(sent))
        self._maybe_preview(row, length, parts)

    def _maybe_preview(self, row: Row, length: int, parts: int) -> None:
        is_longest = length > self._length
        place = self._place()
        if not is_longest and place is None and self._first is not None:
            return
        picked = _PreviewCandidate(row, row.build_flow(Correlation()), parts)
        if is_longest:
            self._length, self._longest = length, picked
        if self._first is None:
            self._first = picked
        elif place is not None:
            self._others[place : place + 1] = [picked]

    def _place(self) -> int | None:
        """Where a row goes among the others, each with the same chance to be one of them in the end."""
        after_first = self._good - 1
        if after_first < _MAX_PREVIEWS:
            return after_first - 1
        place = self._chance.randrange(after_first)
        return place if place < _MAX_PREVIEWS - 1 else None

    def result(self) -> DryRunResult:
        return DryRunResult(
            rows=self._rows,
            valid=self._good,
            invalid=self._bad,
            duplicates=self._duplicates,
            suppressed=self._suppressed,
            invalid_rows=tuple(self._problems),
            reason_counts=dict(self._reasons.most_common()),
            channels={", ".join(way): count for way, count in self._channels.most_common()},
            sms=SmsCount(
                messages=self._by_parts.total(),
                parts=sum(parts * count for parts, count in self._by_parts.items()),
                max_parts=max(self._by_parts, default=0),
                unicode=self._unicode,
                by_parts=dict(sorted(self._by_parts.items())),
                first_step=self._first_sms,
            ),
            countries=None if self._countries is None else dict(self._countries.most_common()),
            previews=tuple(self._previews()),
            key_conflicts=self._conflicts,
            findings=tuple(self._findings.all()),
        )

    def _previews(self) -> list[RowPreview]:
        """The first, the longest, and what of the others is needed to make three: each is another row."""
        chosen = {"first": self._first}
        if self._longest is not self._first:
            chosen["longest"] = self._longest
        lines = {picked.row.line for picked in chosen.values() if picked is not None}
        free = [picked for picked in self._others if picked.row.line not in lines][: _MAX_PREVIEWS - len(chosen)]
        given = [("first", self._first), *(("any", picked) for picked in free), ("longest", chosen.get("longest"))]
        return [picked.preview(why) for why, picked in given if picked is not None]


class _PreviewCandidate(NamedTuple):
    """A row that may be shown."""

    row: Row
    flow: AnyFlow
    parts: int

    def preview(self, why: str) -> RowPreview:
        row = self.row
        return RowPreview(row.line, why, mask_phone(row.recipient), masked_flow(row, self.flow), self.parts)

    def __repr__(self) -> str:
        return f"_Picked({self.row!r})"  # the flow may hold a code


_CHANNELS: Mapping[str, str] = {"Sms": "Sms", "Viber": "Viber", "ViberOtp": "Viber", "Voice": "Voice"}
