"""The SQL that writes a ledger. The moves are compiled from `states.MOVES`, so that the machine is written once.

Many rows go into one statement, because a statement is what Python's lock is let go of for: a loop that is busy would
make each one wait for its turn.
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

_LARGEST = 256  # rows in a statement
_SIZES = tuple(1 << power for power in reversed(range(_LARGEST.bit_length())))


def execute(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
    """Execute a statement, also with text that no file can hold as it is."""
    try:
        return connection.execute(text, values)
    except UnicodeEncodeError:  # half a character, as a file in another encoding leaves it
        return connection.execute(text, [to_storable(value) for value in values])


def to_storable(value: Any) -> Any:
    """A value as it can be in the file."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class BatchStatement:
    """A statement over rows input to it, which it knows as `input`; its other values come after those of the rows."""

    def __init__(self, columns: Sequence[str], statement: str) -> None:
        row = f"({', '.join('?' * len(columns))})"
        self._texts = {
            size: f"WITH input ({', '.join(columns)}) AS (VALUES {', '.join([row] * size)}) {statement}"
            for size in _SIZES
        }

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> int:
        """How many rows it changed."""
        before = connection.total_changes  # a cursor counts no statement that begins with WITH
        for text, values in self._batches(rows, others):
            execute(connection, text, values)
        return connection.total_changes - before

    def fetch(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> list[Any]:
        """The rows that it finds."""
        found: list[Any] = []
        for text, values in self._batches(rows, others):
            found += execute(connection, text, values)
        return found

    def _batches(self, rows: Sequence[Sequence[Any]], others: tuple[Any, ...]) -> Iterable[tuple[str, list[Any]]]:
        begin, count = 0, len(rows)
        for size in _SIZES:
            while count - begin >= size:
                part = rows if size == count else rows[begin : begin + size]
                yield self._texts[size], [*chain.from_iterable(part), *others]
                begin += size


_IF_RESENT_BY_POLICY = f"CASE WHEN entries.resolved_by = '{RESOLVED_BY_POLICY}'"

CLAIM_NEW = BatchStatement(
    ClaimRequest._fields,
    "INSERT OR IGNORE INTO entries"
    " (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at)"
    f" SELECT key_hash, nullif(key, recipient), recipient, line, fingerprint, {STATE_CODES[EntryState.SENDING]}, 1, ?, ? FROM input",
)
"""Takes what is not there yet; then: now, and the end of the lease."""

RECLAIM = BatchStatement(
    ("number", "line", "fingerprint", "key", "recipient"),
    f"UPDATE entries SET state = {STATE_CODES[EntryState.SENDING]}, attempt = attempt + 1, line = input.line,"
    " key = nullif(input.key, input.recipient), recipient = input.recipient,"  # the source may have another by now
    " fingerprint = input.fingerprint, claimed_at = ?, lease_expires_at = ?, ended_at = NULL, reason = '',"
    f" resolved_by = {_IF_RESENT_BY_POLICY} THEN '{RESOLVED_BY_POLICY}' ELSE '' END"
    f" FROM input WHERE entries.number = input.number AND entries.state = {STATE_CODES[EntryState.NEW]}",
)
"""Takes what is there and NEW; then: now, and the end of the lease."""

_LOST = "what the ledger held of it was lost: it may have been sent"
_BY_NO_POLICY = 2  # attempts: what its content was is not known, so that it cannot be sent again as it was

INSERT_UNKNOWN = BatchStatement(
    ClaimRequest._fields,
    "INSERT OR IGNORE INTO entries"
    " (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at, ended_at, reason)"
    f" SELECT key_hash, nullif(key, recipient), recipient, line, x'', {STATE_CODES[EntryState.UNKNOWN]}, {_BY_NO_POLICY}, ?, ?, ?,"
    f" '{_LOST}' FROM input",
)
"""Enters what is not there as UNKNOWN; then: since when, and twice until when, it may have been sent."""

MARK_LOST_UNKNOWN = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.UNKNOWN]}, attempt = max(attempt, {_BY_NO_POLICY}),"
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
"""Where those stand in a row of it."""

