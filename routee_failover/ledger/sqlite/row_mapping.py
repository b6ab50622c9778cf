"""Rows of the file as the values of a ledger."""

from collections.abc import Collection, Sequence
from typing import Any

from ..entry import ClaimResult, DeliveryReport, LedgerEntry, StateCounts
from ..memory import to_state_counts
from ..state_machine import EntryState
from .schema import STATE_CODES, STATES

_COLUMNS = (
    "number, key_hash, coalesce(key, recipient), recipient, line, state, attempt, fingerprint, claimed_at, lease_expires_at,"
    " ended_at, reason, tracking_id, resolved_by, channel, response_time,"
    " report_status, report_channel, report_price, report_country, report_reason, report_delivery_time"
)
_REPORT = 16  # where that begins

DELIVERY_COUNTS = (
    "SELECT report_status, report_channel, count(*) FROM entries"
    f" WHERE state = {STATE_CODES[EntryState.ACCEPTED]} GROUP BY report_status, report_channel"
)
ENTRY_BY_HASH = f"SELECT {_COLUMNS} FROM entries WHERE key_hash = ?"


def page_query(states: Collection[EntryState] | None, *, without_report: bool) -> str:
    """The question for the next entries after a number, and at most so many."""
    wanted = ["number > ?"]
    if states is not None:
        codes = [str(STATE_CODES[state]) for state in states]
        # Only by this word does SQLite see that the index of what is doubtful serves.
        wanted.append(f"state = {codes[0]}" if len(codes) == 1 else f"state IN ({', '.join(codes)})")
    if without_report:
        wanted.append("report_status IS NULL")
    return f"SELECT {_COLUMNS} FROM entries WHERE {' AND '.join(wanted)} ORDER BY number LIMIT ?"


def entry_from_row(row: Sequence[Any]) -> LedgerEntry:
    """An intent, of a row of `ENTRY_BY_HASH` or a page."""
    number, key_hash, key, recipient, line, state, attempt, fingerprint, begun, until, ended, *more = row[:_REPORT]
    reason, tracking_id, resolved_by, channel, response_time = more
    return LedgerEntry(
        number=number,
        key_hash=key_hash,
        key=key,
        recipient=recipient,
        line=line,
        state=STATES[state],
        attempt=attempt,
        fingerprint=fingerprint,
        claimed_at=begun,
        lease_expires_at=until,
        ended_at=ended,
        reason=reason,
        tracking_id=tracking_id,
        resolved_by=resolved_by,
        channel=channel,
        response_time=response_time,
        delivery_report=None if row[_REPORT] is None else DeliveryReport(number, *row[_REPORT:]),
    )


def claim_result_from_row(row: Sequence[Any]) -> ClaimResult:
    """How one stands, of a row of `statements.KNOWN`."""
    number, attempt, state, line, fingerprint, *_, recipient = row
    return ClaimResult(number, attempt, STATES[state], line, fingerprint, False, recipient)


def state_counts_from_row(counts: Sequence[int]) -> StateCounts:
    """Counts that stand in the order of `schema.STATES`."""
    return to_state_counts(dict(zip(STATES, counts, strict=True)))
