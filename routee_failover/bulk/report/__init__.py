"""What became of a run, as a page for people: one pass over the ledger, numbers, drawings, one file."""

from .write import write_report

__all__ = ["write_report"]
