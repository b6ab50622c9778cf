"""What one transaction does to a ledger's file. It knows nothing of threads, and of the loop no more than a clock."""

import logging
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from ..._sqlite import UnusableDatabase
from ..entry import ClaimRequest, ClaimResult, DeliveryReport, TransitionDetails
from ..memory import LEASE_EXPIRED
from ..state_machine import EntryState, Transition
from ..steady_clock import SteadyClock
from .lease_index import LeaseIndex
from .row_mapping import claim_result_from_row
from .schema import STATE_CODES, STATES
from .statements import (
    CLAIM_NEW,
    DELETE_INVALID,
    EXPIRE_LEASES,
    FIND_BY_HASH,
    INSERT_INVALID,
    INSERT_UNKNOWN,
    KEY_HASH_INDEX,
    KEY_INDEX,
    LAST_NUMBER,
    MARK_LOST_UNKNOWN,
    RECLAIM,
    RECORD_DELIVERY_REPORTS,
    TRANSITION_STATEMENTS,
    UPDATE_INVALID,
    execute,
    to_storable,
)

PROCESS_ENDED = "its process ended before it was known what became of it"

_EVERYTHING = (1, (1 << 63) - 1)
_COUNTS = ", ".join(f"{state.lower()} = ?" for state in STATES)
_SAVE = f"UPDATE ledger SET moment = ?, commits = ?, {_COUNTS} WHERE owner = ?"
_OWNED = "SELECT count(*) FROM ledger WHERE owner = ?"
OPENED_ELSEWHERE = "another run has opened it in spite of the lock, as on a disk that locks for one machine alone"
_log = logging.getLogger("routee_failover.ledger")

TransitionRecord = tuple[Transition, TransitionDetails]


