"""A run from its plan to its last words: everything is opened, in the order in which it can be refused."""

import asyncio
import functools
import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from ...bulk.currency import store_currency
from ...bulk.invalid_rows import InvalidRowsFile
from ...bulk.sanitize import sanitize
from ...bulk.send_window import SendWindow
from ...bulk.sender import BulkSender
from ...bulk.settings import BulkSettings
from ...bulk.sources import Source, read_source
from ...bulk.suppression import SuppressionList
from ...bulk.templates.row import Rows
from ...bulk.templates.template import FlowTemplate
from ...client import RouteeClient
from ...config import Config
from ...errors import InvalidSource
from ...ledger import SqliteLedger
from ..failures import SoFar
from ..status import Status
from ..terminal import OutputClosed, Terminal, clean
from .drive import Ended, Switch, drive
from .earlier import source_digest
from .ending import command, resume_command, show, status_of_run, summary
from .listening import listening, signer_of
from .plan import DOCUMENT, LAST, Plan
from .start import Start, announce, balance_of, title_of
from .view.events import rows as rows_event
from .view.stage import JsonLines, Stage, stage_for
from .view.tally import Tally

OWN_LABELS = (
    "note: its steps have a label of their own. Routee's list of OTPs is asked for the whole label, so that a message "
    "in doubt is not found there and stays unknown; leave label out of the flow, or use --callbacks."
)
UNFILLED = (
    "note: its texts have {} in them, which everybody reads as it stands: a column is written in single braces, "
    "as {{name}}."
)


class Ready(NamedTuple):
    """A flow and its recipients, both looked at."""

    source: Source
    rows: Rows
    note: str | None
    """What has to be known of the flow before it is sent."""
    suppressed: SuppressionList | None


def prepare(plan: Plan) -> Ready:
    """Read the flow, and look at the head of the recipients. Raises `InvalidSource` or `InvalidFlow`."""
    source = read_source(plan.recipients, format=plan.format)
    template = FlowTemplate.read(plan.flow)
    rows = template.rows(source, key=plan.key, region=plan.region)
    if isinstance(rows, Iterable) and next(iter(rows), None) is None:
        raise InvalidSource(f"{clean(plan.recipients.name)} has no rows: there is nothing to send; nothing was sent")
    notes = [OWN_LABELS] if template.has_own_labels else []
    unfilled = template.unfilled_placeholders(source.columns or ())
    if unfilled:
        notes.append(UNFILLED.format(", ".join(sanitize(placeholder) for placeholder in unfilled)))
    suppressed = _suppressed(plan, template.recipient_columns)
    return Ready(source, rows, " ".join(notes) or None, suppressed)


def _suppressed(plan: Plan, columns: tuple[str, ...]) -> SuppressionList | None:
    """The numbers that are never written to. Raises `InvalidSource` for a list that cannot be used."""
    paths = plan.options.suppress
    if not paths:
        return None
    missing = next((path for path in paths if not os.path.lexists(path)), None)
    if missing is not None:
        raise InvalidSource(
            f"{clean(missing)} cannot be read: it is not there, and people on it would be written to; nothing was "
            "sent. Put it back, or say with --suppress where it is, under the same name"
        )
    return _read_once(paths, plan.region, columns, tuple(map(_version, paths)))


@functools.lru_cache(1)  # a command prepares before it makes a ledger, and again with what the ledger says
def _read_once(
    paths: tuple[str, ...], region: str | None, columns: tuple[str, ...], _versions: tuple[object, ...]
) -> SuppressionList:
    return SuppressionList.read(*paths, region=region, columns=columns)


def _version(path: str) -> object:
    try:
        found = Path(path).stat()
    except OSError:
        return None  # why it cannot be read is told by reading it
    return found.st_ino, found.st_mtime_ns, found.st_size


def settings_of(plan: Plan, suppressed: SuppressionList | None = None) -> BulkSettings:
    """The settings of a sender. Raises `InvalidConfig` or `InvalidSource` for what cannot work."""
    given = plan.options
    named: dict[str, Any] = {
        "rate": given.rate,
        "concurrency": given.concurrency,
        "deadline": given.deadline,
        "send_window": None if given.hours is None else SendWindow.parse(given.hours),
        "on_unknown": given.unknown,
        "reconcile_after": given.reconcile_after,
        "callbacks": signer_of(given),
        "suppression_list": suppressed,
        "max_messages": given.max_messages or None,
    }
    return BulkSettings(**{name: value for name, value in named.items() if value is not None})


def client_config(concurrency: int | None) -> Config:
    """The account, with as many connections as messages are under way at once."""
    config = Config.from_env()
    return config if concurrency is None else attrs.evolve(config, pool_size=max(config.pool_size, concurrency))


