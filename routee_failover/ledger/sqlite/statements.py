"""SQL statements that write a ledger. Transitions are compiled from `state_machine.TRANSITIONS`, their only definition.

Many rows go into one statement, because each statement releases Python's global interpreter lock (GIL): beside a busy
event loop it has to wait until it gets the lock back, and every system call of the loop wakes it up in vain meanwhile.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ..entry import RESOLVED_BY_POLICY, ClaimRequest, DeliveryReport, TransitionDetails
from ..state_machine import (
    CLEARS_FINGERPRINT,
    ENDS_LEASE,
    KEEPS_RESENT_BY_POLICY,
    REQUIRES_SAME_ATTEMPT,
    TRANSITIONS,
    UNKNOWN_AFTER_RESEND,
    EntryState,
    Transition,
    next_state,
)
from .schema import STATE_CODES

_MAX_ROWS = 256  # in a statement


def execute(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
    """Execute a statement, also with text that SQLite cannot store as it is."""
    try:
        return connection.execute(text, values)
    except UnicodeEncodeError:  # a lone surrogate, as reading a file in the wrong encoding leaves it
        return connection.execute(text, [to_storable(value) for value in values])


def to_storable(value: Any) -> Any:
    """Return a value as SQLite can store it: lone surrogates are escaped."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class BatchStatement:
    """Statement over a batch of rows, which it names `input`; its other parameters come after those of the rows.

    It must ignore rows of `input` in which everything is NULL.
    """

    def __init__(self, columns: Sequence[str], statement: str) -> None:
        self._columns = columns
        self._statement = statement
        self._texts: dict[int, str] = {}

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> int:
        """Execute it; return the number of changed rows."""
        before = connection.total_changes  # a cursor does not count a statement that begins with WITH
        for text, values in self._batches(rows, others):
            execute(connection, text, values)
        return connection.total_changes - before

    def fetch(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> list[Any]:
        """Execute it; return the rows that it finds."""
        found: list[Any] = []
        for text, values in self._batches(rows, others):
            found += execute(connection, text, values)
        return found

    def _batches(self, rows: Sequence[Sequence[Any]], others: tuple[Any, ...]) -> Iterable[tuple[str, list[Any]]]:
        for begin in range(0, len(rows), _MAX_ROWS):
            part = rows if len(rows) <= _MAX_ROWS else rows[begin : begin + _MAX_ROWS]
            size = _padded_size(len(part))
            padding = [None] * ((size - len(part)) * len(self._columns))
            yield self._text(size), [*chain.from_iterable(part), *padding, *others]

    def _text(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            row = f"({', '.join('?' * len(self._columns))})"
            values = ", ".join([row] * size)
            text = self._texts[size] = f"WITH input ({', '.join(self._columns)}) AS (VALUES {values}) {self._statement}"
        return text


def _padded_size(count: int) -> int:
    """Return the number of rows of the statement for a batch: few different ones, which SQLite compiles once each.

    At most a fifth of the rows are empty: they cost nearly as much as others.
    """
    step = 1 << max(0, count.bit_length() - 3)
    return -(-count // step) * step


_IF_RESENT_BY_POLICY = f"CASE WHEN entries.resolved_by = '{RESOLVED_BY_POLICY}'"

CLAIM_NEW = BatchStatement(
    ClaimRequest._fields,
    "INSERT OR IGNORE INTO entries"
    " (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at)"
    " SELECT key_hash, nullif(key, recipient), recipient, line, fingerprint,"
    f" {STATE_CODES[EntryState.SENDING]}, 1, ?, ? FROM input WHERE key_hash IS NOT NULL",
)
"""Claims what has no entry yet. Further parameters: now, and the end of the lease."""

RECLAIM = BatchStatement(
    ("number", "line", "fingerprint", "key", "recipient"),
    f"UPDATE entries SET state = {STATE_CODES[EntryState.SENDING]}, attempt = attempt + 1, line = input.line,"
    " key = nullif(input.key, input.recipient), recipient = input.recipient,"  # it may have changed in the source
    " fingerprint = input.fingerprint, claimed_at = ?, lease_expires_at = ?, ended_at = NULL, reason = '',"
    f" resolved_by = {_IF_RESENT_BY_POLICY} THEN '{RESOLVED_BY_POLICY}' ELSE '' END"
    f" FROM input WHERE entries.number = input.number AND entries.state = {STATE_CODES[EntryState.NEW]}",
)
"""Claims entries that are NEW. Further parameters: now, and the end of the lease."""

_LOST = "its entry in the ledger was lost: it may have been sent"
_NO_RESEND_ATTEMPT = 2  # only a first attempt is resent by policy, and the content of this one is not known any more

INSERT_UNKNOWN = BatchStatement(
    ClaimRequest._fields,
    "INSERT OR IGNORE INTO entries"
    " (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at, ended_at, reason)"
    " SELECT key_hash, nullif(key, recipient), recipient, line, x'',"
    f" {STATE_CODES[EntryState.UNKNOWN]}, {_NO_RESEND_ATTEMPT}, ?, ?, ?, '{_LOST}' FROM input"
    " WHERE key_hash IS NOT NULL",
)
"""Inserts as UNKNOWN what has no entry. Further parameters: the earliest and (twice) the latest time of a send."""

MARK_LOST_UNKNOWN = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.UNKNOWN]}, attempt = max(attempt, {_NO_RESEND_ATTEMPT}),"
    f" claimed_at = min(claimed_at, ?), lease_expires_at = ?, ended_at = ?, reason = '{_LOST}'"
    f" WHERE state IN ({STATE_CODES[EntryState.NEW]}, {STATE_CODES[EntryState.UNKNOWN]})"
)

