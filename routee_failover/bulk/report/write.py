"""Writing the report to a file, atomically."""

import asyncio
import time
from datetime import tzinfo
from pathlib import Path

from ...ledger import Ledger
from ..atomic_write import atomic_write
from .formatting import TimeFormatter
from .page import render_page
from .run_summary import summarize_ledger


async def write_report(ledger: Ledger, path: str | Path, *, name: str, zone: tzinfo | None = None) -> None:
    """Write the report of a run as one self-contained HTML file, without scripts or external resources.

    `name` is the ledger's name in the commands that the page shows. Times are in `zone`, by default this machine's time
    zone. An existing file is replaced only once the new one is complete, and only the owner can read it.

    Raises `LedgerError` if the ledger cannot be read, and `OSError` if the file cannot be written; the ledger itself is
    not changed.
    """
    summary = await summarize_ledger(ledger)
    text = render_page(summary, ledger_name=name, written_at=time.time(), times=TimeFormatter(zone))
    await asyncio.to_thread(_replace, Path(path), text)


def _replace(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)
