"""Loss detection: whether a ledger has lost committed transactions, before SQLite opens and merges its files."""

import sqlite3
from pathlib import Path

from ..._sqlite import UnusableDatabase
from .file_lock import FileLock
from .high_water_mark import COMMITS_SUFFIX, read_high_water, sidecar_path
from .ledger_header import HEADER_PAGE, parse_header, read_main_file
from .schema import APPLICATION_ID, MIGRATIONS, UNKNOWN_LAYOUT
from .wal_scanner import scan_wal

WAL_SUFFIX = "-wal"
_MAX_READS = 3

HOW_TO_RECOVER = (
    "Messages could be sent twice. If these are all the files there are, and no run is using them, open it with "
    "--recover (the same `bulk run` command, or `bulk resume`; in a program, recover=True): every row that may have "
    "been sent becomes UNKNOWN, and is searched for at Routee before it is sent"
)
COPIED_FILE = (
    "it is a copy of a ledger that a run had open, and cannot hold what was written later; use the one it was copied "
    "from"
)
MISSING_SIDECAR = (
    "its run was not closed properly, and {file} beside it is missing, as after copying or moving the ledger alone; "
    "restore the files beside it"
)
DAMAGED_LOG = "its log {file} is damaged, and what was written after the damage is lost"
LOST_COMMITS = "what its run wrote last is missing: its log {file} was removed, truncated or replaced"


def check_for_loss(path: Path, lock: FileLock, *, recover: bool = False) -> bool:
    """Check the ledger at `path`, which is locked; return whether it has lost something. Raises `OSError`.

    - The owner in the main file says that a run has the ledger open. It is there before anything is claimed, and is
      cleared once the main file holds everything. So a file without an owner needs no other file.
    - The high-water mark beside it is the number of transactions that must be there. It is never ahead of what is safe.
    - The log must be intact, except for the one transaction that a crash may leave unfinished.

    Raises `UnusableDatabase` for a loss, except with `recover`. Then a log that is older than the main file, or belongs
    to another ledger, is renamed: merged with it, the database would be neither the one nor the other.
    """
    # 1. Read the header from the main file, and its latest version from the log.
    main_file = read_main_file(lock.descriptor)
    if main_file is None or main_file.application != APPLICATION_ID or main_file.version > len(MIGRATIONS):
        return False  # no ledger yet, or none of ours: opening it reports that
    log_path = sidecar_path(path, WAL_SUFFIX)
    log = scan_wal(log_path, HEADER_PAGE)
    in_log = None if log.page is None else parse_header(log.page)
    header = main_file.header or in_log
    if header is None:
        raise UnusableDatabase(UNKNOWN_LAYOUT)
    is_foreign = in_log is not None and (in_log.run_id != header.run_id or in_log.commits < header.commits)
    latest = header if in_log is None or is_foreign else in_log
    # 2. Compare them with the file, the high-water mark and the log.
    high_water = read_high_water(path, header.run_id)
    reason = None
    if latest.owner and header.inode != lock.inode:
        reason = COPIED_FILE
    elif latest.owner and high_water is None:
        reason = MISSING_SIDECAR
    elif header.owner and log.is_damaged:
        reason = DAMAGED_LOG
    elif is_foreign or (high_water is not None and latest.commits < high_water):
        reason = LOST_COMMITS
    # 3. Report the loss, or prepare the recovery.
    if reason is None:
        return False
    if not recover:
        file = sidecar_path(path, COMMITS_SUFFIX if reason is MISSING_SIDECAR else WAL_SUFFIX).name
        raise UnusableDatabase(f"{reason.format(file=file)}. {HOW_TO_RECOVER}")
    if is_foreign:
        log_path.replace(sidecar_path(path, f"{WAL_SUFFIX}.set-aside"))
    return True


def check_readable(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `UnusableDatabase` if not all that was committed can be read; a run may be writing meanwhile."""
    file = reason = ""
    for _ in range(_MAX_READS):
        (run_id,) = connection.execute("SELECT run_id FROM ledger").fetchone()
        high_water = read_high_water(path, run_id)  # read before the commits, which only increase
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
