"""Guard of the run's own files: no output may replace the ledger, the recipients or the flow."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InvalidSource
from ..terminal import printable

LEDGER_FILE_SUFFIXES = ("-wal", "-shm", "-journal", "-commits")
"""Suffixes of the files of an open ledger."""


def ensure_not_in_use(output: Path, ledger: str, document: Mapping[str, Any] | None) -> None:
    """Raise `InvalidSource` if the output is a file of the ledger or of its run, whose config is `document`.

    Files are compared across links and hard links; one that does not exist is compared by path.
    """
    for role, path in _files_in_use(Path(ledger), document or {}):
        if _is_same(output, path):
            raise InvalidSource(
                f"{printable(output)} is {role} of this run and would be overwritten: choose another file; "
                "nothing was written and nothing was sent"
            )


def _files_in_use(ledger: Path, document: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    yield "the ledger", ledger
    real = Path(os.path.realpath(ledger))
    for suffix in LEDGER_FILE_SUFFIXES:
        yield "part of the ledger", real.with_name(f"{real.name}{suffix}")
    for name, role in (
        ("recipients", "the list of recipients"),
        ("flow", "the flow"),
        ("invalid_rows", "the list of invalid rows"),
    ):
        path = document.get(name)
        if isinstance(path, str):
            yield role, Path(path)
    for path in document.get("options", {}).get("suppress", ()):
        yield "a suppression list", Path(path)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
