"""Where the rows of a bulk run come from: files, and whatever a program can go through."""

from .files import read_source
from .ready import rows_of
from .source import Read, Recipients, Source, Unreadable

__all__ = ["Read", "Recipients", "Source", "Unreadable", "read_source", "rows_of"]
