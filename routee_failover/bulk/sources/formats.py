"""A file becomes a source by its name's ending, or by the format that the caller names."""

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
"""What `read_source` takes for a format."""
_ENDINGS: Mapping[str, str] = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}


def read_source(path: str | Path, *, format: str | None = None) -> Source:  # noqa: A002  # it is the word for it
    """The rows of a file: CSV, JSON lines or Parquet, by the ending of its name unless `format` says.

    It is read several times, so that a pipe will not do, such as `<(command)` in a shell or `/dev/stdin` behind one.
    Raises `InvalidSource` for a file that cannot be read; a row that cannot be read ends nothing.
    """
    path = Path(path)
    name = printable_path(path)
    if is_stream(path):
        raise InvalidSource(
            f"{name} is a pipe or a device, and a run reads its source several times: save it to a file first; "
            "nothing was sent"
        )
    chosen = format or _ENDINGS.get(path.suffix.lower())
    if chosen is None or chosen not in _READERS:
        why = f"{chosen} is no format" if chosen else "its name does not end in one"
        raise InvalidSource(f"{name} is in none of the formats {', '.join(FORMATS)}: {why}; nothing was sent")
    return _READERS[chosen](path, name)


def is_stream(path: Path) -> bool:
    """Whether it is there and can be read once only."""
    return path.exists() and not path.is_file() and not path.is_dir()


def printable_path(path: Path) -> str:
    """A file's name as an error may show it."""
    return str(path).encode("ascii", "backslashreplace").decode() if not str(path).isprintable() else str(path)
