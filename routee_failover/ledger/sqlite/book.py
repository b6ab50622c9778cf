"""What one transaction does to a ledger's file. It knows nothing of threads, and of the loop no more than a clock."""

import logging
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from ..._sqlite import UnusableDatabase
from ..clock import SteadyClock
from ..intent import Ending, Fate, Found, Wanted
from ..memory import LEASE_OVER
from ..states import Move, State
from .leases import Leases
from .rows import found_of
from .schema import CODES, STATES
from .statements import (
    CLAIM_AGAIN,
    CLAIM_NEW,
    DOUBT_LOST,
    ENTER_UNKNOWN,
    FORGET_INVALID,
    KEY,
    KNOWN,
    LAPSE,
    LAST,
    LEARN,
    MAKE,
    REFUSE_AGAIN,
    REFUSE_NEW,
    TAG,
    execute,
    writable,
)

LEFT = "its process ended before it was known what became of it"

_EVERYTHING = (1, (1 << 63) - 1)
_COUNTS = ", ".join(f"{state.lower()} = ?" for state in STATES)
_SAVE = f"UPDATE ledger SET moment = ?, commits = ?, {_COUNTS} WHERE owner = ?"
_OWNED = "SELECT count(*) FROM ledger WHERE owner = ?"
OVERTAKEN = "another run has opened it in spite of the lock, as on a disk that locks for one machine alone"
_log = logging.getLogger("routee_failover.ledger")

Told = tuple[Move, Ending]


