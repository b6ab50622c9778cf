"""Parquet source: reads tables of any size in batches of bounded memory; needs `routee-failover[parquet]`."""

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
"""Maximum number of rows in memory, at most a row group; fewer if they are large."""
_MAX_BATCH_BYTES = 128 * 1024**2
"""Maximum size of one column of a batch in bytes, uncompressed."""
_MAX_PAGE_BYTES = 128 * 1024**2
"""Maximum size of a page in bytes, uncompressed: a page is read as a whole. Some writers make pages of 100 MB."""
_READ_BUFFER_BYTES = 64 * 1024


class ParquetSource:
    """Parquet file. Line numbers are positions in the table, from 1. A row lacks the columns that are null in it.

    Only the used columns are read. A cell that Python cannot represent, or that has no text, invalidates its row.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name: str = name
        self._path = path
        with _open_parquet(path, name) as table:
            self._raw_columns = tuple(str(column) for column in table.schema_arrow.names)
            self.total: int | None = int(table.metadata.num_rows)
        names = [normalize_column_name(column) for column in self._raw_columns]
        duplicate = first_duplicate(names)
        if duplicate is not None:
            raise InvalidSource(f"{name} has the column {duplicate} twice; nothing was sent")
        if not any(names):
            raise InvalidSource(f"{name} has no columns; nothing was sent")
        if len(names) > MAX_COLUMNS:
            raise InvalidSource(f"{name} has more than {MAX_COLUMNS:,} columns; nothing was sent")
        self.columns: tuple[str, ...] | None = tuple(filter(None, names))
        self.selected_columns: Collection[str] = self.columns

    def select(self, columns: Collection[str]) -> "ParquetSource":
        """Return the same rows with only these columns. Raises `InvalidSource` if they would fill the memory."""
        selected = copy(self)
        selected.selected_columns = columns
        selected.ensure_fits_in_memory()
        return selected

    def ensure_fits_in_memory(self) -> None:
        """Raise `InvalidSource` if the used columns would fill the memory."""
        with _open_parquet(self._path, self.name) as table, self._path.open("rb") as file:
            for group in range(table.num_row_groups):
                self._batch_size(table, group, file, "nothing was sent")

    def __iter__(self) -> Iterator[SourceRow]:
        line = 0
        with _open_parquet(self._path, self.name) as table, self._path.open("rb") as file:
            if tuple(map(str, table.schema_arrow.names)) != self._raw_columns:
                raise InvalidSource(
                    f"{self.name} has other columns than at the start of this run; nothing more is sent. "
                    "Do not change it during a run"
                )
            for group in range(table.num_row_groups):
                last = line + table.metadata.row_group(group).num_rows
                for row in self._read_row_group(table, group, self._batch_size(table, group, file), line):
                    line += 1
                    yield line, row
                if line != last:
                    raise self._read_error(line, "its metadata declares more rows")

    def _read_row_group(self, table: Any, group: int, rows: int, line: int) -> Iterator[Mapping[str, str] | Unreadable]:
        """Iterate over the rows of a row group, read in batches of `rows`."""
        columns = self._columns_to_read(table)
        batches = table.iter_batches(rows, [group], [*columns.values()], use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except Exception as error:  # noqa: BLE001  # pyarrow raises many types for a corrupt file
                raise self._read_error(line, _first_line(error)) from None
            if batch is None:
                return
            line += batch.num_rows
            yield from _rows(
                {name: column_to_cells(batch.column(column), name) for name, column in columns.items()}, batch
            )

    def _columns_to_read(self, table: Any) -> dict[str, str]:
        """Return the columns to read: their raw names by their normalized ones."""
        fields = {normalize_column_name(field.name): field for field in table.schema_arrow}
        return {
            name: fields[name].name
            for name in fields
            if name in self.selected_columns and is_readable_type(fields[name].type)
        }

    def _batch_size(self, table: Any, group: int, file: Any, consequence: str = "nothing more is sent") -> int:
        """Return how many rows of a row group can be read at once. Raises `InvalidSource` if not even one can."""
        metadata = table.metadata.row_group(group)
        used = self._columns_to_read(table)
        rows = MAX_BATCH_ROWS
        for index in range(metadata.num_columns):
            chunk = metadata.column(index)
            name = normalize_column_name(chunk.path_in_schema)
            if name not in used:
                continue
            try:
                pages = read_pages(file, chunk)
            except OSError as error:
                raise InvalidSource(f"{self.name} cannot be read: {error.strerror}; {consequence}") from None
            if any(map(_is_too_large, pages)):
                raise InvalidSource(
                    f"{self.name} has values in column {name} that are longer than any message, and would fill the "
                    f"memory; {consequence}"
                )
            rows = min(rows, batch_size(pages, MAX_BATCH_ROWS, _MAX_BATCH_BYTES))
        return rows

    def _read_error(self, line: int, reason: str) -> InvalidSource:
        return InvalidSource(f"{self.name} cannot be read after row {line}: {reason}")


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
    """Return whether a page does not fit into memory, or has only values that are longer than any message."""
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
        path.open("rb").close()  # its OSError has a plain reason, pyarrow's has not
        # Neither memory-mapped nor read ahead: a table may be larger than the machine's memory.
        return parquet.ParquetFile(
            path, memory_map=False, pre_buffer=False, buffer_size=_READ_BUFFER_BYTES, page_checksum_verification=True
        )
    except OSError as error:
        raise InvalidSource(
            f"{name} cannot be read: {error.strerror or _first_line(error)}; nothing was sent"
        ) from None
    except Exception as error:  # noqa: BLE001  # pyarrow raises many types for a corrupt file
        raise InvalidSource(f"{name} is not a Parquet file ({_first_line(error)}); nothing was sent") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
