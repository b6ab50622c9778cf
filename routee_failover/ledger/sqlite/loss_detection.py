"""Finds out whether a ledger has lost something that was committed, before SQLite opens and merges its files."""

import sqlite3
from pathlib import Path

from ..._sqlite import UnusableDatabase
from .file_lock import FileLock
from .high_water_mark import COMMITS_SUFFIX, read_high_water, sidecar_path
from .ledger_header import HEADER_PAGE, parse_header, read_main_file
from .schema import APPLICATION_ID, MIGRATIONS, UNKNOWN_LAYOUT
from .wal_scanner import scan_wal

WAL_SUFFIX = "-wal"
_TRIES = 3

HOW_TO_RECOVER = (
    "Messages could be sent twice. If these are all the files there are, and no run is using them, open it with "
    "--recover (`bulk run` as it was begun, or `bulk resume`; in a program, recover=True): every row that may have "
    "been sent is unknown then, and Routee's own lists are asked before it is sent"
)
COPIED_FILE = (
    "it is a copy of a ledger that a run had open, and cannot hold what was written later; use the one it was copied "
    "from"
)
MISSING_SIDECAR = (
    "its run was not ended properly, and {file} beside it is gone, as after copying or moving the ledger alone; put "
    "the files beside it back"
)
DAMAGED_LOG = "its log {file} is damaged, and what was written after that place is lost"
LOST_COMMITS = "what its run wrote last is not there: its log {file} was removed, cut short or exchanged"


def check_for_loss(path: Path, lock: FileLock, *, recover: bool = False) -> bool:
    """Check the ledger at `path`, which is locked; return whether it has lost something. Raises `OSError`.

    - The mark in the main file says that a run has the ledger open. It is there before anything is claimed, and is
      cleared once the main file holds everything. So a file without it needs no other.
    - The high-water mark beside it says how many transactions must be there. It is never ahead of what is safe.
    - The log must be whole, but for the one transaction that a crash may leave unfinished.

    Raises `Unfit` for a loss, unless it is to be recovered from. Then a log that is older than the main file, or of
    another ledger, is set aside: with it the database would be neither the one nor the other.
    """
    main = read_main_file(lock.descriptor)
    if main is None or main.application != APPLICATION_ID or main.version > len(MIGRATIONS):
        return False  # no ledger yet, or none of ours: what opens it says so
    log_path = sidecar_path(path, WAL_SUFFIX)
    log = scan_wal(log_path, HEADER_PAGE)
    in_log = None if log.page is None else parse_header(log.page)
    mark = main.header or in_log
    if mark is None:
        raise UnusableDatabase(UNKNOWN_LAYOUT)
    is_other = in_log is not None and (in_log.run_id != mark.run_id or in_log.commits < mark.commits)
    latest = mark if in_log is None or is_other else in_log
    high_water = read_high_water(path, mark.run_id)
    reason = None
    if latest.owner and mark.inode != lock.inode:
        reason = COPIED_FILE
    elif latest.owner and high_water is None:
        reason = MISSING_SIDECAR
    elif mark.owner and log.is_damaged:
        reason = DAMAGED_LOG
    elif is_other or (high_water is not None and latest.commits < high_water):
        reason = LOST_COMMITS
    if reason is None:
        return False
    if not recover:
        file = sidecar_path(path, COMMITS_SUFFIX if reason is MISSING_SIDECAR else WAL_SUFFIX).name
        raise UnusableDatabase(f"{reason.format(file=file)}. {HOW_TO_RECOVER}")
    if is_other:
        log_path.replace(sidecar_path(path, f"{WAL_SUFFIX}.set-aside"))
    return True


def check_readable(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `Unfit` where what is read is not all that was committed; a run may be writing meanwhile."""
    file = reason = ""
    for _ in range(_TRIES):
        (run_id,) = connection.execute("SELECT run_id FROM ledger").fetchone()
        high_water = read_high_water(path, run_id)  # before the commits are read, which only grow
        owner, commits = connection.execute("SELECT owner, commits FROM ledger").fetchone()
        if high_water is None and owner:
            file, reason = (
                sidecar_path(path, COMMITS_SUFFIX).name,
                MISSING_SIDECAR,
            )  # unless it is being opened or closed right now
            continue
        if high_water is None or commits >= high_water:
            return
        file, reason = sidecar_path(path, WAL_SUFFIX).name, LOST_COMMITS
        break
    raise UnusableDatabase(f"{reason.format(file=file)}. {HOW_TO_RECOVER}")
