"""SQLite file of a store: opened exclusively and made private, or rejected with the reason."""

import sqlite3
from pathlib import Path

from ..._sqlite import (
    DAMAGED,
    UnusableDatabase,
    check_integrity,
    describe_error,
    open_connection,
    resolve_path,
    schema_version,
)
from ..errors import SandboxError

_APPLICATION_ID = 0x52464F53  # marks a database as one of a sandbox
_VERSION = 1

__all__ = ["describe_error", "open_database", "unusable_store"]


def open_database(path: Path) -> sqlite3.Connection:
    """Open the database in this file, creating it if there is none, and lock it until it is closed.

    Raises `SandboxError` for a file that cannot be used: not ours, newer, damaged, in use, or not writable.
    """
    try:
        return open_connection(resolve_path(path), _connect)
    except UnusableDatabase as error:
        reason = str(error)
        raise unusable_store(path, f"{reason}; move it away" if reason == DAMAGED else reason) from None


def unusable_store(path: Path, reason: str) -> SandboxError:
    """Return the error for a file that cannot be used."""
    return SandboxError(f"cannot use the store {path}: {reason}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _configure(connection)
    except BaseException as error:
        connection.close()
        if getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY":
            raise UnusableDatabase("another process has it open; give each sandbox a file of its own") from None
        raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    # Exclusive: the first read locks the file until the connection is closed or the process ends. In WAL mode a commit
    # has reached the operating system when it returns, so it survives the end of the process.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    version = schema_version(connection, _APPLICATION_ID, _VERSION)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if version:
        check_integrity(connection)
    else:
        _create_schema(connection)


def _create_schema(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE documents"
        " (position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,"
        " UNIQUE (kind, key))"
    )
    connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={_VERSION}")
    connection.execute("COMMIT")
