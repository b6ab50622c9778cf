"""`routee-failover bulk report RUN.sqlite`: one page with pictures of a run."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ...bulk.report import write_report
from ...ledger import SqliteLedger
from ..failures import SoFar, told
from ..terminal import Terminal, clean
from .options import Ledger
from .outputs import spare_what_is_used
from .plan import DOCUMENT
from .resume import must_exist


def report(
    *,
    ledger: Ledger,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.html", help="Write it here. If not given: RUN.html."),
    ] = None,
) -> None:
    """Write one HTML file with pictures: rate, latency, outcomes, channels, costs, and what went wrong most.

    It needs no script, and nothing from anywhere else. Numbers are masked. It may be
    written while the run goes on.

    Example: [cyan]routee-failover bulk report people.sqlite -o people.html[/]
    """
    with told(SoFar(words="nothing was changed")):
        must_exist(ledger)
        page = output or Path(ledger).with_suffix(".html")
        asyncio.run(_write(ledger, page))
        Terminal().say("The report is in ", (clean(page), "cyan"))


async def _write(path: str, page: Path) -> None:
    async with SqliteLedger.read(Path(path)) as ledger:
        spare_what_is_used(page, path, await ledger.get_document(DOCUMENT))
        await write_report(ledger, page, name=path)
