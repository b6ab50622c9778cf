"""Sources of a bulk run's rows: CSV, JSON Lines and Parquet files, iterables of mappings, and ready-made flows."""

from .base import Recipients, Source, SourceRow, Unreadable
from .formats import read_source
from .from_flows import rows_of

__all__ = ["Recipients", "Source", "SourceRow", "Unreadable", "read_source", "rows_of"]
