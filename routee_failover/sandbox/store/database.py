"""The file behind a store: opened for this process alone, made private, or refused in a sentence that says why."""

import errno
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from ..failure import SandboxError

_APPLICATION = 0x52464F53  # what marks a database as a sandbox's
_VERSION = 1
_READABLE_BY_OWNER = 0o600  # the PINs of tests are in it

_WHY = {
    "SQLITE_BUSY": "another process has it open; give each sandbox a file of its own",
    "SQLITE_CANTOPEN": "its folder cannot be written to",  # SQLite makes its log there
    "SQLITE_CORRUPT": "it is damaged; move it away",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk refuses it",
    "SQLITE_NOTADB": "it is a file of another kind, or damaged; it was left as it is",
    "SQLITE_READONLY_DIRECTORY": "its folder cannot be written to",
    "SQLITE_READONLY": "it cannot be written to",
}


class _Unfit(Exception):  # a sentence, like the errors of the whole library
    """The file is there, and is no sandbox's."""


def open_database(path: Path) -> sqlite3.Connection:
    """The database in this file, made when there is none, locked until it is closed.

    Raises `SandboxError` for a file that cannot be used: not ours, newer, damaged, in use, or not writable.
    """
    try:
        real = Path(os.path.realpath(path))
        made = _made(real)
    except FileNotFoundError:
        raise cannot_keep(path, "there is no such folder") from None
    except OSError as error:
        raise cannot_keep(path, os.strerror(error.errno or 0)) from None
    except (ValueError, _Unfit) as error:  # a name that no file can have, or what is no file
        raise cannot_keep(path, str(error)) from None
    try:
        return _connected(real)
    except sqlite3.Error as error:
        reason = why(error)
    except _Unfit as error:
        reason = str(error)
    if made:
        with suppress(OSError):
            real.unlink()
    raise cannot_keep(path, reason)


def why(error: sqlite3.Error) -> str:
    """What SQLite complains of, in words for those who run a sandbox."""
    name = getattr(error, "sqlite_errorname", None) or ""
    words = next((words for code, words in _WHY.items() if name.startswith(code)), None)
    return words or str(error)


def cannot_keep(path: Path, reason: str) -> SandboxError:
    """The error of a file that cannot be used."""
    return SandboxError(f"cannot keep anything in {path}: {reason}")


def _made(path: Path) -> bool:
    """Whether there was no such file and an empty one was made, which nobody else can read.

    A file that is there is not opened: to close it would open SQLite's lock, were it another sandbox's in this process.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _READABLE_BY_OWNER))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "") from None
        if not path.is_file():
            raise _Unfit("it is no file") from None
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, "") from None
        return False
    return True


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        _take(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _take(connection: sqlite3.Connection) -> None:
    # Exclusive: the first reading locks the file until the connection, or the process, ends. With a log beside it a
    # commit is in the system's hands at once, and survives whatever becomes of the process.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    application, version, tables = (
        _number(connection, query)
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != _APPLICATION and (application or version or tables):
        raise _Unfit("it is a database of something else; it was left as it is")
    if version > _VERSION:
        raise _Unfit("a newer routee-failover has written it; update this one, or name another file")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    if not version:
        _prepare(connection)
    elif connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise _Unfit(_WHY["SQLITE_CORRUPT"])


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "CREATE TABLE kept (place INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL,"
        " UNIQUE (kind, key))"
    )
    connection.execute(f"PRAGMA application_id={_APPLICATION}")
    connection.execute(f"PRAGMA user_version={_VERSION}")
    connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, query: str) -> int:
    (found,) = connection.execute(query).fetchone()
    return int(found)
