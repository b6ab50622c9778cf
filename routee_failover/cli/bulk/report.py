"""`routee-failover bulk report RUN.sqlite`: writes the report of a run, an HTML page with charts."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ...bulk.report import write_report
from ...ledger import SqliteLedger
from ..error_output import ErrorContext, handle_errors
from ..terminal import Terminal, printable
from .options import LedgerArgument
from .output_guard import ensure_not_in_use
from .resume import ensure_ledger_exists
from .run_config import RUN_CONFIG_KEY


def report(
    *,
    ledger: LedgerArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="File to write. Default: RUN.html."),
    ] = None,
) -> None:
    """Write a report as one HTML file: rate, latency, outcomes, channels, costs and most frequent errors.

    The file needs no scripts and no other files. Numbers are masked. It can be
    written while the run is in progress.

    Example: [cyan]routee-failover bulk report people.sqlite -o people.html[/]
    """
    with handle_errors(ErrorContext(state_text="nothing was changed")):
        ensure_ledger_exists(ledger)
        page = output or Path(ledger).with_suffix(".html")
        asyncio.run(_write(ledger, page))
        Terminal().print_line("Report written to ", (printable(page), "cyan"))


async def _write(path: str, page: Path) -> None:
    async with SqliteLedger.read(Path(path)) as ledger:
        ensure_not_in_use(page, path, await ledger.get_document(RUN_CONFIG_KEY))
        await write_report(ledger, page, name=path)