FIND_BY_HASH = BatchStatement(
    ("key_hash",),
    "SELECT entries.number, entries.attempt, entries.state, entries.line, entries.fingerprint, entries.key_hash,"
    " coalesce(entries.key, entries.recipient), entries.recipient"
    " FROM input CROSS JOIN entries ON entries.key_hash = input.key_hash",
)
KEY_HASH_INDEX, KEY_INDEX = 5, 6
"""Indexes of these columns in a row of `FIND_BY_HASH`."""

RECORD_DELIVERY_REPORTS = BatchStatement(
    DeliveryReport._fields,
    "UPDATE entries SET report_status = input.status, report_channel = input.channel, report_price = input.price,"
    " report_country = input.country, report_reason = input.reason, report_delivery_time = input.delivery_time"
    " FROM input WHERE entries.number = input.number",
)

LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM entries"
DELETE_INVALID = f"DELETE FROM entries WHERE state = {STATE_CODES[EntryState.INVALID]} AND fingerprint = x''"

INSERT_INVALID = (
    "INSERT INTO entries"
    " (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at, ended_at, reason)"
    f" VALUES (?, nullif(?, ?), ?, ?, x'', {STATE_CODES[EntryState.INVALID]}, 0, ?, ?, ?, ?)"
)
UPDATE_INVALID = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.INVALID]}, reason = ?, line = ?, ended_at = ? WHERE number = ?"
)

EXPIRE_LEASES = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.UNKNOWN]}, ended_at = ?, reason = ?,"
    " lease_expires_at = min(lease_expires_at, ?)"
    f" WHERE number BETWEEN ? AND ? AND state = {STATE_CODES[EntryState.SENDING]} AND lease_expires_at <= ?"
)


class StateChange(NamedTuple):
    """Change from one state to another: a statement for each pair, so that its row count is the count of that pair."""

    source: EntryState
    target: EntryState
    statement: BatchStatement
    """Further parameter: now."""


def _state_changes(transition: Transition) -> list[StateChange]:
    # SENDING first: nearly all transitions are from there.
    sources = sorted(
        TRANSITIONS[transition][0], key=lambda state: (state is not EntryState.SENDING, STATE_CODES[state])
    )
    changes: list[StateChange] = []
    for source in sources:
        target = next_state(source, transition)
        if transition not in UNKNOWN_AFTER_RESEND:
            changes.append(StateChange(source, target, _transition_statement(transition, source, target, "")))
            continue
        changes.append(
            StateChange(
                source,
                target,
                _transition_statement(
                    transition, source, target, f" AND entries.resolved_by <> '{RESOLVED_BY_POLICY}'"
                ),
            )
        )
        resent_target = next_state(source, transition, resent_by_policy=True)
        if resent_target is not source:
            changes.append(
                StateChange(
                    source,
                    resent_target,
                    _transition_statement(
                        transition, source, resent_target, f" AND entries.resolved_by = '{RESOLVED_BY_POLICY}'"
                    ),
                )
            )
    return changes


def _transition_statement(
    transition: Transition, source: EntryState, target: EntryState, condition: str
) -> BatchStatement:
    keeps_policy = _IF_RESENT_BY_POLICY if transition in KEEPS_RESENT_BY_POLICY else "CASE WHEN 0"
    clears = f", fingerprint = {keeps_policy} THEN entries.fingerprint ELSE x'' END"
    fingerprint = clears if transition in CLEARS_FINGERPRINT else ""
    lease = ", lease_expires_at = min(entries.lease_expires_at, clock.now)" if transition in ENDS_LEASE else ""
    same_attempt = " AND entries.attempt = input.attempt" if transition in REQUIRES_SAME_ATTEMPT else ""
    return BatchStatement(
        TransitionDetails._fields,
        f", clock (now) AS (VALUES (?)) UPDATE entries SET state = {STATE_CODES[target]}, ended_at = clock.now,"
        f" reason = input.reason, resolved_by = {keeps_policy} THEN '{RESOLVED_BY_POLICY}' ELSE input.resolved_by END,"
        " tracking_id = coalesce(nullif(input.tracking_id, ''), entries.tracking_id),"
        " channel = coalesce(nullif(input.channel, ''), entries.channel),"
        f" response_time = coalesce(nullif(input.response_time, 0), entries.response_time){fingerprint}{lease}"
        f" FROM input, clock WHERE entries.number = input.number AND entries.state = {STATE_CODES[source]}"
        f"{same_attempt}{condition}",
    )


TRANSITION_STATEMENTS: Mapping[Transition, Sequence[StateChange]] = {
    transition: _state_changes(transition) for transition in Transition
}
"""The statements of each transition, one or two for each source state."""