@attrs.frozen(kw_only=True)
class Run:
    """A run to be conducted. `ledger` is its file as it was written, for commands that are to be copied."""

    ledger: str
    plan_after: Callable[[Plan | None], Plan]
    """Gives the plan, from the one that the ledger holds already. Raises `InvalidSource` where they do not agree."""
    as_json: bool
    recover: bool = False
    """Whether to open a ledger that has lost something, and ask Routee about every row that it does not hold."""

    async def conduct(self, so_far: SoFar) -> Status:
        """Send everything that can be sent, and say what became of it."""
        async with SqliteLedger(Path(self.ledger), recover=self.recover) as ledger:
            document = await ledger.get_document(DOCUMENT)
            plan = self.plan_after(None if document is None else Plan.of(document))
            plan = plan.sending(await asyncio.to_thread(source_digest, plan.recipients))
            ready, config = prepare(plan), client_config(plan.options.concurrency)
            settings = settings_of(plan, ready.suppressed)
            total, balance = await asyncio.gather(_total(ready.source), balance_of(config))
            refused = InvalidRowsFile(plan.refused)
            refused.start_run()  # every run reads all rows, which may have been mended since the one before
            async with AsyncExitStack() as stack:
                routee = await stack.enter_async_context(RouteeClient(config))
                sender = BulkSender(routee, ledger, settings, on_invalid_row=stack.enter_context(refused))
                await stack.enter_async_context(listening(settings.callbacks, plan.options, sender.handle_callback))
                await ledger.put_document(DOCUMENT, plan.document())
                await ledger.put_document(LAST, {"total": total})
                if balance is not None:
                    await store_currency(ledger, balance)
                so_far.resume = command("resume", self.ledger)
                so_far.words = f"what is not sent yet is sent by: {so_far.resume}"
                console = Terminal()
                before = await ledger.counts()
                settled = None if document is None else before.final
                stage, switch = self._stage(console, sender, plan)
                announce(
                    stage, console, plan, self.ledger, Start(total, settled, ready.suppressed, balance, ready.note)
                )
                settled_before = before.final - before.invalid
                try:
                    ended = await drive(
                        sender,
                        lambda: asyncio.ensure_future(sender.run(ready.rows, total=total)),
                        stage,
                        switch,
                        so_far.resume,
                    )
                except (OutputClosed, OSError):
                    await _keep(ledger, Ended(sender.progress, interrupted=True), settled_before)
                    raise
            return await self._end(ledger, plan, ended, settled_before)

    def _stage(self, console: Terminal, sender: BulkSender, plan: Plan) -> tuple[Stage, Switch]:
        switch = Switch(sender.pause, sender.resume)
        return stage_for(console, title_of(plan, self.ledger), lambda: switch.hint, as_json=self.as_json), switch

    async def _end(self, ledger: SqliteLedger, plan: Plan, ended: Ended, settled: int) -> Status:
        progress = ended.progress
        tally = await _keep(ledger, ended, settled)
        status = status_of_run(tally, interrupted=ended.interrupted)
        why = progress.pause_reason
        if tally.limit_reached and not ended.interrupted:
            why = f"stopped at --max-messages {plan.options.max_messages}"
        if self.as_json:
            JsonLines(Terminal(), Terminal(stderr=True)).print(
                {
                    "event": "done",
                    "elapsed_seconds": round(progress.elapsed, 3),
                    **rows_event(tally),
                    "exit_status": int(status),
                    "interrupted": ended.interrupted,
                    "why": why,
                    "refused_file": str(plan.refused) if tally.invalid else None,
                    "resume": resume_command(tally, self.ledger) if tally.open else None,
                }
            )
        else:
            why = "it was interrupted" if ended.interrupted else why
            refused = plan.refused if tally.invalid else None
            show(Terminal(), summary(tally, self.ledger, refused, elapsed=progress.elapsed, why=why))
        return status


async def _keep(ledger: SqliteLedger, ended: Ended, settled: int) -> Tally:
    """Keep what the run has found out and the ledger does not know, for `status`."""
    progress = ended.progress
    tally = Tally.at_the_end(progress, interrupted=ended.interrupted, settled_before=settled)
    await ledger.put_document(
        LAST,
        {
            "total": tally.total,
            "key_conflicts": tally.key_conflicts,
            "duplicates": tally.duplicates,
            "deferred": tally.deferred,
            "suppressed": tally.suppressed,
            "suppressed_new": progress.suppressed_new,
            "limit_reached": tally.limit_reached,
            "stranded": tally.stranded,
            "cut_short": tally.cut_short,
            "elapsed": progress.elapsed,
        },
    )
    return tally


async def _total(source: Source) -> int:
    """How many rows there are. They are read whole before anything is sent, and what is unreadable is found then."""
    return source.total if source.total is not None else await asyncio.to_thread(_count, source)


def _count(source: Source) -> int:
    return sum(1 for _ in source)
