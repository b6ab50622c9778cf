"""The list of rows that cannot be sent: line and reason, and nothing of what stands in the row."""

import csv
import io
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import InvalidSource, LedgerError, Problem
from .seen import Seen
from .sources.files import shown

HEADER = ["line", "reason"]


class RefusedFile:
    """A CSV file of `line,reason`, made when the first row is refused, readable by its owner alone.

    A later pass or run over the same source goes on with the file that is there and writes no line a second time. A
    file that is no such list is never touched: `InvalidSource` says so at once. Call it as `BulkSender`'s `on_refused`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self.written: int = 0
        """How many rows it lists."""
        self._name = shown(self.path)
        self._lines = Seen()
        self._file: int | None = None
        self._read()

    def _read(self) -> None:
        try:
            with self.path.open(encoding="utf-8", newline="") as file:
                rows = csv.reader(file)
                if next(rows, HEADER) != HEADER:
                    raise self._alien()
                self.written = sum(self._lines.add(row[0]) for row in rows if row and row[0].isdecimal())
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise InvalidSource(f"{self._name} cannot be made: its folder is not there; nothing was sent") from None
        except OSError as error:
            raise InvalidSource(f"{self._name} cannot be read: {error.strerror}; nothing was sent") from None
        except (UnicodeDecodeError, csv.Error):
            raise self._alien() from None

    def _alien(self) -> InvalidSource:
        return InvalidSource(f"{self._name} is there and is no list of refused rows: name another; nothing was sent")

    def __call__(self, line: int, _key: str, problems: tuple[Problem, ...]) -> None:
        """List a row; what it is known by is a number of somebody's, and stays out."""
        if not self._lines.add(str(line)):
            return
        try:
            if self._file is None:
                self._file = self._opened()
            _write(self._file, _row(line, "; ".join(map(str, problems))))
        except OSError as error:
            why = f"{self._name}, the list of refused rows, cannot be written: {error.strerror}"
            raise LedgerError(f"{why}; nothing more is sent, and what was sent is in the ledger") from None
        self.written += 1

    def _opened(self) -> int:
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        size = os.fstat(file).st_size
        if size == 0:
            _write(file, _row(*HEADER))
        elif os.pread(file, 1, size - 1) != b"\n":
            _write(file, b"\n")  # whoever wrote it was killed on the way
        return file

    def close(self) -> None:
        """Let go of the file; the next row that is refused opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _row(*cells: object) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
