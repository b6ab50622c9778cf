"""`routee-failover bulk status RUN.sqlite`: how a run stands, also while another process goes on with it."""

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
from ..output import format_json
from ..terminal import Terminal, printable
from .delivery_summary import delivery_counts_event, delivery_lines
from .display.dashboard import render_status
from .display.json_events import row_counts_fields as rows_event
from .display.row_counts import RowCounts
from .options import JsonOption, LedgerArgument
from .resume import ensure_ledger_exists
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig
from .summary import exit_code_for_run, next_step_lines, print_lines


class _RunStatus(NamedTuple):
    """What a ledger says."""

    tally: RowCounts
    plan: RunConfig | None
    deliveries: DeliverySummary


def status(ledger: LedgerArgument, as_json: JsonOption = False) -> None:
    """Show how many messages were accepted, delivered and not, and what to do about the rest. It changes nothing.

    It may be asked while the run goes on, and ends with the status that the run
    would end with now.

    Example: [cyan]routee-failover bulk status people.sqlite[/]
    """
    end = ExitCode.OK
    with handle_errors(ErrorContext(state_text="nothing was changed")):
        ensure_ledger_exists(ledger)
        standing_now = asyncio.run(read_status(ledger))
        _show(ledger, standing_now, as_json=as_json)
        end = exit_code_for_run(standing_now.tally)
    if end is not ExitCode.OK:
        raise typer.Exit(end)


async def read_status(path: str) -> _RunStatus:
    """How the run in a ledger stands. Raises `LedgerError` where it cannot be read."""
    async with SqliteLedger.read(Path(path)) as ledger:
        counts, document, last = (
            await ledger.counts(),
            await ledger.get_document(RUN_CONFIG_KEY),
            await ledger.get_document(LAST_RUN_KEY),
        )
        deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
        await asyncio.to_thread(_check, path)
        plan = None if document is None else RunConfig.from_document(document)
        return _RunStatus(counts_with_last_run(counts, last), plan, deliveries)


def _check(path: str) -> None:
    """Raise `LedgerError` where the ledger is damaged anywhere: the counts alone are on one page and would not tell.

    It reads the whole file, which takes half a second for a million messages.
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
    """The counts of a ledger with what the last run has left of what only its source knows."""
    known = last or {}
    names = ("key_conflicts", "duplicates", "deferred", "missing_from_source", "suppressed", "suppressed_new")
    more = {name: known.get(name) or 0 for name in names}
    flags = {name: bool(known.get(name)) for name in ("incomplete", "limit_reached")}
    return RowCounts.from_counts(counts, total=known.get("total"), **flags, **more)


def _show(ledger: str, standing_now: _RunStatus, *, as_json: bool) -> None:
    console = Terminal()
    tally, plan, deliveries = standing_now
    if as_json:
        told_of = {} if plan is None else {"recipients": str(plan.recipients), "flow": str(plan.flow)}
        more = {} if plan is None else {"endpoint": plan.endpoint, "service": plan.service}
        event = {
            "event": "status",
            **told_of,
            **more,
            **rows_event(tally),
            "deliveries": delivery_counts_event(deliveries),
        }
        console.print_line(format_json(event, ascii_only=not console.encoding.startswith("utf")))
        return
    title = (
        printable(ledger) if plan is None else f"{plan.recipients.name} as {plan.endpoint}, kept in {printable(ledger)}"
    )
    console.print_line((f" {title}", "bold"))
    console.print_line()
    console.print(render_status(tally, width=console.width, glyphs=console.glyphs))
    refused = plan.invalid_rows if plan is not None else None
    print_lines(console, [*delivery_lines(deliveries, ledger), *next_step_lines(tally, ledger, refused)])
