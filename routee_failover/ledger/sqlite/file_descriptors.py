"""Descriptors of a file that SQLite has open as well: none is closed before this process's last connection to it.

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

FILE_REPLACED = "its file was exchanged while it was opened"

FileId = tuple[int, int]

_guard = threading.Lock()
_connections: Counter[FileId] = Counter()
_kept: dict[FileId, list[int]] = {}


def file_id(found: os.stat_result) -> FileId:
    """Return what a file is known by, whatever its name."""
    return found.st_dev, found.st_ino


class CountedConnection(sqlite3.Connection):
    """SQLite connection that is counted until it is closed."""

    file: FileId | None = None
    process: int = 0

    def close(self) -> None:
        """Close it, and with the last one the descriptors that waited for that."""
        super().close()
        file, self.file = self.file, None
        if file is not None and self.process == os.getpid():
            _release(file)


def connect(path: Path, database: str, **options: Any) -> sqlite3.Connection:
    """Connect to the existing file at `path`, which `database` names in SQLite's own way."""
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
            _kept.setdefault(file, []).append(descriptor)
        else:
            del _connections[file]
            os.close(descriptor)


def _release(file: FileId) -> None:
    with _guard:
        _connections[file] -= 1
        if not _connections[file]:
            del _connections[file]
            for descriptor in _kept.pop(file, ()):
                os.close(descriptor)


def _forget_after_fork() -> None:  # pragma: no cover - coverage does not follow forks
    """Begin anew in a process that was forked: it has none of SQLite's locks, and its connections are no more used."""
    global _guard  # noqa: PLW0603 - a thread that is not here may hold it
    _guard = threading.Lock()
    for kept in _kept.values():
        for descriptor in kept:
            os.close(descriptor)
    _kept.clear()
    _connections.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch
    os.register_at_fork(after_in_child=_forget_after_fork)