class LedgerDatabase:
    """The writing side of a file that is open. Every method is part of a transaction, or makes one."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        owner: str,
        inode: str,
        has_loss: bool = False,
        on_commit: Callable[[int], object] = int,
    ) -> None:
        """Take the ledger over for a run, whose id is `owner`; `committed` is told how many transactions are safe."""
        self._database = connection
        self._owner, self._on_commit = owner, on_commit
        self._leases = LeaseIndex()
        self._has_documents = False
        self._now = 0.0
        connection.execute("BEGIN IMMEDIATE")
        try:
            # From here on no other run, if there is one in spite of the lock, can write.
            connection.execute("UPDATE ledger SET owner = ?, inode = ?", (owner, inode))
            columns = "run_id, moment, commits, lost_since, lost_until"
            ((run_id, moment, commits, since, until),) = connection.execute(f"SELECT {columns} FROM ledger").fetchall()
            self.run_id: str = run_id
            self.clock: Callable[[], float] = SteadyClock(moment)
            (last,) = connection.execute(LAST_NUMBER).fetchone()
            self._last_number: int = last
            self._commits: int = commits
            self._state_counts = [0] * len(STATES)
            for code, many in connection.execute("SELECT state, count(*) FROM entries GROUP BY state"):
                self._state_counts[code] = many
            self._now = self.clock()
            self._expire_abandoned()
            self._lost: tuple[float, float] | None = None if since is None else (since, until)
            if has_loss:
                self._mark_all_unknown(moment if since is None else min(since, moment))
            self._save()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._on_commit(self._commits)

    @property
    def state_counts(self) -> tuple[int, ...]:
        """How many entries stand in each state, in the order of `schema.STATES`."""
        return tuple(self._state_counts)

    def transact(self, work: Callable[[], None]) -> None:
        """Do some work as one transaction; where it fails nothing is changed. Raises `Unfit` for another run's."""
        database, last, tally, commits = self._database, self._last_number, self._state_counts.copy(), self._commits
        before = database.total_changes
        self._now = self.clock()
        database.execute("BEGIN IMMEDIATE")
        try:
            work()
            if database.total_changes != before:
                self._save()
            else:
                self._check_owner()
            database.execute("COMMIT")
        except BaseException:
            self._last_number, self._state_counts, self._commits = last, tally, commits
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        if self._commits != commits:
            self._on_commit(self._commits)
            if self._has_documents:
                # What a run is known by is in the main file, whatever becomes of the log.
                self._has_documents = False
                database.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _save(self) -> None:
        self._commits += 1
        saved = self._database.execute(_SAVE, (self._now, self._commits, *self._state_counts, self._owner))
        if saved.rowcount != 1:
            raise UnusableDatabase(OPENED_ELSEWHERE)

    def _check_owner(self) -> None:
        if self._database.execute(_OWNED, (self._owner,)).fetchone() != (1,):
            raise UnusableDatabase(OPENED_ELSEWHERE)

    def checkpoint(self, mode: str = "FULL") -> bool:
        """Copy the log into the main file, and sync that; return whether all of it is there."""
        busy, pages, copied = self._database.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        return not busy and pages == copied

    def clear_owner(self) -> bool:
        """Clear the mark that a run has the ledger open; return whether the main file holds everything."""
        self.transact(self._clear_owner)
        return self.checkpoint("TRUNCATE")

    def _clear_owner(self) -> None:
        self._database.execute("UPDATE ledger SET owner = '' WHERE owner = ?", (self._owner,))
        self._owner = ""  # by which the transaction is checked

    def apply(self, records: Sequence[TransitionRecord]) -> int:
        """Make moves in their order; how many counted."""
        changed = 0
        seen: set[int] = set()
        by_move: dict[Transition, list[TransitionDetails]] = {}
        for move, ending in records:
            if ending.number in seen:  # one statement changes an intent once
                changed += self._apply_distinct(by_move)
                seen.clear()
                by_move.clear()
            seen.add(ending.number)
            by_move.setdefault(move, []).append(ending)
        return changed + self._apply_distinct(by_move)

    def _apply_distinct(self, by_transition: Mapping[Transition, list[TransitionDetails]]) -> int:
        changed = 0
        for move, endings in by_transition.items():
            left = len(endings)
            for way in TRANSITION_STATEMENTS[move]:
                many = way.statement.run(self._database, endings, self._now)
                self._count_change(way.source, way.target, many)
                changed += many
                left -= many
                if not left:
                    break
        return changed

    def record_delivery_reports(self, reports: Sequence[DeliveryReport]) -> None:
        """Keep how flows ended; of two that are told of one flow, the later."""
        RECORD_DELIVERY_REPORTS.run(self._database, list({fate.number: fate for fate in reports}.values()))

    def claim(self, requests: Sequence[ClaimRequest], lease: float) -> list[ClaimResult]:
        """Take what is NEW or not there."""
        until = self._now + lease
        if self._lost is not None:
            return self._claim_after_loss(requests, until, *self._lost)
        first = self._last_number + 1
        new = CLAIM_NEW.run(self._database, requests, self._now, until)
        if new:
            self._last_number += new
            self._state_counts[STATE_CODES[EntryState.SENDING]] += new
            self._leases.add(first, self._last_number, until)
        if new == len(requests):
            return [
                ClaimResult(number, 1, EntryState.SENDING, one.line, one.fingerprint, True, one.recipient)
                for number, one in enumerate(requests, first)
            ]
        return self._claim_existing(requests, first, until)

    def _claim_after_loss(
        self, requests: Sequence[ClaimRequest], until: float, lost_since: float, lost_until: float
    ) -> list[ClaimResult]:
        """Enter as UNKNOWN what is not there: it may have been sent, and the entry lost."""
        entered = INSERT_UNKNOWN.run(self._database, requests, lost_since, lost_until, lost_until)
        self._last_number += entered
        self._state_counts[STATE_CODES[EntryState.UNKNOWN]] += entered
        return self._claim_existing(requests, self._last_number + 1, until)

    def _claim_existing(self, requests: Sequence[ClaimRequest], first: int, until: float) -> list[ClaimResult]:
        known = self._find([one.key_hash for one in requests])
        fresh = {tag for tag, (found, _) in known.items() if found.number >= first}
        again: list[tuple[ClaimResult, ClaimRequest]] = []
        answer: list[ClaimResult] = []
        for one in requests:
            found, key = known[one.key_hash]
            if key != to_storable(one.key):
                # Two keys in 2**63: it is not sent, which is better than to take one for the other.
                _log.error("line %d is not sent: its key has the tag of line %d's by chance", one.line, found.line)
            elif one.key_hash in fresh:
                fresh.discard(one.key_hash)
                found = found._replace(claimed=True)
            elif found.state is EntryState.NEW and found.fingerprint in {b"", one.fingerprint}:
                known[one.key_hash] = (
                    found._replace(
                        attempt=found.attempt + 1,
                        state=EntryState.SENDING,
                        line=one.line,
                        fingerprint=one.fingerprint,
                        recipient=one.recipient,
                    ),
                    key,
                )
                found = known[one.key_hash][0]._replace(claimed=True)
                again.append((found, one))
            answer.append(found)
        if again:
            RECLAIM.run(
                self._database,
                [(found.number, one.line, one.fingerprint, one.key, one.recipient) for found, one in again],
                self._now,
                until,
            )
            self._count_change(EntryState.NEW, EntryState.SENDING, len(again))
            numbers = [found.number for found, _ in again]
            self._leases.add(min(numbers), max(numbers), until)
        return answer

    def _find(self, key_hashes: Sequence[int]) -> dict[int, tuple[ClaimResult, str]]:
        rows = FIND_BY_HASH.fetch(self._database, [(tag,) for tag in dict.fromkeys(key_hashes)])
        return {row[KEY_HASH_INDEX]: (claim_result_from_row(row), row[KEY_INDEX]) for row in rows}

    def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Keep a row of which no flow can be made."""
        known = self._find([request.key_hash]).get(request.key_hash)
        if known is None:
            tag, key, recipient, line, _ = request
            now = self._now
            values = (tag, key, recipient, recipient, line, now, now, now, reason)
            self._last_number += execute(self._database, INSERT_INVALID, values).rowcount
            self._state_counts[STATE_CODES[EntryState.INVALID]] += 1
            return True
        found, key = known
        if found.state not in {EntryState.NEW, EntryState.INVALID} or key != to_storable(request.key):
            return False
        execute(self._database, UPDATE_INVALID, (reason, request.line, self._now, found.number))
        self._count_change(found.state, EntryState.INVALID, 1)
        return True

    def delete_invalid(self) -> None:
        """Forget the INVALID rows of which nothing may have been taken."""
        many = self._database.execute(DELETE_INVALID).rowcount
        self._state_counts[STATE_CODES[EntryState.INVALID]] -= many
        (self._last_number,) = self._database.execute(LAST_NUMBER).fetchone()

    def expire_leases(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease."""
        return sum(self._expire(*span, LEASE_EXPIRED, self._now) for span in self._leases.due(self._now))

    def _expire_abandoned(self) -> None:
        self._expire(*_EVERYTHING, PROCESS_ENDED, math.inf)

    def _mark_all_unknown(self, since: float) -> None:
        """Make UNKNOWN what may have been sent after the last moment that is there."""
        self._lost = since, self._now
        self._database.execute("UPDATE ledger SET lost_since = ?, lost_until = ?", self._lost)
        self._database.execute(MARK_LOST_UNKNOWN, (since, self._now, self._now))
        many = self._state_counts[STATE_CODES[EntryState.NEW]]
        self._count_change(EntryState.NEW, EntryState.UNKNOWN, many)

    def _expire(self, first: int, last: int, reason: str, expired_before: float) -> int:
        if not self._state_counts[STATE_CODES[EntryState.SENDING]]:
            return 0
        many = self._database.execute(
            EXPIRE_LEASES, (self._now, reason, self._now, first, last, expired_before)
        ).rowcount
        self._count_change(EntryState.SENDING, EntryState.UNKNOWN, many)
        return many

    def put_document(self, name: str, text: str) -> None:
        """Keep a document."""
        self._has_documents = True
        execute(self._database, "INSERT OR REPLACE INTO documents (name, json) VALUES (?, ?)", (name, text))

    def _count_change(self, source: EntryState, target: EntryState, count: int) -> None:
        self._state_counts[STATE_CODES[source]] -= count
        self._state_counts[STATE_CODES[target]] += count