class Book:
    """The writing side of a file that is open. Every method is part of a transaction, or makes one."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        owner: str,
        inode: str,
        has_lost: bool = False,
        committed: Callable[[int], object] = int,
    ) -> None:
        """Take the ledger over for a run, whose id is `owner`; `committed` is told how many transactions are safe."""
        self._database = connection
        self._owner, self._committed = owner, committed
        self._leases = Leases()
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
            (last,) = connection.execute(LAST).fetchone()
            self._last: int = last
            self._commits: int = commits
            self._tally = [0] * len(STATES)
            for code, many in connection.execute("SELECT state, count(*) FROM intents GROUP BY state"):
                self._tally[code] = many
            self._now = self.clock()
            self._leave_behind()
            self._lost: tuple[float, float] | None = None if since is None else (since, until)
            if has_lost:
                self._doubt_everything(moment if since is None else min(since, moment))
            self._save()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._committed(self._commits)

    @property
    def tally(self) -> tuple[int, ...]:
        """How many intents stand in each state, in the order of `schema.STATES`."""
        return tuple(self._tally)

    def transact(self, work: Callable[[], None]) -> None:
        """Do some work as one transaction; where it fails nothing is changed. Raises `Unfit` for another run's."""
        database, last, tally, commits = self._database, self._last, self._tally.copy(), self._commits
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
            self._last, self._tally, self._commits = last, tally, commits
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        if self._commits != commits:
            self._committed(self._commits)
            if self._has_documents:
                # What a run is known by is in the main file, whatever becomes of the log.
                self._has_documents = False
                database.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _save(self) -> None:
        self._commits += 1
        saved = self._database.execute(_SAVE, (self._now, self._commits, *self._tally, self._owner))
        if saved.rowcount != 1:
            raise UnusableDatabase(OVERTAKEN)

    def _check_owner(self) -> None:
        if self._database.execute(_OWNED, (self._owner,)).fetchone() != (1,):
            raise UnusableDatabase(OVERTAKEN)

    def checkpoint(self, how: str = "FULL") -> bool:
        """Copy the log into the main file, and sync that; return whether all of it is there."""
        busy, pages, copied = self._database.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
        return not busy and pages == copied

    def clear_mark(self) -> bool:
        """Clear the mark that a run has the ledger open; return whether the main file holds everything."""
        self.transact(self._clear)
        return self.checkpoint("TRUNCATE")

    def _clear(self) -> None:
        self._database.execute("UPDATE ledger SET owner = '' WHERE owner = ?", (self._owner,))
        self._owner = ""  # by which the transaction is checked

    def move(self, told: Sequence[Told]) -> int:
        """Make moves in their order; how many counted."""
        changed = 0
        seen: set[int] = set()
        by_move: dict[Move, list[Ending]] = {}
        for move, ending in told:
            if ending.number in seen:  # one statement changes an intent once
                changed += self._make(by_move)
                seen.clear()
                by_move.clear()
            seen.add(ending.number)
            by_move.setdefault(move, []).append(ending)
        return changed + self._make(by_move)

    def _make(self, by_move: Mapping[Move, list[Ending]]) -> int:
        changed = 0
        for move, endings in by_move.items():
            left = len(endings)
            for way in MAKE[move]:
                many = way.statement.run(self._database, endings, self._now)
                self._went(way.source, way.target, many)
                changed += many
                left -= many
                if not left:
                    break
        return changed

    def learn(self, fates: Sequence[Fate]) -> None:
        """Keep how flows ended; of two that are told of one flow, the later."""
        LEARN.run(self._database, list({fate.number: fate for fate in fates}.values()))

    def claim(self, wanted: Sequence[Wanted], lease: float) -> list[Found]:
        """Take what is NEW or not there."""
        until = self._now + lease
        if self._lost is not None:
            return self._claim_after_loss(wanted, until, *self._lost)
        first = self._last + 1
        new = CLAIM_NEW.run(self._database, wanted, self._now, until)
        if new:
            self._last += new
            self._tally[CODES[State.SENDING]] += new
            self._leases.note(first, self._last, until)
        if new == len(wanted):
            return [
                Found(number, 1, State.SENDING, one.line, one.fingerprint, True, one.recipient)
                for number, one in enumerate(wanted, first)
            ]
        return self._claim_known(wanted, first, until)

    def _claim_after_loss(
        self, wanted: Sequence[Wanted], until: float, lost_since: float, lost_until: float
    ) -> list[Found]:
        """Enter as UNKNOWN what is not there: it may have been sent, and the entry lost."""
        entered = ENTER_UNKNOWN.run(self._database, wanted, lost_since, lost_until, lost_until)
        self._last += entered
        self._tally[CODES[State.UNKNOWN]] += entered
        return self._claim_known(wanted, self._last + 1, until)

    def _claim_known(self, wanted: Sequence[Wanted], first: int, until: float) -> list[Found]:
        known = self._known([one.tag for one in wanted])
        fresh = {tag for tag, (found, _) in known.items() if found.number >= first}
        again: list[tuple[Found, Wanted]] = []
        answer: list[Found] = []
        for one in wanted:
            found, key = known[one.tag]
            if key != writable(one.key):
                # Two keys in 2**63: it is not sent, which is better than to take one for the other.
                _log.error("line %d is not sent: its key has the tag of line %d's by chance", one.line, found.line)
            elif one.tag in fresh:
                fresh.discard(one.tag)
                found = found._replace(mine=True)
            elif found.state is State.NEW and found.fingerprint in {b"", one.fingerprint}:
                known[one.tag] = (
                    found._replace(
                        attempt=found.attempt + 1,
                        state=State.SENDING,
                        line=one.line,
                        fingerprint=one.fingerprint,
                        recipient=one.recipient,
                    ),
                    key,
                )
                found = known[one.tag][0]._replace(mine=True)
                again.append((found, one))
            answer.append(found)
        if again:
            CLAIM_AGAIN.run(
                self._database,
                [(found.number, one.line, one.fingerprint, one.key, one.recipient) for found, one in again],
                self._now,
                until,
            )
            self._went(State.NEW, State.SENDING, len(again))
            numbers = [found.number for found, _ in again]
            self._leases.note(min(numbers), max(numbers), until)
        return answer

    def _known(self, tags: Sequence[int]) -> dict[int, tuple[Found, str]]:
        rows = KNOWN.ask(self._database, [(tag,) for tag in dict.fromkeys(tags)])
        return {row[TAG]: (found_of(row), row[KEY]) for row in rows}

    def refuse(self, wanted: Wanted, reason: str) -> bool:
        """Keep a row of which no flow can be made."""
        known = self._known([wanted.tag]).get(wanted.tag)
        if known is None:
            tag, key, recipient, line, _ = wanted
            now = self._now
            values = (tag, key, recipient, recipient, line, now, now, now, reason)
            self._last += execute(self._database, REFUSE_NEW, values).rowcount
            self._tally[CODES[State.INVALID]] += 1
            return True
        found, key = known
        if found.state not in {State.NEW, State.INVALID} or key != writable(wanted.key):
            return False
        execute(self._database, REFUSE_AGAIN, (reason, wanted.line, self._now, found.number))
        self._went(found.state, State.INVALID, 1)
        return True

    def forget_invalid(self) -> None:
        """Forget the INVALID rows of which nothing may have been taken."""
        many = self._database.execute(FORGET_INVALID).rowcount
        self._tally[CODES[State.INVALID]] -= many
        (self._last,) = self._database.execute(LAST).fetchone()

    def lapse(self) -> int:
        """Make UNKNOWN whatever is SENDING past its lease."""
        return sum(self._lapse(*span, LEASE_OVER, self._now) for span in self._leases.due(self._now))

    def _leave_behind(self) -> None:
        self._lapse(*_EVERYTHING, LEFT, math.inf)

    def _doubt_everything(self, since: float) -> None:
        """Make UNKNOWN what may have been sent after the last moment that is there."""
        self._lost = since, self._now
        self._database.execute("UPDATE ledger SET lost_since = ?, lost_until = ?", self._lost)
        self._database.execute(DOUBT_LOST, (since, self._now, self._now))
        many = self._tally[CODES[State.NEW]]
        self._went(State.NEW, State.UNKNOWN, many)

    def _lapse(self, first: int, last: int, reason: str, moment: float) -> int:
        if not self._tally[CODES[State.SENDING]]:
            return 0
        many = self._database.execute(LAPSE, (self._now, reason, self._now, first, last, moment)).rowcount
        self._went(State.SENDING, State.UNKNOWN, many)
        return many

    def put(self, name: str, text: str) -> None:
        """Keep a document."""
        self._has_documents = True
        execute(self._database, "INSERT OR REPLACE INTO documents (name, json) VALUES (?, ?)", (name, text))

    def _went(self, source: State, target: State, many: int) -> None:
        self._tally[CODES[source]] -= many
        self._tally[CODES[target]] += many
