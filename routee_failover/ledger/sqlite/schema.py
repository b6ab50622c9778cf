"""The tables of a ledger, and the way to them from those of older versions."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from ..._sqlite import DAMAGED, UnusableDatabase, check_integrity, describe_error, schema_version
from ..memory import new_run_id
from ..states import State
from .descriptors import connect

APPLICATION = 0x52464C47  # what marks a database as a ledger
OLDEST_SQLITE = (3, 35)  # UPDATE ... FROM, and what was wrong with it at first
EMPTY = (
    "it is empty: a ledger may have been overwritten, and who got the message is not known then. Restore it; remove it "
    "only if nothing was ever sent with it, for with a new one everyone would get a second message"
)
LAYOUT = "it is damaged, or was written by a version of routee-failover before the first release"
OLDER_SQLITE = f"Python comes with SQLite {sqlite3.sqlite_version} here, and a ledger needs 3.35 or newer"

# A state is a small number in the file. What stands here stays as it is for good.
STATES = (
    State.NEW,
    State.SENDING,
    State.ACCEPTED,
    State.REJECTED,
    State.UNKNOWN,
    State.EXPIRED,
    State.INVALID,
)
CODES = {state: code for code, state in enumerate(STATES)}

_RESTORE = "restore it from a backup that holds all that was sent; with a new one everyone would get a second message"
_EFFECTIVE = os.access in os.supports_effective_ids

Migration = Callable[[sqlite3.Connection], None]


def _first(connection: sqlite3.Connection) -> None:
    # One row: what every transaction leaves behind it, so that nobody has to count a million rows. It is created first
    # and its columns begin with those of `mark.Mark`, which are read from the page itself.
    counts = ", ".join(f"{state.lower()} INTEGER NOT NULL DEFAULT 0" for state in STATES)
    connection.execute(
        "CREATE TABLE ledger (run_id TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', inode TEXT NOT NULL DEFAULT '',"
        " commits INTEGER NOT NULL DEFAULT 0, moment REAL NOT NULL DEFAULT 0, lost_since REAL, lost_until REAL,"
        f" {counts})"
    )
    connection.execute("INSERT INTO ledger (run_id) VALUES (?)", (new_run_id(),))
    connection.execute(
        "CREATE TABLE intents ("
        " number INTEGER PRIMARY KEY, tag INTEGER NOT NULL UNIQUE, key TEXT, recipient TEXT NOT NULL,"
        " line INTEGER NOT NULL, state INTEGER NOT NULL, attempt INTEGER NOT NULL, fingerprint BLOB NOT NULL,"
        " begun_at REAL NOT NULL, lease_until REAL NOT NULL, ended_at REAL, reason TEXT NOT NULL DEFAULT '',"
        " identity TEXT, proof TEXT NOT NULL DEFAULT '', channel TEXT, seconds REAL NOT NULL DEFAULT 0,"
        " fate_status TEXT, fate_channel TEXT, fate_price REAL, fate_country TEXT, fate_reason TEXT,"
        " fate_seconds REAL)"
    )
    # What is doubtful is looked for again and again, and is little.
    doubtful = CODES[State.UNKNOWN]
    connection.execute(f"CREATE INDEX doubtful ON intents (number) WHERE state = {doubtful}")
    connection.execute("CREATE TABLE documents (name TEXT PRIMARY KEY, json TEXT NOT NULL)")


MIGRATIONS: Sequence[Migration] = (_first,)
"""What leads from each version to the next; an empty file has version 0."""


def reason_of(error: UnusableDatabase | sqlite3.Error) -> str:
    """Return why a ledger cannot be used, with what to do about it."""
    reason = str(error) if isinstance(error, UnusableDatabase) else describe_error(error)
    return f"{reason}; {_RESTORE}" if reason in {DAMAGED, LAYOUT} else reason


def to_write(path: Path) -> sqlite3.Connection:
    """The ledger in a file for the one that writes, brought to today's version and found whole."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise UnusableDatabase(OLDER_SQLITE)
    connection = connect(path, str(path), timeout=5, cached_statements=256)
    try:
        version = schema_version(connection, APPLICATION, len(MIGRATIONS))
        connection.execute("PRAGMA auto_vacuum=NONE")  # its map would be where the mark is
        # Claims touch the index of tags all over, a page each: small pages make less to write. A log of 8 MB lets them
        # change several times before they are copied into the file. One of 32 MB was no faster by more than the noise,
        # and would let damage to the log cost four times as much.
        connection.execute("PRAGMA page_size=2048")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA cache_size=-65536")  # KiB
        # What a statement over many rows sets aside goes to a file otherwise, at half of what everything costs.
        connection.execute("PRAGMA temp_store=MEMORY")
        if version:
            check_integrity(connection)
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def to_read(path: Path) -> sqlite3.Connection:
    """The ledger in a file for those who only read, also while another process writes it or on read-only media."""
    if not path.is_file():
        raise UnusableDatabase("there is no such file")
    if not path.stat().st_size:
        raise UnusableDatabase(EMPTY)
    # Whoever may write takes away what SQLite put beside the file for as long as it was read; others cannot. A log that
    # is there is left to the next run: to merge it would hide that it is damaged.
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    writable = all(os.access(place, os.W_OK, effective_ids=_EFFECTIVE) for place in (path, path.parent))
    try:
        return _read_only(path, "mode=rw" if writable and not has_log else "mode=ro")
    except sqlite3.OperationalError:
        if has_log:
            raise
        # Nobody writes it, and no log can be made beside it: it is read as what will not change.
        return _read_only(path, "mode=ro&immutable=1")


def _read_only(path: Path, how: str) -> sqlite3.Connection:
    connection = connect(path, f"{path.absolute().as_uri()}?{how}", uri=True, timeout=5)
    try:
        _check_to_read(schema_version(connection, APPLICATION, len(MIGRATIONS)))
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cache_size=-8192")  # KiB
    except BaseException:
        connection.close()
        raise
    return connection


def _check_to_read(version: int) -> None:
    if not version:
        raise UnusableDatabase("there is no ledger in it")
    if version < len(MIGRATIONS):
        raise UnusableDatabase(
            "an older routee-failover has written it; open it for writing once, to bring it up to date"
        )


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for migration in MIGRATIONS[version:]:
        version += 1
        connection.execute("BEGIN IMMEDIATE")
        migration(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION}")
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
