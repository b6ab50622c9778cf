"""Inspection of a file that may be a ledger: the document of its run, and how many messages may have been sent."""

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
    """Summary of a ledger, also of one that has lost something."""

    run: Any
    """The document with the given name; `None` if there is none."""
    maybe_sent: int
    """Number of messages that may have been sent."""
    matching: int
    """Number of those messages whose key hashes were given."""
    is_open: bool
    """Whether a run has it open, or was not closed properly."""


def is_ledger(path: Path) -> bool:
    """Return whether a file is marked as a ledger. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        main_file = read_main_file(descriptor)
    finally:
        file_descriptors.close(descriptor)
    return main_file is not None and main_file.application == APPLICATION_ID


def inspect_ledger(path: Path, name: str, key_hashes: Sequence[int]) -> LedgerSummary:
    """Summarize a ledger. Raises `UnusableDatabase`, `sqlite3.Error`, `OSError` or `ValueError`."""
    with closing(connect_for_reading(path)) as connection:
        columns = ", ".join(state.lower() for state in _MAYBE_SENT)
        owner, *counts = connection.execute(f"SELECT owner, {columns} FROM ledger").fetchone()
        row = connection.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        codes = ", ".join(str(STATE_CODES[state]) for state in _MAYBE_SENT)
        placeholders = ", ".join("?" * len(key_hashes))
        query = f"SELECT count(*) FROM entries WHERE key_hash IN ({placeholders}) AND state IN ({codes})"
        (matching,) = connection.execute(query, key_hashes).fetchone()
    return LedgerSummary(None if row is None else json.loads(row[0]), sum(counts), matching, bool(owner))
