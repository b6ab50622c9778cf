"""Detection of previous runs: finds a ledger with the same recipients, who would get a second message."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ..._sqlite import UnusableDatabase
from ...bulk.templates.row import Rows
from ...errors import InvalidSource
from ...ledger.entry import hash_key
from ...ledger.sqlite.inspection import LedgerSummary, inspect_ledger, is_ledger
from ..terminal import printable
from .display.row_counts import format_number
from .output_guard import LEDGER_FILE_SUFFIXES
from .run_config import RUN_CONFIG_KEY, RunConfig
from .summary import bulk_command

_MAX_FILES = 5_000
_MAX_LEDGERS = 200
_MAX_SECONDS = 5.0
"""Time limit for the inspection of all other ledgers."""
_SAMPLE_SIZE = 200
"""Number of rows whose keys identify a list that was edited."""


class PreviousRun(NamedTuple):
    """Ledger with a run of the same recipients."""

    path: Path
    ledger_summary: LedgerSummary
    is_same_list: bool
    is_same_flow: bool


def source_digest(path: Path) -> str:
    """Return a digest of a list that ignores its name, line ends, blank lines and byte order mark.

    Raises `InvalidSource` if the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for index, line in enumerate(file):
                text = (line if index else line.removeprefix(b"\xef\xbb\xbf")).rstrip(b"\r\n")
                if text.strip():
                    digest.update(text)
                    digest.update(b"\n")
    except OSError as error:
        raise InvalidSource(f"{printable(path)} cannot be read: {error.strerror}; nothing was sent") from None
    return digest.hexdigest()


def ensure_not_sent_before(config: RunConfig, digest: str, rows: Rows, ledger: str) -> None:
    """Raise `InvalidSource` if another ledger has already sent to these recipients.

    Ledgers in the folders of this ledger and of the list are searched. The same list is an error whatever the flow: a
    flow that is corrected after the first messages were sent is how people get two messages. A different list is
    an error only for the same flow, and if half of its first rows have a message: two campaigns to the same people
    are legitimate.
    """
    previous = _find(config, digest, rows, Path(ledger))
    if previous is None:
        return
    what = "this list was already sent" if previous.is_same_list else "people in this list already have this message"
    name = _name(previous.ledger_summary.run, "flow")
    flow = f", by another flow ({printable(name)})" if name is not None and not previous.is_same_flow else ""
    count = (
        f"{format_number(previous.ledger_summary.maybe_sent)} of its messages"
        if previous.ledger_summary.maybe_sent
        else "messages"
    )
    path = str(previous.path)
    raise InvalidSource(
        f"{printable(config.recipients.name)}: {what}; {count} may have been sent with the ledger "
        f"{printable(path)}{flow}. With another ledger each of these people would get another message; nothing "
        f"was sent. To resume that run: {bulk_command('resume', path)}. "
        "To send everyone another message on purpose, add --again"
    )


def _find(config: RunConfig, digest: str, rows: Rows, ledger: Path) -> PreviousRun | None:
    deadline = time.monotonic() + _MAX_SECONDS
    sample = islice(rows, _SAMPLE_SIZE) if isinstance(rows, Iterable) else ()
    key_hashes = [hash_key(row.key) for row in sample if row.key and not row.problems]
    for path in islice(_ledgers(config.recipients, ledger), _MAX_LEDGERS):
        if time.monotonic() > deadline:
            break
        try:
            summary = inspect_ledger(path, RUN_CONFIG_KEY, key_hashes)
        except (UnusableDatabase, sqlite3.Error, OSError, ValueError):
            continue  # damaged, or written by another version
        previous = _match(path, summary, config, digest, key_hashes)
        if previous is not None:
            return previous
    return None


def _match(
    path: Path, summary: LedgerSummary, config: RunConfig, digest: str, key_hashes: Sequence[int]
) -> PreviousRun | None:
    document = summary.run if isinstance(summary.run, dict) else {}
    is_same_list = digest in (document.get("sources") or ())
    is_same_flow = document.get("digest") == config.digest
    may_be_sent = summary.maybe_sent > 0 or summary.is_open
    if may_be_sent and (is_same_list or (is_same_flow and 0 < len(key_hashes) <= 2 * summary.matching)):
        return PreviousRun(path, summary, is_same_list, is_same_flow)
    return None


def _name(document: Any, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    return Path(value).name if isinstance(value, str) else None


def _ledgers(recipients: Path, ledger: Path) -> Iterator[Path]:
    """Yield the ledgers in the folders of the list and of this ledger, newest first, without this one."""
    found: dict[tuple[int, int], tuple[float, Path]] = {}
    own_identity = _identity(ledger)
    for file in (ledger, recipients):
        for folder in dict.fromkeys((file.absolute().parent, Path(os.path.realpath(file)).parent)):
            for path, entry in _files(folder):
                identity = (entry.st_dev, entry.st_ino)
                if identity != own_identity:
                    found.setdefault(identity, (entry.st_mtime, path))
    for _, path in sorted(found.values(), reverse=True):
        try:
            if is_ledger(path):
                yield path
        except OSError:
            continue


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _MAX_FILES):
                if entry.is_file() and not entry.name.endswith(LEDGER_FILE_SUFFIXES):
                    yield folder / entry.name, (folder / entry.name).stat()
    except OSError:
        return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
