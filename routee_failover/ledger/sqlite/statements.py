"""The SQL that writes a ledger. The moves are compiled from `states.MOVES`, so that the machine is written once.

Many rows go into one statement, because a statement is what Python's lock is let go of for: a loop that is busy would
make each one wait for its turn.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from ..intent import POLICY, Ending, Fate, Wanted
from ..states import BY_SENDER, ENDS_LEASE, ENDS_ONE, FORGETS_CONTENT, KEEPS_POLICY, MOVES, Move, State, after
from .schema import CODES

_LARGEST = 256  # rows in a statement
_SIZES = tuple(1 << power for power in reversed(range(_LARGEST.bit_length())))


def execute(connection: sqlite3.Connection, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
    """Execute a statement, also with text that no file can hold as it is."""
    try:
        return connection.execute(text, values)
    except UnicodeEncodeError:  # half a character, as a file in another encoding leaves it
        return connection.execute(text, [writable(value) for value in values])


def writable(value: Any) -> Any:
    """A value as it can be in the file."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class Bulk:
    """A statement over rows told to it, which it knows as `told`; its other values come after those of the rows."""

    def __init__(self, columns: Sequence[str], statement: str) -> None:
        row = f"({', '.join('?' * len(columns))})"
        self._texts = {
            size: f"WITH told ({', '.join(columns)}) AS (VALUES {', '.join([row] * size)}) {statement}"
            for size in _SIZES
        }

    def run(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> int:
        """How many rows it changed."""
        before = connection.total_changes  # a cursor counts no statement that begins with WITH
        for text, values in self._parts(rows, others):
            execute(connection, text, values)
        return connection.total_changes - before

    def ask(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *others: Any) -> list[Any]:
        """The rows that it finds."""
        found: list[Any] = []
        for text, values in self._parts(rows, others):
            found += execute(connection, text, values)
        return found

    def _parts(self, rows: Sequence[Sequence[Any]], others: tuple[Any, ...]) -> Iterable[tuple[str, list[Any]]]:
        begin, count = 0, len(rows)
        for size in _SIZES:
            while count - begin >= size:
                part = rows if size == count else rows[begin : begin + size]
                yield self._texts[size], [*chain.from_iterable(part), *others]
                begin += size


_BOUND = f"CASE WHEN intents.proof = '{POLICY}'"

CLAIM_NEW = Bulk(
    Wanted._fields,
    "INSERT OR IGNORE INTO intents"
    " (tag, key, recipient, line, fingerprint, state, attempt, begun_at, lease_until)"
    f" SELECT tag, nullif(key, recipient), recipient, line, fingerprint, {CODES[State.SENDING]}, 1, ?, ? FROM told",
)
"""Takes what is not there yet; then: now, and the end of the lease."""

CLAIM_AGAIN = Bulk(
    ("number", "line", "fingerprint", "key", "recipient"),
    f"UPDATE intents SET state = {CODES[State.SENDING]}, attempt = attempt + 1, line = told.line,"
    " key = nullif(told.key, told.recipient), recipient = told.recipient,"  # the source may have another by now
    " fingerprint = told.fingerprint, begun_at = ?, lease_until = ?, ended_at = NULL, reason = '',"
    f" proof = {_BOUND} THEN '{POLICY}' ELSE '' END"
    f" FROM told WHERE intents.number = told.number AND intents.state = {CODES[State.NEW]}",
)
"""Takes what is there and NEW; then: now, and the end of the lease."""

_LOST = "what the ledger held of it was lost: it may have been sent"
_BY_NO_POLICY = 2  # attempts: what its content was is not known, so that it cannot be sent again as it was

ENTER_UNKNOWN = Bulk(
    Wanted._fields,
    "INSERT OR IGNORE INTO intents"
    " (tag, key, recipient, line, fingerprint, state, attempt, begun_at, lease_until, ended_at, reason)"
    f" SELECT tag, nullif(key, recipient), recipient, line, x'', {CODES[State.UNKNOWN]}, {_BY_NO_POLICY}, ?, ?, ?,"
    f" '{_LOST}' FROM told",
)
"""Enters what is not there as UNKNOWN; then: since when, and twice until when, it may have been sent."""

DOUBT_LOST = (
    f"UPDATE intents SET state = {CODES[State.UNKNOWN]}, attempt = max(attempt, {_BY_NO_POLICY}),"
    f" begun_at = min(begun_at, ?), lease_until = ?, ended_at = ?, reason = '{_LOST}'"
    f" WHERE state IN ({CODES[State.NEW]}, {CODES[State.UNKNOWN]})"
)

KNOWN = Bulk(
    ("tag",),
    "SELECT intents.number, intents.attempt, intents.state, intents.line, intents.fingerprint, intents.tag,"
    " coalesce(intents.key, intents.recipient), intents.recipient"
    " FROM told CROSS JOIN intents ON intents.tag = told.tag",
)
TAG, KEY = 5, 6
"""Where those stand in a row of it."""

LEARN = Bulk(
    Fate._fields,
    "UPDATE intents SET fate_status = told.status, fate_channel = told.channel, fate_price = told.price,"
    " fate_country = told.country, fate_reason = told.reason, fate_seconds = told.seconds"
    " FROM told WHERE intents.number = told.number",
)

LAST = "SELECT coalesce(max(number), 0) FROM intents"
FORGET_INVALID = f"DELETE FROM intents WHERE state = {CODES[State.INVALID]} AND fingerprint = x''"

REFUSE_NEW = (
    "INSERT INTO intents (tag, key, recipient, line, fingerprint, state, attempt, begun_at, lease_until, ended_at,"
    f" reason) VALUES (?, nullif(?, ?), ?, ?, x'', {CODES[State.INVALID]}, 0, ?, ?, ?, ?)"
)
REFUSE_AGAIN = f"UPDATE intents SET state = {CODES[State.INVALID]}, reason = ?, line = ?, ended_at = ? WHERE number = ?"

LAPSE = (
    f"UPDATE intents SET state = {CODES[State.UNKNOWN]}, ended_at = ?, reason = ?, lease_until = min(lease_until, ?)"
    f" WHERE number BETWEEN ? AND ? AND state = {CODES[State.SENDING]} AND lease_until <= ?"
)


class Way(NamedTuple):
    """One way from a state to another; one by one, so that they count themselves."""

    source: State
    target: State
    statement: Bulk
    """Then: now."""


def _ways(move: Move) -> list[Way]:
    # Nearly all that moves was being sent.
    sources = sorted(MOVES[move][0], key=lambda state: (state is not State.SENDING, CODES[state]))
    ways: list[Way] = []
    for source in sources:
        target = after(source, move)
        if move not in ENDS_ONE:
            ways.append(Way(source, target, _move(move, source, target, "")))
            continue
        ways.append(Way(source, target, _move(move, source, target, f" AND intents.proof <> '{POLICY}'")))
        doubt = after(source, move, bound=True)
        if doubt is not source:
            ways.append(Way(source, doubt, _move(move, source, doubt, f" AND intents.proof = '{POLICY}'")))
    return ways


def _move(move: Move, source: State, target: State, only: str) -> Bulk:
    bound = _BOUND if move in KEEPS_POLICY else "CASE WHEN 0"
    forgets = f", fingerprint = {bound} THEN intents.fingerprint ELSE x'' END"
    fingerprint = forgets if move in FORGETS_CONTENT else ""
    lease = ", lease_until = min(intents.lease_until, clock.now)" if move in ENDS_LEASE else ""
    own = " AND intents.attempt = told.attempt" if move in BY_SENDER else ""
    return Bulk(
        Ending._fields,
        f", clock (now) AS (VALUES (?)) UPDATE intents SET state = {CODES[target]}, ended_at = clock.now,"
        f" reason = told.reason, proof = {bound} THEN '{POLICY}' ELSE told.proof END,"
        " identity = coalesce(nullif(told.identity, ''), intents.identity),"
        " channel = coalesce(nullif(told.channel, ''), intents.channel),"
        f" seconds = coalesce(nullif(told.seconds, 0), intents.seconds){fingerprint}{lease}"
        f" FROM told, clock WHERE intents.number = told.number AND intents.state = {CODES[source]}{own}{only}",
    )


MAKE: Mapping[Move, Sequence[Way]] = {move: _ways(move) for move in Move}
"""What makes a move, from each state that it is made from."""
