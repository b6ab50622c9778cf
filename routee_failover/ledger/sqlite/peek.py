"""A glance into a file that may be a ledger: what its run is known by, and how much of it may have been sent."""

import json
import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ..states import State
from . import descriptors
from .mark import read_main
from .schema import APPLICATION, CODES, to_read

_MAY_BE_SENT = (State.ACCEPTED, State.UNKNOWN, State.SENDING)


class Glance(NamedTuple):
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
        main = read_main(descriptor)
    finally:
        descriptors.close(descriptor)
    return main is not None and main.application == APPLICATION


def glance(path: Path, name: str, tags: Sequence[int]) -> Glance:
    """Look into a ledger. Raises `Unfit`, `sqlite3.Error`, `OSError` or `ValueError`."""
    with closing(to_read(path)) as connection:
        columns = ", ".join(state.lower() for state in _MAY_BE_SENT)
        owner, *counts = connection.execute(f"SELECT owner, {columns} FROM ledger").fetchone()
        row = connection.execute("SELECT json FROM documents WHERE name = ?", (name,)).fetchone()
        codes = ", ".join(str(CODES[state]) for state in _MAY_BE_SENT)
        places = ", ".join("?" * len(tags))
        known = f"SELECT count(*) FROM intents WHERE tag IN ({places}) AND state IN ({codes})"
        (found,) = connection.execute(known, tags).fetchone()
    return Glance(None if row is None else json.loads(row[0]), sum(counts), found, bool(owner))
