"""Formats of source files, chosen by the file name extension or by the caller."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ...errors import InvalidSource
from .base import Source
from .csv_file import CsvSource
from .json_lines import JsonLinesSource
from .parquet import ParquetSource

_READERS: Mapping[str, Callable[[Path, str], Source]] = {
    "csv": CsvSource,
    "jsonl": JsonLinesSource,
    "parquet": ParquetSource,
}
FORMATS = tuple(_READERS)
"""Values of `read_source`'s `format`."""
_FORMATS_BY_EXTENSION: Mapping[str, str] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}


def read_source(path: str | Path, *, format: str | None = None) -> Source:  # noqa: A002  # the usual name for it
    """Return the rows of a file: CSV, JSON Lines or Parquet, by its extension unless `format` is given.

    The file is read several times, so it cannot be a pipe, such as `<(command)` in a shell or `/dev/stdin` behind one.
    Raises `InvalidSource` for a file that cannot be read. A row that cannot be read is `Unreadable` and raises nothing.
    """
    path = Path(path)
    name = printable_path(path)
    if is_stream(path):
        raise InvalidSource(
            f"{name} is a pipe or a device, and a run reads its source several times: save it to a file first; "
            "nothing was sent"
        )
    chosen = format or _FORMATS_BY_EXTENSION.get(path.suffix.lower())
    if chosen is None or chosen not in _READERS:
        reason = f"{chosen} is not a format" if chosen else "its extension is not known"
        raise InvalidSource(f"{name} is in none of the formats {', '.join(FORMATS)}: {reason}; nothing was sent")
    return _READERS[chosen](path, name)


def is_stream(path: Path) -> bool:
    """Return whether a path is a pipe or a device, which can be read only once."""
    return path.exists() and not path.is_file() and not path.is_dir()


def printable_path(path: Path) -> str:
    """Return a path for use in an error, with control characters and undecodable bytes escaped."""
    return str(path).encode("ascii", "backslashreplace").decode() if not str(path).isprintable() else str(path)
