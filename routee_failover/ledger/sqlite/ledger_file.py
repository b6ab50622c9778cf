"""Open file of a ledger: lock, connection and high-water mark, acquired and released in a safe order."""

import os
import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from ..._sqlite import UnusableDatabase, open_connection
from .file_lock import FileLock
from .high_water_mark import COMMITS_SUFFIX, HighWaterMark, begin_creation, clear_creation, creation_begun, sidecar_path
from .loss_detection import check_for_loss
from .schema import EMPTY_FILE, connect_for_writing
from .write_operations import LedgerDatabase

READER_BLOCKS = "a program that reads it keeps it from being written; stop that program"

FILE_MISSING = (
    "it is missing, and {} beside it belongs to a ledger that is gone; restore that ledger. Remove what is left of it "
    "only if nothing was ever sent with it: with a new ledger everyone would get a second message"
)


class LedgerFile:
    """File of a ledger, open for one run. Raises `UnusableDatabase`, `sqlite3.Error` or `OSError`.

    The lock is acquired first and released last: while SQLite has the file open, nothing else in this process may
    close it.
    """

    def __init__(self, path: Path, *, recover: bool = False) -> None:
        self._recover = recover
        self._has_loss = False
        self._process = os.getpid()
        self._lock: FileLock | None = None
        self._high_water: HighWaterMark | None = None
        self._connection: sqlite3.Connection | None = None
        if not os.path.lexists(path) and (leftover := begin_creation(path)) is not None:
            raise UnusableDatabase(FILE_MISSING.format(leftover))
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
        self._has_loss = check_for_loss(path, self._lock, recover=self._recover)

    def _connect(self, path: Path) -> sqlite3.Connection:
        created = self._lock is None
        lock = self._lock = self._lock or FileLock(path, wait=True)
        connection = connect_for_writing(path)
        try:
            self.database: LedgerDatabase = self._take_ownership(path, connection, lock.inode)
        except BaseException:
            connection.close()
            if self._high_water is not None:
                self._high_water.close(remove=created)
                self._high_water = None
            raise
        return connection

    def _take_ownership(self, path: Path, connection: sqlite3.Connection, inode: str) -> LedgerDatabase:
        # 1. Write the high-water mark, which must exist before the owner in the ledger says that it does.
        ((run_id, commits),) = connection.execute("SELECT run_id, commits FROM ledger").fetchall()
        try:
            self._high_water = HighWaterMark(path, run_id, commits)
        except OSError as error:
            file = sidecar_path(path, COMMITS_SUFFIX).name
            raise UnusableDatabase(f"{file} beside it cannot be written: {os.strerror(error.errno or 0)}") from None
        # 2. Set the owner and make UNKNOWN what the run before was sending, in one transaction.
        database = LedgerDatabase(
            connection,
            owner=secrets.token_hex(8),
            inode=inode,
            has_loss=self._has_loss,
            on_commit=self._high_water.record,
        )
        # 3. Copy all of it into the main file, before anything is claimed.
        if not database.checkpoint():
            raise UnusableDatabase(READER_BLOCKS)
        return database

    def close(self, *, clean: bool) -> None:
        """Close the file. `clean` says that the run has written everything, so that the owner is cleared.

        In a forked process it does nothing: the ledger belongs to the process that opened it.
        """
        if self._process != os.getpid():  # pragma: no cover - coverage does not follow forks
            return
        is_complete = False
        if self._connection is not None:
            with suppress(sqlite3.Error, UnusableDatabase, OSError):
                is_complete = clean and self.database.clear_owner()
            with suppress(sqlite3.Error):
                self._connection.close()
        if self._high_water is not None:
            self._high_water.close(remove=is_complete)
        if self._lock is not None:
            self._lock.release()
