"""Mapping of database rows to ledger values."""

from collections.abc import Collection, Sequence
from typing import Any

from ..entry import ClaimResult, DeliveryReport, LedgerEntry, StateCounts
from ..memory import to_state_counts
from ..state_machine import EntryState
from .schema import STATE_CODES, STATES

_COLUMNS = (
    "number, key_hash, coalesce(key, recipient), recipient, line, state, attempt, fingerprint, claimed_at,"
    " lease_expires_at, ended_at, reason, tracking_id, resolved_by, channel, response_time,"
    " report_status, report_channel, report_price, report_country, report_reason, report_delivery_time"
)
_REPORT = 16  # index of the first column of the delivery report

DELIVERY_COUNTS = (
    "SELECT report_status, report_channel, count(*) FROM entries"
    f" WHERE state = {STATE_CODES[EntryState.ACCEPTED]} GROUP BY report_status, report_channel"
)
ENTRY_BY_HASH = f"SELECT {_COLUMNS} FROM entries WHERE key_hash = ?"


def page_query(states: Collection[EntryState] | None, *, without_report: bool) -> str:
    """Return the query for the next entries; its parameters are the last number before them and the page size."""
    conditions = ["number > ?"]
    if states is not None:
        codes = [str(STATE_CODES[state]) for state in states]
        # Only with this literal condition does SQLite use the index `unknown_entries`.
        conditions.append(f"state = {codes[0]}" if len(codes) == 1 else f"state IN ({', '.join(codes)})")
    if without_report:
        conditions.append("report_status IS NULL")
    return f"SELECT {_COLUMNS} FROM entries WHERE {' AND '.join(conditions)} ORDER BY number LIMIT ?"


def entry_from_row(row: Sequence[Any]) -> LedgerEntry:
    """Return the entry in a row of `ENTRY_BY_HASH` or of a page."""
    number, key_hash, key, recipient, line, state, attempt, fingerprint, claimed_at, expires_at, ended_at, *rest = row[
        :_REPORT
    ]
    reason, tracking_id, resolved_by, channel, response_time = rest
    return LedgerEntry(
        number=number,
        key_hash=key_hash,
        key=key,
        recipient=recipient,
        line=line,
        state=STATES[state],
        attempt=attempt,
        fingerprint=fingerprint,
        claimed_at=claimed_at,
        lease_expires_at=expires_at,
        ended_at=ended_at,
        reason=reason,
        tracking_id=tracking_id,
        resolved_by=resolved_by,
        channel=channel,
        response_time=response_time,
        delivery_report=None if row[_REPORT] is None else DeliveryReport(number, *row[_REPORT:]),
    )


def claim_result_from_row(row: Sequence[Any]) -> ClaimResult:
    """Return the claim result in a row of `statements.FIND_BY_HASH`."""
    number, attempt, state, line, fingerprint, *_, recipient = row
    return ClaimResult(number, attempt, STATES[state], line, fingerprint, False, recipient)


def state_counts_from_row(counts: Sequence[int]) -> StateCounts:
    """Return counts from a row in the order of `schema.STATES`."""
    return to_state_counts(dict(zip(STATES, counts, strict=True)))
