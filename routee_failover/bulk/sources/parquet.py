"""Parquet tables, read a batch at a time, whatever their size; needs `routee-failover[parquet]`."""

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any

from ...errors import InvalidSource
from .base import SourceRow, Unreadable
from .cells import MAX_CELL_LENGTH, MAX_COLUMNS, validate_texts
from .column_names import first_duplicate, normalize_column_name
from .parquet_columns import ParquetCell, are_sendable, column_to_cells, is_readable_type
from .parquet_pages import PageInfo, batch_size, read_pages

MAX_BATCH_ROWS = 4096
"""Rows that are held at once, and no more than a row group; fewer where they are large."""
_MAX_BATCH_BYTES = 128 * 1024**2
"""Of one column, uncompressed."""
_MAX_PAGE_BYTES = 128 * 1024**2
"""Bytes, uncompressed, because a page is read whole. Some writers make pages of a hundred million bytes."""
_READ_BUFFER_BYTES = 64 * 1024


class ParquetSource:
    """A Parquet file. A line number is a row's place in the table, from 1; a value that is absent is a column less.

    Only the columns that are used are read. A cell that Python cannot hold, or that no text is made of, breaks its row.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self._path = path
        with _open_parquet(path, name) as table:
            self._raw_columns = tuple(str(column) for column in table.schema_arrow.names)
            self.total: int | None = int(table.metadata.num_rows)
        names = [normalize_column_name(column) for column in self._raw_columns]
        twice = first_duplicate(names)
        if twice is not None:
            raise InvalidSource(f"{name} has the column {twice} twice; nothing was sent")
        if not any(names):
            raise InvalidSource(f"{name} has no columns; nothing was sent")
        if len(names) > MAX_COLUMNS:
            raise InvalidSource(f"{name} has more than {MAX_COLUMNS:,} columns; nothing was sent")
        self.columns: tuple[str, ...] | None = tuple(filter(None, names))
        self.selected_columns: Collection[str] = self.columns

    def select(self, columns: Collection[str]) -> "ParquetSource":
        """The same rows with these columns alone. Raises `InvalidSource` where they would fill the memory."""
        chosen = copy(self)
        chosen.selected_columns = columns
        chosen.ensure_fits_in_memory()
        return chosen

    def ensure_fits_in_memory(self) -> None:
        """Raise `InvalidSource` where the columns that are used would fill the memory."""
        with _open_parquet(self._path, self.name) as table, self._path.open("rb") as file:
            for group in range(table.num_row_groups):
                self._batch_size(table, group, file, "nothing was sent")

    def __iter__(self) -> Iterator[SourceRow]:
        line = 0
        with _open_parquet(self._path, self.name) as table, self._path.open("rb") as file:
            if tuple(map(str, table.schema_arrow.names)) != self._raw_columns:
                raise InvalidSource(
                    f"{self.name} has other columns than when this run began to read it; nothing more is sent. "
                    "Leave it as it was while a run goes on"
                )
            for group in range(table.num_row_groups):
                last = line + table.metadata.row_group(group).num_rows
                for row in self._read_row_group(table, group, self._batch_size(table, group, file), line):
                    line += 1
                    yield line, row
                if line != last:
                    raise self._read_error(line, "it says that there are more")

    def _read_row_group(self, table: Any, group: int, rows: int, line: int) -> Iterator[Mapping[str, str] | Unreadable]:
        """The rows of a row group, so many of them read at once."""
        columns = self._columns_to_read(table)
        batches = table.iter_batches(rows, [group], [*columns.values()], use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except Exception as error:  # noqa: BLE001  # pyarrow has many for a file that is broken
                raise self._read_error(line, _first_line(error)) from None
            if batch is None:
                return
            line += batch.num_rows
            yield from _rows(
                {name: column_to_cells(batch.column(column), name) for name, column in columns.items()}, batch
            )

    def _columns_to_read(self, table: Any) -> dict[str, str]:
        """The columns that are read, by their names."""
        fields = {normalize_column_name(field.name): field for field in table.schema_arrow}
        return {
            name: fields[name].name
            for name in fields
            if name in self.selected_columns and is_readable_type(fields[name].type)
        }

    def _batch_size(self, table: Any, group: int, file: Any, sent: str = "nothing more is sent") -> int:
        """How many rows of a row group can be read together. Raises `InvalidSource` where not even one can."""
        metadata = table.metadata.row_group(group)
        used = self._columns_to_read(table)
        rows = MAX_BATCH_ROWS
        for place in range(metadata.num_columns):
            chunk = metadata.column(place)
            name = normalize_column_name(chunk.path_in_schema)
            if name not in used:
                continue
            try:
                pages = read_pages(file, chunk)
            except OSError as error:
                raise InvalidSource(f"{self.name} cannot be read: {error.strerror}; {sent}") from None
            if any(map(_is_too_large, pages)):
                raise InvalidSource(
                    f"{self.name} has values in column {name} that are longer than any message, and would fill the "
                    f"memory; {sent}"
                )
            rows = min(rows, batch_size(pages, MAX_BATCH_ROWS, _MAX_BATCH_BYTES))
        return rows

    def _read_error(self, line: int, why: str) -> InvalidSource:
        return InvalidSource(f"{self.name} cannot be read after row {line}: {why}")


def _rows(columns: dict[str, list[ParquetCell]], batch: Any) -> Iterator[Mapping[str, str] | Unreadable]:
    names = [*columns]
    if not names:
        yield from ({} for _ in range(batch.num_rows))
    elif all(map(are_sendable, columns.values())):
        yield from (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))
    else:
        yield from (_row(names, row) for row in zip(*columns.values(), strict=True))


def _row(names: list[str], cells: tuple[ParquetCell, ...]) -> Mapping[str, str] | Unreadable:
    texts: dict[str, str] = {}
    for name, cell in zip(names, cells, strict=True):
        if isinstance(cell, Unreadable):
            return cell
        if cell is not None:
            texts[name] = cell
    return validate_texts(texts)


def _is_too_large(page: PageInfo) -> bool:
    """Whether a page cannot be held, or is one of which every value is longer than any text of a message."""
    return page.uncompressed_size > _MAX_PAGE_BYTES or (
        page.uncompressed_size > _MAX_PAGE_BYTES // 16
        and page.uncompressed_size > page.value_count * 8 * MAX_CELL_LENGTH
    )


def _open_parquet(path: Path, name: str) -> Any:
    try:
        from pyarrow import parquet  # noqa: PLC0415  # an extra
    except ImportError:
        raise InvalidSource(
            f"{name} needs the package pyarrow: pip install 'routee-failover[parquet]'; nothing was sent"
        ) from None
    try:
        path.open("rb").close()  # says in plain words why it cannot be
        # Neither mapped into memory nor read ahead: a table may be larger than the machine.
        return parquet.ParquetFile(
            path, memory_map=False, pre_buffer=False, buffer_size=_READ_BUFFER_BYTES, page_checksum_verification=True
        )
    except OSError as error:
        raise InvalidSource(
            f"{name} cannot be read: {error.strerror or _first_line(error)}; nothing was sent"
        ) from None
    except Exception as error:  # noqa: BLE001  # pyarrow has many for a file that is broken
        raise InvalidSource(f"{name} is no Parquet file ({_first_line(error)}); nothing was sent") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
