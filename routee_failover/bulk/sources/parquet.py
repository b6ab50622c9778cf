"""Parquet tables, read a batch at a time, whatever their size; needs `routee-failover[parquet]`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import InvalidSource
from .source import Read, texts_of

BATCH = 4096
"""Rows that are held at once, and no more than a row group."""

_READ_AT_ONCE = 64 * 1024


class ParquetTable:
    """A Parquet file. A line number is a row's place in the table, from 1; a value that is absent is a column less."""

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self._path = path
        with _opened(path, name) as table:
            names = [str(column) for column in table.schema_arrow.names]
            self.total: int | None = int(table.metadata.num_rows)
        twice = sorted({column for column in names if names.count(column) > 1})
        if twice:
            raise InvalidSource(f"{name} has the column {twice[0]} twice; nothing was sent")
        if not names:
            raise InvalidSource(f"{name} has no columns; nothing was sent")
        self.columns: tuple[str, ...] | None = tuple(names)

    def __iter__(self) -> Iterator[Read]:
        line = 0
        with _opened(self._path, self.name) as table:
            batches = table.iter_batches(batch_size=BATCH, use_threads=False)
            while True:
                try:
                    batch = next(batches, None)
                except (OSError, ValueError) as error:
                    raise InvalidSource(f"{self.name} cannot be read after row {line}: {_first_line(error)}") from None
                if batch is None:
                    return
                for values in batch.to_pylist():
                    line += 1
                    yield line, texts_of(values)


def _opened(path: Path, name: str) -> Any:
    try:
        from pyarrow import parquet  # noqa: PLC0415  # an extra
    except ImportError:
        raise InvalidSource(
            f"{name} needs the package pyarrow: pip install 'routee-failover[parquet]'; nothing was sent"
        ) from None
    try:
        path.open("rb").close()  # says in plain words why it cannot be
        # Neither mapped into memory nor read ahead: a table may be larger than the machine.
        return parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=_READ_AT_ONCE)
    except OSError as error:
        raise InvalidSource(
            f"{name} cannot be read: {error.strerror or _first_line(error)}; nothing was sent"
        ) from None
    except ValueError as error:
        raise InvalidSource(f"{name} is no Parquet file ({_first_line(error)}); nothing was sent") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
