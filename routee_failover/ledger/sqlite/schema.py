"""Schema of a ledger database: its tables, its migrations, and connections for writing and reading."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from ..._sqlite import DAMAGED, UnusableDatabase, check_integrity, describe_error, schema_version
from ..memory import new_run_id
from ..state_machine import EntryState
from .file_descriptors import connect

APPLICATION_ID = 0x52464C47  # marks a database as a ledger
MINIMUM_SQLITE = (3, 35)  # UPDATE ... FROM, with the bugs of its first version fixed
EMPTY_FILE = (
    "it is empty: a ledger may have been overwritten, and it is not known who got the message. Restore it; remove it "
    "only if nothing was ever sent with it: with a new one everyone would get a second message"
)
UNKNOWN_LAYOUT = "it is damaged, or was written by a version of routee-failover before the first release"
SQLITE_TOO_OLD = f"Python comes with SQLite {sqlite3.sqlite_version} here, and a ledger needs 3.35 or newer"

# A state is stored as its index here. The order never changes.
STATES = (
    EntryState.NEW,
    EntryState.SENDING,
    EntryState.ACCEPTED,
    EntryState.REJECTED,
    EntryState.UNKNOWN,
    EntryState.EXPIRED,
    EntryState.INVALID,
)
STATE_CODES = {state: code for code, state in enumerate(STATES)}

_RESTORE = "restore it from a backup that holds all that was sent; with a new one everyone would get a second message"
_CAN_CHECK_EFFECTIVE_IDS = os.access in os.supports_effective_ids

Migration = Callable[[sqlite3.Connection], None]


def _create_tables(connection: sqlite3.Connection) -> None:
    # One row: totals that every transaction updates, so that a million rows need not be counted. The table is created
    # first and its columns begin with those of `LedgerHeader`, which are read from the bytes of the page.
    counts = ", ".join(f"{state.lower()} INTEGER NOT NULL DEFAULT 0" for state in STATES)
    connection.execute(
        "CREATE TABLE ledger (run_id TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', inode TEXT NOT NULL DEFAULT '',"
        " commits INTEGER NOT NULL DEFAULT 0, committed_at REAL NOT NULL DEFAULT 0, lost_since REAL, lost_until REAL,"
        f" {counts})"
    )
    connection.execute("INSERT INTO ledger (run_id) VALUES (?)", (new_run_id(),))
    connection.execute(
        "CREATE TABLE entries ("
        " number INTEGER PRIMARY KEY, key_hash INTEGER NOT NULL UNIQUE, key TEXT, recipient TEXT NOT NULL,"
        " line INTEGER NOT NULL, state INTEGER NOT NULL, attempt INTEGER NOT NULL, fingerprint BLOB NOT NULL,"
        " claimed_at REAL NOT NULL, lease_expires_at REAL NOT NULL, ended_at REAL, reason TEXT NOT NULL DEFAULT '',"
        " tracking_id TEXT, resolved_by TEXT NOT NULL DEFAULT '', channel TEXT, response_time REAL NOT NULL DEFAULT 0,"
        " report_status TEXT, report_channel TEXT, report_price REAL, report_country TEXT, report_reason TEXT,"
        " report_delivery_time REAL)"
    )
    # UNKNOWN entries are read again and again, and are few.
    unknown_code = STATE_CODES[EntryState.UNKNOWN]
    connection.execute(f"CREATE INDEX unknown_entries ON entries (number) WHERE state = {unknown_code}")
    connection.execute("CREATE TABLE documents (name TEXT PRIMARY KEY, json TEXT NOT NULL)")


MIGRATIONS: Sequence[Migration] = (_create_tables,)
"""Migrations from each version to the next; an empty file has version 0."""


def explain_failure(error: UnusableDatabase | sqlite3.Error) -> str:
    """Return why a ledger cannot be used, and what to do about it."""
    reason = str(error) if isinstance(error, UnusableDatabase) else describe_error(error)
    return f"{reason}; {_RESTORE}" if reason in {DAMAGED, UNKNOWN_LAYOUT} else reason


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection for the writer, after an integrity check and the migrations."""
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        raise UnusableDatabase(SQLITE_TOO_OLD)
    connection = connect(path, str(path), timeout=5, cached_statements=256)
    try:
        version = schema_version(connection, APPLICATION_ID, len(MIGRATIONS))
        connection.execute("PRAGMA auto_vacuum=NONE")  # its map would occupy the page of the header
        # Claims touch random pages of the index of key hashes, one each: small pages mean less to write. With a log of
        # 8 MB they change several times before they are copied into the file. A log of 32 MB was no faster by more than
        # the noise, and damage to it could cost four times as much.
        connection.execute("PRAGMA page_size=2048")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=4000")
        connection.execute("PRAGMA cache_size=-65536")  # KiB
        # The temporary tables of a statement over many rows would be files otherwise, at half of the total cost.
        connection.execute("PRAGMA temp_store=MEMORY")
        if version:
            check_integrity(connection)
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """Return a read-only connection, also while another process writes the file, or on read-only media."""
    if not path.is_file():
        raise UnusableDatabase("there is no such file")
    if not path.stat().st_size:
        raise UnusableDatabase(EMPTY_FILE)
    # 1. Choose the mode. Only with write permission can the files that SQLite puts beside a database be removed again.
    #    An existing log is left to the next run: merging it would hide that it is damaged.
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    writable = all(os.access(target, os.W_OK, effective_ids=_CAN_CHECK_EFFECTIVE_IDS) for target in (path, path.parent))
    # 2. Connect.
    try:
        return _connect_read_only(path, "mode=rw" if writable and not has_log else "mode=ro")
    except sqlite3.OperationalError:
        if has_log:
            raise
        # No process writes it, and no log can be created beside it: the file will not change.
        return _connect_read_only(path, "mode=ro&immutable=1")


def _connect_read_only(path: Path, mode: str) -> sqlite3.Connection:
    connection = connect(path, f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5)
    try:
        _check_version(schema_version(connection, APPLICATION_ID, len(MIGRATIONS)))
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cache_size=-8192")  # KiB
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(version: int) -> None:
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
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
