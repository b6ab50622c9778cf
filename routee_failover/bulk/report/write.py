"""The report as a file, whole or not at all."""

import asyncio
import time
from datetime import tzinfo
from pathlib import Path

from ...ledger import Ledger
from ..atomic_write import atomic_write
from .formatting import TimeFormatter
from .page import render_page
from .summary import summarize_ledger


async def write_report(ledger: Ledger, path: str | Path, *, name: str, zone: tzinfo | None = None) -> None:
    """Write what became of a run as one HTML file that needs no script and nothing else.

    `name` is how the ledger is called in a command; times are of `zone`, or of this machine's time zone. The file
    takes the place of what was there only once it is whole, and only its owner can read it.

    Raises `LedgerError` where the ledger cannot be read and `OSError` where the file cannot be written: that is no
    failure of the ledger, which is as it was.
    """
    summary = await summarize_ledger(ledger)
    text = render_page(summary, ledger_name=name, written_at=time.time(), times=TimeFormatter(zone))
    await asyncio.to_thread(_replace, Path(path), text)


def _replace(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text)
