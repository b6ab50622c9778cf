"""`routee-failover bulk status RUN.sqlite`: shows the state of a run, also while another process runs it."""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ..._sqlite import UnusableDatabase, check_integrity, resolve_path
from ...bulk.delivery_summary import DeliverySummary
from ...errors import LedgerError
from ...ledger import SqliteLedger, StateCounts
from ...ledger.sqlite.schema import connect_for_reading, explain_failure
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..record_formats import format_json
from ..terminal import Terminal, printable
from .delivery_summary import delivery_counts_event, delivery_lines
from .display.dashboard import render_status
from .display.json_events import row_counts_fields
from .display.row_counts import RowCounts
from .options import JsonOption, LedgerArgument
from .resume import ensure_ledger_exists
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig
from .summary import exit_code_for_run, next_step_lines, print_lines


class _RunStatus(NamedTuple):
    """Status of a run, read from its ledger."""

    counts: RowCounts
    run_config: RunConfig | None
    deliveries: DeliverySummary


def status(ledger: LedgerArgument, as_json: JsonOption = False) -> None:
    """Show how many messages were accepted, delivered or failed, and what to do about the rest. Read-only.

    It works while the run is in progress, and exits with the exit code that the
    run would have if it ended now.

    Example: [cyan]routee-failover bulk status people.sqlite[/]
    """
    exit_code = ExitCode.OK
    with handle_errors(ErrorContext(state_text="nothing was changed")):
        ensure_ledger_exists(ledger)
        run_status = asyncio.run(read_status(ledger))
        _print_status(ledger, run_status, as_json=as_json)
        exit_code = exit_code_for_run(run_status.counts)
    if exit_code is not ExitCode.OK:
        raise typer.Exit(exit_code)


async def read_status(path: str) -> _RunStatus:
    """Read the status of a run. Raises `LedgerError` if the ledger cannot be read."""
    async with SqliteLedger.read(Path(path)) as ledger:
        counts, document, last = (
            await ledger.counts(),
            await ledger.get_document(RUN_CONFIG_KEY),
            await ledger.get_document(LAST_RUN_KEY),
        )
        deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
        await asyncio.to_thread(_check_integrity, path)
        run_config = None if document is None else RunConfig.from_document(document)
        return _RunStatus(counts_with_last_run(counts, last), run_config, deliveries)


def _check_integrity(path: str) -> None:
    """Raise `LedgerError` if the ledger is damaged anywhere.

    The counts are on a page of their own and would not show it. The check reads the whole file, which takes half a
    second for a million messages.
    """
    try:
        with closing(connect_for_reading(resolve_path(Path(path)))) as connection:
            check_integrity(connection)
    except (UnusableDatabase, sqlite3.Error) as error:
        reason = explain_failure(error)
    else:
        return
    raise LedgerError(f"cannot read the ledger {path}: {reason}")


def counts_with_last_run(counts: StateCounts, last: Mapping[str, Any] | None) -> RowCounts:
    """Return the counts of a ledger, with what only the last run's source knew."""
    known = last or {}
    names = ("key_conflicts", "duplicates", "deferred", "missing_from_source", "suppressed", "suppressed_new")
    more = {name: known.get(name) or 0 for name in names}
    flags = {name: bool(known.get(name)) for name in ("incomplete", "limit_reached")}
    return RowCounts.from_counts(counts, total=known.get("total"), **flags, **more)


def _print_status(ledger: str, status: _RunStatus, *, as_json: bool) -> None:
    console = Terminal()
    counts, run_config, deliveries = status
    if as_json:
        files = {} if run_config is None else {"recipients": str(run_config.recipients), "flow": str(run_config.flow)}
        target = {} if run_config is None else {"endpoint": run_config.endpoint, "service": run_config.service}
        event = {
            "event": "status",
            **files,
            **target,
            **row_counts_fields(counts),
            "deliveries": delivery_counts_event(deliveries),
        }
        console.print_line(format_json(event, ascii_only=not console.encoding.startswith("utf")))
        return
    title = (
        printable(ledger)
        if run_config is None
        else f"{run_config.recipients.name} as {run_config.endpoint}, ledger {printable(ledger)}"
    )
    console.print_line((f" {title}", "bold"))
    console.print_line()
    console.print(render_status(counts, width=console.width, glyphs=console.glyphs))
    invalid_rows = run_config.invalid_rows if run_config is not None else None
    print_lines(console, [*delivery_lines(deliveries, ledger), *next_step_lines(counts, ledger, invalid_rows)])