RECORD_DELIVERY_REPORTS = BatchStatement(
    DeliveryReport._fields,
    "UPDATE entries SET report_status = input.status, report_channel = input.channel, report_price = input.price,"
    " report_country = input.country, report_reason = input.reason, report_delivery_time = input.delivery_time"
    " FROM input WHERE entries.number = input.number",
)

LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM entries"
DELETE_INVALID = f"DELETE FROM entries WHERE state = {STATE_CODES[EntryState.INVALID]} AND fingerprint = x''"

INSERT_INVALID = (
    "INSERT INTO entries (key_hash, key, recipient, line, fingerprint, state, attempt, claimed_at, lease_expires_at, ended_at,"
    f" reason) VALUES (?, nullif(?, ?), ?, ?, x'', {STATE_CODES[EntryState.INVALID]}, 0, ?, ?, ?, ?)"
)
UPDATE_INVALID = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.INVALID]}, reason = ?, line = ?, ended_at = ? WHERE number = ?"
)

EXPIRE_LEASES = (
    f"UPDATE entries SET state = {STATE_CODES[EntryState.UNKNOWN]}, ended_at = ?, reason = ?, lease_expires_at = min(lease_expires_at, ?)"
    f" WHERE number BETWEEN ? AND ? AND state = {STATE_CODES[EntryState.SENDING]} AND lease_expires_at <= ?"
)


class StateChange(NamedTuple):
    """One way from a state to another; one by one, so that they count themselves."""

    source: EntryState
    target: EntryState
    statement: BatchStatement
    """Then: now."""


def _state_changes(transition: Transition) -> list[StateChange]:
    # Nearly all that moves was being sent.
    sources = sorted(
        TRANSITIONS[transition][0], key=lambda state: (state is not EntryState.SENDING, STATE_CODES[state])
    )
    ways: list[StateChange] = []
    for source in sources:
        target = next_state(source, transition)
        if transition not in UNKNOWN_AFTER_RESEND:
            ways.append(StateChange(source, target, _transition_statement(transition, source, target, "")))
            continue
        ways.append(
            StateChange(
                source,
                target,
                _transition_statement(
                    transition, source, target, f" AND entries.resolved_by <> '{RESOLVED_BY_POLICY}'"
                ),
            )
        )
        doubt = next_state(source, transition, resent_by_policy=True)
        if doubt is not source:
            ways.append(
                StateChange(
                    source,
                    doubt,
                    _transition_statement(
                        transition, source, doubt, f" AND entries.resolved_by = '{RESOLVED_BY_POLICY}'"
                    ),
                )
            )
    return ways


def _transition_statement(
    transition: Transition, source: EntryState, target: EntryState, condition: str
) -> BatchStatement:
    bound = _IF_RESENT_BY_POLICY if transition in KEEPS_RESENT_BY_POLICY else "CASE WHEN 0"
    forgets = f", fingerprint = {bound} THEN entries.fingerprint ELSE x'' END"
    fingerprint = forgets if transition in CLEARS_FINGERPRINT else ""
    lease = ", lease_expires_at = min(entries.lease_expires_at, clock.now)" if transition in ENDS_LEASE else ""
    own = " AND entries.attempt = input.attempt" if transition in REQUIRES_SAME_ATTEMPT else ""
    return BatchStatement(
        TransitionDetails._fields,
        f", clock (now) AS (VALUES (?)) UPDATE entries SET state = {STATE_CODES[target]}, ended_at = clock.now,"
        f" reason = input.reason, resolved_by = {bound} THEN '{RESOLVED_BY_POLICY}' ELSE input.resolved_by END,"
        " tracking_id = coalesce(nullif(input.tracking_id, ''), entries.tracking_id),"
        " channel = coalesce(nullif(input.channel, ''), entries.channel),"
        f" response_time = coalesce(nullif(input.response_time, 0), entries.response_time){fingerprint}{lease}"
        f" FROM input, clock WHERE entries.number = input.number AND entries.state = {STATE_CODES[source]}{own}{condition}",
    )


TRANSITION_STATEMENTS: Mapping[Transition, Sequence[StateChange]] = {move: _state_changes(move) for move in Transition}
"""What makes a move, from each state that it is made from."""
