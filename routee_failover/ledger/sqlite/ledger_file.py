"""The open file of a ledger: lock, connection and high-water mark, acquired and released in a safe order."""

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from ..._sqlite import UnusableDatabase, open_connection
from .database import LedgerDatabase
from .file_lock import FileLock
from .high_water_mark import COMMITS_SUFFIX, HighWaterMark, begin_creation, clear_creation, creation_begun, sidecar_path
from .loss_detection import check_for_loss
from .schema import EMPTY_FILE, connect_for_writing

READER_BLOCKS = "a program that reads it keeps it from being written; end that program"

FILE_MISSING = (
    "it is not there, and {} beside it is of a ledger that is gone; put it back. Remove what is left of it only if "
    "nothing was ever sent with it, for with a new ledger everyone would get a second message"
)


class LedgerFile:
    """Opens a ledger for one run. Raises `Unfit`, `sqlite3.Error` or `OSError`.

    The lock comes first and goes last: while SQLite has the file open, nothing else in this process may close it.
    """

    def __init__(self, path: Path, *, recover: bool = False) -> None:
        self._recover = recover
        self._has_lost = False
        self._process = os.getpid()
        self._lock: FileLock | None = None
        self._high_water: HighWaterMark | None = None
        self._connection: sqlite3.Connection | None = None
        if not os.path.lexists(path) and (left := begin_creation(path)) is not None:
            raise UnusableDatabase(FILE_MISSING.format(left))
        try:
            self._connection = open_connection(path, self._connect, on_existing=self._check)
        except BaseException:
            self.close(clean=False)
            if not os.path.lexists(path):
                clear_creation(path)
            raise

    def _check(self, path: Path) -> None:
        self._lock = FileLock(path)
        if not path.stat().st_size:
            if creation_begun(path):
                return
            raise UnusableDatabase(EMPTY_FILE)
        self._has_lost = check_for_loss(path, self._lock, recover=self._recover)

    def _connect(self, path: Path) -> sqlite3.Connection:
        made = self._lock is None
        lock = self._lock = self._lock or FileLock(path, wait=True)
        connection = connect_for_writing(path)
        try:
            self.database: LedgerDatabase = self._take_over(path, connection, lock.inode)
        except BaseException:
            connection.close()
            if self._high_water is not None:
                self._high_water.close(remove=made)
                self._high_water = None
            raise
        return connection

    def _take_over(self, path: Path, connection: sqlite3.Connection, inode: str) -> LedgerDatabase:
        # 1. The high-water mark, which has to be there before the mark in the ledger says so.
        ((run_id, commits),) = connection.execute("SELECT run_id, commits FROM ledger").fetchall()
        try:
            self._high_water = HighWaterMark(path, run_id, commits)
        except OSError as error:
            file = sidecar_path(path, COMMITS_SUFFIX).name
            raise UnusableDatabase(f"{file} beside it cannot be written: {os.strerror(error.errno or 0)}") from None
        # 2. The mark, with everything that the run before has left, in one transaction.
        book = LedgerDatabase(
            connection,
            owner=secrets.token_hex(8),
            inode=inode,
            has_loss=self._has_lost,
            on_commit=self._high_water.record,
        )
        # 3. All of it into the main file, before anything is claimed.
        if not book.checkpoint():
            raise UnusableDatabase(READER_BLOCKS)
        return book

    def close(self, *, clean: bool) -> None:
        """Close it. `ended` says that the run has written everything, so that the mark is cleared.

        In a process that was forked it does nothing: the ledger is that of the process that opened it.
        """
        if self._process != os.getpid():  # pragma: no cover - coverage does not follow forks
            return
        is_whole = False
        if self._connection is not None:
            with suppress(sqlite3.Error, UnusableDatabase, OSError):
                is_whole = clean and self.database.clear_owner()
            with suppress(sqlite3.Error):
                self._connection.close()
        if self._high_water is not None:
            self._high_water.close(remove=is_whole)
        if self._lock is not None:
            self._lock.release()
