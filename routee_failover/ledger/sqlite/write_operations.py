"""Database operations of a ledger's file, each within one transaction. They know no threads and no event loop."""

import logging
import math
import sqlite3
from collections import defaultdict
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

PROCESS_ENDED = "its process ended before the outcome was known"

_ALL_NUMBERS = (1, (1 << 63) - 1)
_COUNTS = ", ".join(f"{state.lower()} = ?" for state in STATES)
_SAVE = f"UPDATE ledger SET committed_at = ?, commits = ?, {_COUNTS} WHERE owner = ?"
_OWNED = "SELECT count(*) FROM ledger WHERE owner = ?"
OPENED_ELSEWHERE = "another run has opened it in spite of the lock, as on a disk whose locks cover only one machine"
_log = logging.getLogger("routee_failover.ledger")

TransitionRecord = tuple[Transition, TransitionDetails]


class LedgerDatabase:
    """Writing connection of an open ledger file. Every method is part of a transaction, or runs one."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        owner: str,
        inode: str,
        has_loss: bool = False,
        on_commit: Callable[[int], object] = int,
    ) -> None:
        """Take ownership of the ledger for a run with the id `owner`.

        `on_commit` is called with the number of transactions that are safe on the disk.
        """
        self._database = connection
        self._owner, self._on_commit = owner, on_commit
        self._leases = LeaseIndex()
        self._has_documents = False
        self._now = 0.0
        connection.execute("BEGIN IMMEDIATE")
        try:
            # 1. Set the owner: from here on no other run, if there is one in spite of the lock, can write.
            connection.execute("UPDATE ledger SET owner = ?, inode = ?", (owner, inode))
            # 2. Read what the ledger holds.
            columns = "run_id, committed_at, commits, lost_since, lost_until"
            ((run_id, committed_at, commits, since, until),) = connection.execute(
                f"SELECT {columns} FROM ledger"
            ).fetchall()
            self.run_id: str = run_id
            self.clock: Callable[[], float] = SteadyClock(committed_at)
            (last,) = connection.execute(LAST_NUMBER).fetchone()
            self._last_number: int = last
            self._commits: int = commits
            self._state_counts = [0] * len(STATES)
            for code, count in connection.execute("SELECT state, count(*) FROM entries GROUP BY state"):
                self._state_counts[code] = count
            # 3. Make UNKNOWN what the run before was sending, and what a loss may concern.
            self._now = self.clock()
            self._expire_abandoned()
            self._lost: tuple[float, float] | None = None if since is None else (since, until)
            if has_loss:
                self._mark_all_unknown(committed_at if since is None else min(since, committed_at))
            # 4. Commit.
            self._save()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._on_commit(self._commits)

    @property
    def state_counts(self) -> tuple[int, ...]:
        """Number of entries in each state, in the order of `schema.STATES`."""
        return tuple(self._state_counts)

    def transact(self, work: Callable[[], None]) -> None:
        """Run some work as one transaction; if it fails nothing is changed.

        Raises `UnusableDatabase` where another run owns the ledger.
        """
        database, last, counts, commits = self._database, self._last_number, self._state_counts.copy(), self._commits
        before = database.total_changes
        self._now = self.clock()
        # Each of the two gives up the GIL once; with `execute` it would be three times (see `statements`).
        database.executescript("BEGIN IMMEDIATE")
        try:
            work()
            if database.total_changes != before:
                self._save()
            else:
                self._check_owner()
            database.commit()
        except BaseException:
            self._last_number, self._state_counts, self._commits = last, counts, commits
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        if self._commits != commits:
            self._on_commit(self._commits)
            if self._has_documents:
                # A checkpoint puts the run's documents into the main file, so that they survive the loss of the log.
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
        """Copy the log into the main file, and sync that; return whether all of it was copied."""
        busy, pages, copied = self._database.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        return not busy and pages == copied

    def clear_owner(self) -> bool:
        """Clear the owner, because no run has the ledger open now; return whether the main file holds everything."""
        self.transact(self._clear_owner)
        return self.checkpoint("TRUNCATE")

    def _clear_owner(self) -> None:
        self._database.execute("UPDATE ledger SET owner = '' WHERE owner = ?", (self._owner,))
        self._owner = ""  # the transaction's check compares with it

    def apply(self, records: Sequence[TransitionRecord]) -> int:
        """Apply transitions in their order; return how many of them changed an entry."""
        changed = 0
        seen: set[int] = set()
        by_transition: defaultdict[Transition, list[TransitionDetails]] = defaultdict(list)
        for transition, details in records:
            if details.number in seen:  # one statement changes an entry once
                changed += self._apply_distinct(by_transition)
                seen.clear()
                by_transition.clear()
            seen.add(details.number)
            by_transition[transition].append(details)
        return changed + self._apply_distinct(by_transition)

    def _apply_distinct(self, by_transition: Mapping[Transition, list[TransitionDetails]]) -> int:
        changed = 0
        for transition, batch in by_transition.items():
            remaining = len(batch)
            for change in TRANSITION_STATEMENTS[transition]:
                count = change.statement.run(self._database, batch, self._now)
                self._count_change(change.source, change.target, count)
                changed += count
                remaining -= count
                if not remaining:
                    break
        return changed

    def record_delivery_reports(self, reports: Sequence[DeliveryReport]) -> None:
        """Record delivery reports; of two for one flow, the later."""
        RECORD_DELIVERY_REPORTS.run(self._database, list({report.number: report for report in reports}.values()))

    def claim(self, requests: Sequence[ClaimRequest], lease: float) -> list[ClaimResult]:
        """Claim what is NEW or not in the ledger yet."""
        expires_at = self._now + lease
        if self._lost is not None:
            return self._claim_after_loss(requests, expires_at, *self._lost)
        first = self._last_number + 1
        inserted = CLAIM_NEW.run(self._database, requests, self._now, expires_at)
        if inserted:
            self._last_number += inserted
            self._state_counts[STATE_CODES[EntryState.SENDING]] += inserted
            self._leases.add(first, self._last_number, expires_at)
        if inserted == len(requests):
            return [
                ClaimResult(number, 1, EntryState.SENDING, request.line, request.fingerprint, True, request.recipient)
                for number, request in enumerate(requests, first)
            ]
        return self._claim_existing(requests, first, expires_at)

    def _claim_after_loss(
        self, requests: Sequence[ClaimRequest], expires_at: float, lost_since: float, lost_until: float
    ) -> list[ClaimResult]:
        """Insert as UNKNOWN what is not in the ledger: it may have been sent, and its entry lost."""
        inserted = INSERT_UNKNOWN.run(self._database, requests, lost_since, lost_until, lost_until)
        self._last_number += inserted
        self._state_counts[STATE_CODES[EntryState.UNKNOWN]] += inserted
        return self._claim_existing(requests, self._last_number + 1, expires_at)

    def _claim_existing(self, requests: Sequence[ClaimRequest], first: int, expires_at: float) -> list[ClaimResult]:
        # 1. Find all of them. Numbers from `first` on were inserted by this transaction.
        known = self._find([request.key_hash for request in requests])
        inserted = {key_hash for key_hash, (found, _) in known.items() if found.number >= first}
        reclaimed: list[tuple[ClaimResult, ClaimRequest]] = []
        results: list[ClaimResult] = []
        # 2. Decide for each request, in order: of two with one key the first has the claim.
        for request in requests:
            found, key = known[request.key_hash]
            if key != to_storable(request.key):
                # A hash collision, one in 2**63: it is not sent, which is better than to mistake one for the other.
                _log.error(
                    "line %d is not sent: its key has the key hash of line %d by chance", request.line, found.line
                )
            elif request.key_hash in inserted:
                inserted.discard(request.key_hash)
                found = found._replace(claimed=True)
            elif found.state is EntryState.NEW and found.fingerprint in {b"", request.fingerprint}:
                known[request.key_hash] = (
                    found._replace(
                        attempt=found.attempt + 1,
                        state=EntryState.SENDING,
                        line=request.line,
                        fingerprint=request.fingerprint,
                        recipient=request.recipient,
                    ),
                    key,
                )
                found = known[request.key_hash][0]._replace(claimed=True)
                reclaimed.append((found, request))
            results.append(found)
        # 3. Write the claims of those that were NEW.
        if reclaimed:
            RECLAIM.run(
                self._database,
                [
                    (found.number, request.line, request.fingerprint, request.key, request.recipient)
                    for found, request in reclaimed
                ],
                self._now,
                expires_at,
            )
            self._count_change(EntryState.NEW, EntryState.SENDING, len(reclaimed))
            numbers = [found.number for found, _ in reclaimed]
            self._leases.add(min(numbers), max(numbers), expires_at)
        return results

    def _find(self, key_hashes: Sequence[int]) -> dict[int, tuple[ClaimResult, str]]:
        rows = FIND_BY_HASH.fetch(self._database, [(key_hash,) for key_hash in dict.fromkeys(key_hashes)])
        return {row[KEY_HASH_INDEX]: (claim_result_from_row(row), row[KEY_INDEX]) for row in rows}

    def mark_invalid(self, request: ClaimRequest, reason: str) -> bool:
        """Record as INVALID a row from which no flow can be built."""
        known = self._find([request.key_hash]).get(request.key_hash)
        if known is None:
            key_hash, key, recipient, line, _ = request
            now = self._now
            values = (key_hash, key, recipient, recipient, line, now, now, now, reason)
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
        """Delete the INVALID entries of which nothing may have been accepted."""
        count = self._database.execute(DELETE_INVALID).rowcount
        self._state_counts[STATE_CODES[EntryState.INVALID]] -= count
        (self._last_number,) = self._database.execute(LAST_NUMBER).fetchone()

    def expire_leases(self) -> int:
        """Make UNKNOWN the entries that are SENDING past their lease."""
        return sum(self._expire(*span, LEASE_EXPIRED, self._now) for span in self._leases.due(self._now))

    def _expire_abandoned(self) -> None:
        self._expire(*_ALL_NUMBERS, PROCESS_ENDED, math.inf)

    def _mark_all_unknown(self, since: float) -> None:
        """Make UNKNOWN what may have been sent after the last commit that is in the file."""
        self._lost = since, self._now
        self._database.execute("UPDATE ledger SET lost_since = ?, lost_until = ?", self._lost)
        self._database.execute(MARK_LOST_UNKNOWN, (since, self._now, self._now))
        count = self._state_counts[STATE_CODES[EntryState.NEW]]
        self._count_change(EntryState.NEW, EntryState.UNKNOWN, count)

    def _expire(self, first: int, last: int, reason: str, expired_before: float) -> int:
        if not self._state_counts[STATE_CODES[EntryState.SENDING]]:
            return 0
        count = self._database.execute(
            EXPIRE_LEASES, (self._now, reason, self._now, first, last, expired_before)
        ).rowcount
        self._count_change(EntryState.SENDING, EntryState.UNKNOWN, count)
        return count

    def put_document(self, name: str, text: str) -> None:
        """Store a document."""
        self._has_documents = True
        execute(self._database, "INSERT OR REPLACE INTO documents (name, json) VALUES (?, ?)", (name, text))

    def _count_change(self, source: EntryState, target: EntryState, count: int) -> None:
        self._state_counts[STATE_CODES[source]] -= count
        self._state_counts[STATE_CODES[target]] += count
