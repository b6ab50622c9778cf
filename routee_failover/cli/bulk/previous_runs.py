"""Finds the ledger of an earlier run of the same recipients: with a new one everyone would get a second message."""

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

_MOST_FILES = 5_000
_MOST_LEDGERS = 200
_SECONDS = 5.0
"""How long other ledgers are looked into, in all."""
_SAMPLE = 200
"""Rows by whose keys a list that was changed a little is known again."""


class PreviousRun(NamedTuple):
    """A ledger that holds a run of the same recipients."""

    path: Path
    ledger_summary: LedgerSummary
    is_same_list: bool
    is_same_flow: bool


def source_digest(path: Path) -> str:
    """Return what a list is known again by, whatever its name, line ends, blank lines and byte order mark.

    Raises `InvalidSource` for what cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for place, line in enumerate(file):
                text = (line if place else line.removeprefix(b"\xef\xbb\xbf")).rstrip(b"\r\n")
                if text.strip():
                    digest.update(text)
                    digest.update(b"\n")
    except OSError as error:
        raise InvalidSource(f"{printable(path)} cannot be read: {error.strerror}; nothing was sent") from None
    return digest.hexdigest()


def ensure_not_sent_before(config: RunConfig, digest: str, rows: Rows, ledger: str) -> None:
    """Raise `InvalidSource` where another ledger has sent these recipients.

    It is one beside this ledger or beside the list. The same list is asked about whatever the flow: a flow that was
    corrected after the first messages left is how people get two. Of another list it is asked only for the same flow,
    and where half of its first rows have a message: two campaigns to the same people are no mistake.
    """
    found = _find(config, digest, rows, Path(ledger))
    if found is None:
        return
    what = "this list was sent before" if found.is_same_list else "people in this list have this message already"
    name = _name(found.ledger_summary.run, "flow")
    flow = f", by another flow ({printable(name)})" if name is not None and not found.is_same_flow else ""
    many = f"{format_number(found.ledger_summary.sent)} of its messages" if found.ledger_summary.sent else "messages"
    path = str(found.path)
    raise InvalidSource(
        f"{printable(config.recipients.name)}: {what}; {many} may have left with the ledger {printable(path)}{flow}. With "
        "another ledger each of these people would get another message; nothing was sent. That run is resumed by: "
        f"{bulk_command('resume', path)}. To send everyone another message on purpose, add --again"
    )


def _find(config: RunConfig, digest: str, rows: Rows, ledger: Path) -> PreviousRun | None:
    until = time.monotonic() + _SECONDS
    sample = islice(rows, _SAMPLE) if isinstance(rows, Iterable) else ()
    tags = [hash_key(row.key) for row in sample if row.key and not row.problems]
    for path in islice(_ledgers(config.recipients, ledger), _MOST_LEDGERS):
        if time.monotonic() > until:
            break
        try:
            seen = inspect_ledger(path, RUN_CONFIG_KEY, tags)
        except (UnusableDatabase, sqlite3.Error, OSError, ValueError):
            continue  # damaged, or of another version
        one = _judged(path, seen, config, digest, tags)
        if one is not None:
            return one
    return None


def _judged(path: Path, seen: LedgerSummary, config: RunConfig, digest: str, tags: Sequence[int]) -> PreviousRun | None:
    document = seen.run if isinstance(seen.run, dict) else {}
    is_same_list = digest in (document.get("sources") or ())
    is_same_flow = document.get("digest") == config.digest
    may_be_sent = seen.sent > 0 or seen.is_open
    if may_be_sent and (is_same_list or (is_same_flow and 0 < len(tags) <= 2 * seen.known)):
        return PreviousRun(path, seen, is_same_list, is_same_flow)
    return None


def _name(document: Any, name: str) -> str | None:
    value = document.get(name) if isinstance(document, dict) else None
    return Path(value).name if isinstance(value, str) else None


def _ledgers(recipients: Path, ledger: Path) -> Iterator[Path]:
    """The ledgers beside the list and beside this ledger, the youngest first, but for this one."""
    found: dict[tuple[int, int], tuple[float, Path]] = {}
    here = _identity(ledger)
    for place in (ledger, recipients):
        for folder in dict.fromkeys((place.absolute().parent, Path(os.path.realpath(place)).parent)):
            for path, entry in _files(folder):
                identity = (entry.st_dev, entry.st_ino)
                if identity != here:
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
            for entry in islice(entries, _MOST_FILES):
                if entry.is_file() and not entry.name.endswith(LEDGER_FILE_SUFFIXES):
                    yield folder / entry.name, (folder / entry.name).stat()
    except OSError:
        return


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
