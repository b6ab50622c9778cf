"""`routee-failover bulk export RUN.sqlite`: writes the outcome of every message, for spreadsheets and programs."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...bulk.atomic_write import atomic_write
from ...bulk.ledger_export import export as write_export
from ...errors import InvalidSource
from ...ledger import EntryState, SqliteLedger
from ..error_output import ErrorContext, handle_errors
from ..terminal import Terminal
from ..utf8_stdout import DataOutput
from .options import LedgerArgument
from .output_guard import ensure_not_in_use
from .resume import ensure_ledger_exists
from .run_config import RUN_CONFIG_KEY


def export(
    *,
    ledger: LedgerArgument,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header line (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    state: Annotated[
        list[EntryState] | None,
        typer.Option(
            metavar="STATE",
            case_sensitive=False,
            help=f"Only messages in this state: {', '.join(EntryState)}. Repeatable.",
            show_default=False,
        ),
    ] = None,
    numbers: Annotated[bool, typer.Option("--numbers", help="Print phone numbers unmasked.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file instead of stdout.")
    ] = None,
) -> None:
    """Print the outcome of every message. Read-only; works while the run is in progress.

    Phone numbers are masked (+3069****5678) unless --numbers is given. Output
    is UTF-8.

    Example: [cyan]routee-failover bulk export people.sqlite --state UNKNOWN[/]
    """
    with handle_errors(ErrorContext(state_text="nothing was changed")):
        if as_csv and as_json:
            raise InvalidSource("--csv and --json cannot be combined; nothing was changed")
        ensure_ledger_exists(ledger)
        form: Literal["csv", "jsonl"] = "jsonl" if as_json else "csv"
        asyncio.run(_write(ledger, output, form, state, numbers=numbers))
        if not numbers:
            Terminal(stderr=True).print_line("Phone numbers are masked; --numbers shows them.")


async def _write(
    path: str, output: Path | None, form: Literal["csv", "jsonl"], states: list[EntryState] | None, *, numbers: bool
) -> None:
    async with SqliteLedger.read(Path(path)) as ledger:
        if output is None:
            await write_export(ledger, DataOutput(), format=form, states=states, show_numbers=numbers)
            return
        ensure_not_in_use(output, path, await ledger.get_document(RUN_CONFIG_KEY))
        with atomic_write(output) as file:
            await write_export(ledger, file, format=form, states=states, show_numbers=numbers)
