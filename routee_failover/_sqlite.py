"""Open SQLite files safely: private to their owner, or `UnusableDatabase` with the reason. Knows no schema."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OWNER_ONLY = 0o600

SQLITE_MAGIC = b"SQLite format 3\0"
"""First bytes of every SQLite database file."""
DAMAGED = "it is damaged"
FOREIGN_DATABASE = "it is the database of another program; it was not changed"
NEWER_VERSION = "a newer routee-failover has written it; update this one"
HARD_LINKED = (
    "it has another name (a hard link), and its log belongs to one of the names only; keep the name under which it was "
    "last used, and remove the other"
)

_REASONS = {
    "SQLITE_BUSY": "another process has it open",
    "SQLITE_CANTOPEN": "its folder cannot be written to",  # SQLite creates its log there
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk reported an I/O error",
    "SQLITE_NOTADB": "it is not an SQLite database, or damaged; it was not changed",
    "SQLITE_READONLY_DIRECTORY": "its folder cannot be written to",
    "SQLITE_READONLY": "it cannot be written to",
}


class UnusableDatabase(Exception):
    """A database file cannot be used; the text is the reason."""


def describe_error(error: sqlite3.Error) -> str:
    """Return the reason of an SQLite error, as a text for the operator of the program."""
    name = getattr(error, "sqlite_errorname", None) or ""
    reason = next((reason for code, reason in _REASONS.items() if name.startswith(code)), None)
    return reason or str(error)


def resolve_path(path: Path) -> Path:
    """Return the path with all links resolved. Raises `UnusableDatabase` for an invalid file name."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise UnusableDatabase(_describe_os_error(error)) from None


def open_connection(
    path: Path, connect: Callable[[Path], sqlite3.Connection], *, on_existing: Callable[[Path], object] | None = None
) -> sqlite3.Connection:
    """Return `connect(path)`, after creating the file for its owner only if it is missing.

    - `connect`: opens the connection and prepares the database.
    - `on_existing`: called with the path before `connect` if the file already existed.

    Raises `UnusableDatabase`, also for a file with several names (hard links). A file that was created is removed again
    if `connect` fails.
    """
    try:
        created = _create(path)
        if path.stat().st_nlink > 1:
            raise UnusableDatabase(HARD_LINKED)
    except (OSError, ValueError) as error:
        raise UnusableDatabase(_describe_os_error(error)) from None
    try:
        if on_existing is not None and not created:
            on_existing(path)
        return connect(path)
    except BaseException as error:
        if created:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, UnusableDatabase):
            reason = str(error)
        elif isinstance(error, sqlite3.Error):
            reason = describe_error(error)
        elif isinstance(error, OSError):
            reason = _describe_os_error(error)
        else:
            raise
    raise UnusableDatabase(reason)


def schema_version(connection: sqlite3.Connection, application_id: int, latest: int) -> int:
    """Return the schema version (`user_version`) of our database; 0 for an empty file.

    Raises `UnusableDatabase` for the database of another program, and for a version above `latest`.
    """
    found_id, version, tables = (
        query_int(connection, query)
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if found_id != application_id and (found_id or version or tables):
        raise UnusableDatabase(FOREIGN_DATABASE)
    if version > latest:
        raise UnusableDatabase(NEWER_VERSION)
    return version


def check_integrity(connection: sqlite3.Connection) -> None:
    """Run SQLite's `quick_check`. Raises `UnusableDatabase` if the database is damaged."""
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise UnusableDatabase(DAMAGED)


def query_int(connection: sqlite3.Connection, query: str) -> int:
    """Return the single number that a query selects."""
    (number,) = connection.execute(query).fetchone()
    return int(number)


def _create(path: Path) -> bool:
    """Create an empty file that only its owner can read; return false if the file already exists.

    An existing file is not opened: closing it would release SQLite's lock if this process has it open elsewhere.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "") from None
        if not path.is_file():
            raise UnusableDatabase("it is not a regular file") from None
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, "") from None
        return False
    return True


def _describe_os_error(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    return "it is not a valid file name"  # the texts of Python versions differ
