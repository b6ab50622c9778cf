"""CSV file of the rows that cannot be sent: line and reason, and no value of the row."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import InvalidSource, LedgerError, Problem
from .csv_writer import format_csv_line
from .key_set import KeySet
from .sanitize import to_one_line
from .sources.formats import printable_path

_HEADER = b"line,reason\n"


class InvalidRowsFile:
    """A CSV file of `line,reason`, created with the first invalid row and readable by its owner alone.

    Each run starts a new list, and deletes the INVALID entries of its ledger, since the source may have been corrected.
    Within a run a line is listed once, however many passes read the source. An existing file that is no such list is
    never overwritten: `InvalidSource` is raised at once. Pass an instance to `BulkSender` as `on_invalid_row`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self.rows_written: int = 0
        """Number of rows in the list."""
        self._name = printable_path(self.path)
        self._lines = KeySet()
        self._file: int | None = None
        self._started = False
        self._check()

    def start_run(self) -> None:
        """Delete the list of an earlier run. Without this call the first invalid row replaces it."""
        if not self._started:
            self._check()
            self.path.unlink(missing_ok=True)

    def _check(self) -> None:
        try:
            with self.path.open("rb") as file:
                first = file.read(len(_HEADER) + 1)
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise InvalidSource(
                    f"{self._name} cannot be created: its folder does not exist; nothing was sent"
                ) from None
        except OSError as error:
            raise InvalidSource(f"{self._name} cannot be read: {error.strerror}; nothing was sent") from None
        else:
            if first and not first.replace(b"\r", b"").startswith(_HEADER):
                raise self._foreign_file()

    def _foreign_file(self) -> InvalidSource:
        return InvalidSource(
            f"{self._name} exists and is no list of invalid rows: choose another path; nothing was sent"
        )

    def __call__(self, line: int, _recipient: str, problems: tuple[Problem, ...]) -> None:
        """List a row, without its recipient. Raises `LedgerError` if the file cannot be written."""
        if not self._lines.add(str(line)):
            return
        try:
            if self._file is None:
                self._file = self._open()
            reason = to_one_line("; ".join(map(str, problems)))
            _write(self._file, format_csv_line((line, reason)).encode())
        except OSError as error:
            reason = f"{self._name}, the list of invalid rows, cannot be written: {error.strerror}"
            raise LedgerError(f"{reason}; nothing more is sent, and what was sent is in the ledger") from None
        self.rows_written += 1

    def _open(self) -> int:
        truncate = 0 if self._started else os.O_TRUNC
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | truncate, 0o600)
        if truncate:
            _write(file, _HEADER)
            self._started = True
        return file

    def close(self) -> None:
        """Close the file; the next invalid row opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
