"""What a command writes never takes the place of what its run lives on: the ledger, the recipients and the flow."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InvalidSource
from ..terminal import printable

LEDGER_FILE_SUFFIXES = ("-wal", "-shm", "-journal", "-commits")
"""The endings of the files that belong to a ledger while it is open."""


def ensure_not_in_use(output: Path, ledger: str, document: Mapping[str, Any] | None) -> None:
    """Raise `InvalidSource` if the output is a file of that ledger, or of the run whose plan the document is.

    A file is the same by whatever name, link or hard link; one that is not there yet is known by its path.
    """
    for what, path in _used(Path(ledger), document or {}):
        if _is_same(output, path):
            raise InvalidSource(
                f"{printable(output)} is {what} of this run, and would be lost: name another file; "
                "nothing was written and nothing was sent"
            )


def _used(ledger: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    yield "the ledger", ledger
    real = Path(os.path.realpath(ledger))
    for ending in LEDGER_FILE_SUFFIXES:
        yield "part of the ledger", real.with_name(f"{real.name}{ending}")
    for name, what in (
        ("recipients", "the list of recipients"),
        ("flow", "the flow"),
        ("invalid_rows", "the list of refused rows"),
    ):
        path = document.get(name)
        if isinstance(path, str):
            yield what, Path(path)
    for path in document.get("options", {}).get("suppress", ()):
        yield "a suppression list", Path(path)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
