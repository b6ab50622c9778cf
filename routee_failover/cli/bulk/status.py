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
from ..failures import SoFar, told
from ..printed import json_text
from ..status import Status
from ..terminal import Terminal, clean
from .delivered import deliveries_event, deliveries_lines
from .ending import show, status_of_run, what_to_do
from .options import Json, Ledger
from .plan import DOCUMENT, LAST, Plan
from .resume import must_exist
from .view.board import standing
from .view.events import rows as rows_event
from .view.tally import Tally


class _Standing(NamedTuple):
    """What a ledger says."""

    tally: Tally
    plan: Plan | None
    deliveries: DeliverySummary


def status(ledger: Ledger, as_json: Json = False) -> None:
    """Show how many messages were accepted, delivered and not, and what to do about the rest. It changes nothing.

    It may be asked while the run goes on, and ends with the status that the run
    would end with now.

    Example: [cyan]routee-failover bulk status people.sqlite[/]
    """
    end = Status.FINE
    with told(SoFar(words="nothing was changed")):
        must_exist(ledger)
        standing_now = asyncio.run(read(ledger))
        _show(ledger, standing_now, as_json=as_json)
        end = status_of_run(standing_now.tally)
    if end is not Status.FINE:
        raise typer.Exit(end)


async def read(path: str) -> _Standing:
    """How the run in a ledger stands. Raises `LedgerError` where it cannot be read."""
    async with SqliteLedger.read(Path(path)) as ledger:
        counts, document, last = (
            await ledger.counts(),
            await ledger.get_document(DOCUMENT),
            await ledger.get_document(LAST),
        )
        deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
        await asyncio.to_thread(_check, path)
        plan = None if document is None else Plan.of(document)
        return _Standing(tally_with(counts, last), plan, deliveries)


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


def tally_with(counts: StateCounts, last: Mapping[str, Any] | None) -> Tally:
    """The counts of a ledger with what the last run has left of what only its source knows."""
    known = last or {}
    names = ("key_conflicts", "duplicates", "deferred", "stranded", "suppressed", "suppressed_new")
    more = {name: known.get(name) or 0 for name in names}
    flags = {name: bool(known.get(name)) for name in ("cut_short", "limit_reached")}
    return Tally.counted(counts, total=known.get("total"), **flags, **more)


def _show(ledger: str, standing_now: _Standing, *, as_json: bool) -> None:
    console = Terminal()
    tally, plan, deliveries = standing_now
    if as_json:
        told_of = {} if plan is None else {"recipients": str(plan.recipients), "flow": str(plan.flow)}
        more = {} if plan is None else {"endpoint": plan.endpoint, "service": plan.service}
        event = {"event": "status", **told_of, **more, **rows_event(tally), "deliveries": deliveries_event(deliveries)}
        console.say(json_text(event, ascii_only=not console.encoding.startswith("utf")))
        return
    title = clean(ledger) if plan is None else f"{plan.recipients.name} as {plan.endpoint}, kept in {clean(ledger)}"
    console.say((f" {title}", "bold"))
    console.say()
    console.print(standing(tally, width=console.width, glyphs=console.glyphs))
    refused = plan.refused if plan is not None else None
    show(console, [*deliveries_lines(deliveries, ledger), *what_to_do(tally, ledger, refused)])
