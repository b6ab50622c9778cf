"""Where the rows of a bulk run come from: files, and whatever a program can go through."""

from .base import Recipients, Source, SourceRow, Unreadable
from .formats import read_source
from .from_flows import rows_of

__all__ = ["Recipients", "Source", "SourceRow", "Unreadable", "read_source", "rows_of"]
