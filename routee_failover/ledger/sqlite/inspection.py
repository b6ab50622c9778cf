"""A glance into a file that may be a ledger: what its run is known by, and how much of it may have been sent."""

import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ..state_machine import EntryState
from . import file_descriptors
from .ledger_header import read_main_file
from .schema import APPLICATION_ID, STATE_CODES, connect_for_reading

_MAYBE_SENT = (EntryState.ACCEPTED, EntryState.UNKNOWN, EntryState.SENDING)


class LedgerSummary(NamedTuple):
    """What a ledger shows, also one that has lost something."""

    run: Any
    """The document under the name that was asked for; `None` if there is none."""
    sent: int
    """How many messages may have been sent."""
    known: int
    """How many of the given key hashes are among them."""
    is_open: bool
    """Whether a run has it open, or was not ended properly."""


def is_ledger(path: Path) -> bool:
    """Return whether a file says that it is a ledger. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        main = read_main_file(descriptor)
    finally:
        file_descriptors.close(descriptor)
    return main is not None and main.application == APPLICATION_ID


def inspect_ledger(path: Path, name: str, key_hashes: Sequence[int]) -> LedgerSummary:
    """Look into a ledger. Raises `Unfit`, `sqlite3.Error`, `OSError` or `ValueError`."""
    with closing(connect_for_reading(path)) as connection:
        columns = ", ".join(state.lower() for state in _MAYBE_SENT)
        owner, *counts = connection.execute(f"SELECT owner, {columns} FROM ledger").fetchone()
        row = connection.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        codes = ", ".join(str(STATE_CODES[state]) for state in _MAYBE_SENT)
        places = ", ".join("?" * len(key_hashes))
        known = f"SELECT count(*) FROM entries WHERE key_hash IN ({places}) AND state IN ({codes})"
        (found,) = connection.execute(known, key_hashes).fetchone()
    return LedgerSummary(None if row is None else json.loads(row[0]), sum(counts), found, bool(owner))
