"""HTML report of a bulk run: one pass over the ledger, aggregates, SVG charts, one self-contained file."""

from .write import write_report

__all__ = ["write_report"]
