"""Opening an SQLite file with care: made private, or refused in words that say why. It knows no tables."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_READABLE_BY_OWNER = 0o600

SQLITE_MAGIC = b"SQLite format 3\0"
"""What every database begins with."""
DAMAGED = "it is damaged"
FOREIGN_DATABASE = "it is a database of something else; it was left as it is"
NEWER_VERSION = "a newer routee-failover has written it; update this one"
HARD_LINKED = (
    "it has another name (a hard link), through which its log cannot be seen; keep the name under which it was last "
    "used, and remove the other"
)

_WHY = {
    "SQLITE_BUSY": "another process has it open",
    "SQLITE_CANTOPEN": "its folder cannot be written to",  # SQLite makes its log there
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk refuses it",
    "SQLITE_NOTADB": "it is a file of another kind, or damaged; it was left as it is",
    "SQLITE_READONLY_DIRECTORY": "its folder cannot be written to",
    "SQLITE_READONLY": "it cannot be written to",
}


class UnusableDatabase(Exception):  # a sentence, like the errors of the whole library
    """A file that cannot be used; the text is the reason."""


def describe_error(error: sqlite3.Error) -> str:
    """What SQLite complains of, in words for those who run the program."""
    name = getattr(error, "sqlite_errorname", None) or ""
    words = next((words for code, words in _WHY.items() if name.startswith(code)), None)
    return words or str(error)


def resolve_path(path: Path) -> Path:
    """The file itself, behind links. Raises `Unfit` for a name that no file can have."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        raise UnusableDatabase(_words(error)) from None


def open_connection(
    path: Path, connect: Callable[[Path], sqlite3.Connection], *, on_existing: Callable[[Path], object] | None = None
) -> sqlite3.Connection:
    """What `connect` makes of the file, which is made when there is none, for its owner alone.

    For a file that was there, `found` is called before it. Raises `Unfit`, also for a file with several names. A file
    that was made for nothing is taken away again.
    """
    try:
        made = _made(path)
        if path.stat().st_nlink > 1:
            raise UnusableDatabase(HARD_LINKED)
    except (OSError, ValueError) as error:
        raise UnusableDatabase(_words(error)) from None
    try:
        if on_existing is not None and not made:
            on_existing(path)
        return connect(path)
    except BaseException as error:
        if made:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, UnusableDatabase):
            reason = str(error)
        elif isinstance(error, sqlite3.Error):
            reason = describe_error(error)
        elif isinstance(error, OSError):
            reason = _words(error)
        else:
            raise
    raise UnusableDatabase(reason)


def schema_version(connection: sqlite3.Connection, application_id: int, latest: int) -> int:
    """The version of our tables in it; 0 when it is empty. Raises `Unfit` for somebody else's file and a newer one."""
    found, version, tables = (
        query_int(connection, query)
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if found != application_id and (found or version or tables):
        raise UnusableDatabase(FOREIGN_DATABASE)
    if version > latest:
        raise UnusableDatabase(NEWER_VERSION)
    return version


def check_integrity(connection: sqlite3.Connection) -> None:
    """Look whether it is whole. Raises `Unfit` when it is not."""
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise UnusableDatabase(DAMAGED)


def query_int(connection: sqlite3.Connection, query: str) -> int:
    """The one number that a query gives."""
    (found,) = connection.execute(query).fetchone()
    return int(found)


def _made(path: Path) -> bool:
    """Whether there was no such file and an empty one was made, which nobody else can read.

    A file that is there is not opened: to close it would open SQLite's lock, were it opened elsewhere in this process.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _READABLE_BY_OWNER))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "") from None
        if not path.is_file():
            raise UnusableDatabase("it is no file") from None
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, "") from None
        return False
    return True


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    if isinstance(error, OSError):
        return os.strerror(error.errno or 0)
    return "no file can have such a name"  # Pythons word what is wrong with it differently
