"""File descriptors of a file that SQLite has open too: none is closed before this process's last connection to it.

POSIX releases every fcntl lock that a process has on a file when the process closes any descriptor of that file, and
SQLite locks with fcntl.
"""

import os
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from ..._sqlite import UnusableDatabase

FILE_REPLACED = "its file was replaced while it was opened"

FileId = tuple[int, int]

_guard = threading.Lock()
_connections: Counter[FileId] = Counter()
_deferred: dict[FileId, list[int]] = {}
"""Descriptors that are closed with the last connection to their file."""


def file_id(status: os.stat_result) -> FileId:
    """Return the identity of a file, which does not depend on its name."""
    return status.st_dev, status.st_ino


class CountedConnection(sqlite3.Connection):
    """SQLite connection that is counted until it is closed."""

    file: FileId | None = None
    process: int = 0

    def close(self) -> None:
        """Close the connection, and with the last one the descriptors whose closing was deferred."""
        super().close()
        file, self.file = self.file, None
        if file is not None and self.process == os.getpid():
            _release(file)


def connect(path: Path, database: str, **options: Any) -> sqlite3.Connection:
    """Connect to the existing file at `path`; `database` is the same file as a name or URI for SQLite."""
    file = file_id(path.stat())
    with _guard:
        _connections[file] += 1
    try:
        connection = sqlite3.connect(
            database, isolation_level=None, check_same_thread=False, factory=CountedConnection, **options
        )
    except BaseException:
        _release(file)
        raise
    connection.file, connection.process = file, os.getpid()
    if file_id(path.stat()) != file:
        connection.close()
        raise UnusableDatabase(FILE_REPLACED)
    return connection


def close(descriptor: int) -> None:
    """Close a descriptor now, or with SQLite's last connection to its file."""
    with _guard:
        file = file_id(os.fstat(descriptor))
        if _connections[file]:
            _deferred.setdefault(file, []).append(descriptor)
        else:
            del _connections[file]
            os.close(descriptor)


def _release(file: FileId) -> None:
    with _guard:
        _connections[file] -= 1
        if not _connections[file]:
            del _connections[file]
            for descriptor in _deferred.pop(file, ()):
                os.close(descriptor)


def _reset_after_fork() -> None:  # pragma: no cover - coverage does not follow forks
    """Reset a forked process: it has none of SQLite's locks, and its copies of the connections are not used."""
    global _guard  # noqa: PLW0603 - a thread that does not exist in the child may hold it
    _guard = threading.Lock()
    for descriptors in _deferred.values():
        for descriptor in descriptors:
            os.close(descriptor)
    _deferred.clear()
    _connections.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_reset_after_fork)
