"""A run from its plan to its last words: everything is opened, in the order in which it can be refused."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from ...bulk.hours import SendWindow
from ...bulk.refused import RefusedFile
from ...bulk.row import Rows
from ...bulk.sender import BulkSender
from ...bulk.settings import BulkSettings
from ...bulk.sources import Source, read_source
from ...bulk.template import FlowTemplate
from ...client import RouteeClient
from ...config import Config
from ...errors import InvalidSource
from ...ledger import SqliteLedger
from ..failures import SoFar
from ..status import Status
from ..terminal import Terminal, clean
from .drive import Ended, Switch, drive
from .ending import command, show, status_of_run, summary
from .listening import listening, signer_of
from .plan import DOCUMENT, LAST, Plan
from .view.events import rows as rows_event
from .view.stage import JsonLines, Stage, stage_for
from .view.tally import Tally, number

OWN_LABELS = (
    "note: its steps have a label of their own. Routee's list of OTPs is asked for the whole label, so that a message "
    "in doubt is not found there and stays unknown; leave label out of the flow, or use --callbacks."
)


class Ready(NamedTuple):
    """A flow and its recipients, both looked at."""

    source: Source
    rows: Rows
    note: str | None
    """What has to be known of the flow before it is sent."""


def prepare(plan: Plan) -> Ready:
    """Read the flow, and look at the head of the recipients. Raises `InvalidSource` or `InvalidFlow`."""
    source = read_source(plan.recipients, format=plan.format)
    template = FlowTemplate.read(plan.flow)
    rows = template.rows(source, key=plan.key, region=plan.region)
    if next(iter(source), None) is None:
        raise InvalidSource(f"{clean(plan.recipients.name)} has no rows: there is nothing to send; nothing was sent")
    return Ready(source, rows, OWN_LABELS if template.has_own_labels else None)


def settings_of(plan: Plan) -> BulkSettings:
    """The settings of a sender. Raises `InvalidConfig` or `InvalidSource` for what cannot work."""
    given = plan.options
    named: dict[str, Any] = {
        "rate": given.rate,
        "concurrency": given.concurrency,
        "deadline": given.deadline,
        "window": None if given.hours is None else SendWindow.parse(given.hours),
        "on_unknown": given.unknown,
        "settle_after": given.settle_after,
        "callbacks": signer_of(given),
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

    async def conduct(self, so_far: SoFar) -> Status:
        """Send everything that can be sent, and say what became of it."""
        async with SqliteLedger(Path(self.ledger)) as ledger:
            document = await ledger.get(DOCUMENT)
            plan = self.plan_after(None if document is None else Plan.of(document))
            ready, settings, config = prepare(plan), settings_of(plan), client_config(plan.options.concurrency)
            total = ready.source.total
            if total is None:
                # It is read whole once before anything is sent: what makes it unreadable is found then.
                total = await asyncio.to_thread(_count, ready.source)
            refused = RefusedFile(plan.refused)
            refused.begin()  # every run reads all rows, which may have been mended since the one before
            async with AsyncExitStack() as stack:
                routee = await stack.enter_async_context(RouteeClient(config))
                sender = BulkSender(routee, ledger, settings, refused=stack.enter_context(refused))
                await stack.enter_async_context(listening(settings.callbacks, plan.options, sender.note))
                await ledger.put(DOCUMENT, plan.document())
                await ledger.put(LAST, {"total": total})
                so_far.resume = command("resume", self.ledger)
                so_far.words = f"what is not sent yet is sent by: {so_far.resume}"
                console = Terminal()
                before = await ledger.counts()
                settled = None if document is None else before.settled
                stage, switch = self._stage(console, sender, plan)
                _announce(stage, console, plan, self.ledger, total, settled, ready.note)
                ended = await drive(
                    sender,
                    lambda: asyncio.ensure_future(sender.run(ready.rows, total=total)),
                    stage,
                    switch,
                    so_far.resume,
                )
            return await self._end(ledger, plan, ended, before.settled - before.invalid)

    def _stage(self, console: Terminal, sender: BulkSender, plan: Plan) -> tuple[Stage, Switch]:
        switch = Switch(sender.pause, sender.go_on)
        return stage_for(console, title_of(plan, self.ledger), lambda: switch.hint, as_json=self.as_json), switch

    async def _end(self, ledger: SqliteLedger, plan: Plan, ended: Ended, settled: int) -> Status:
        progress = ended.progress
        tally = Tally.at_the_end(progress, interrupted=ended.interrupted, settled_before=settled)
        await ledger.put(
            LAST,
            {
                "total": tally.total,
                "duplicates": tally.duplicates,
                "deferred": tally.deferred,
                "stranded": tally.stranded,
                "cut_short": tally.cut_short,
                "elapsed": progress.elapsed,
            },
        )
        status = status_of_run(tally, interrupted=ended.interrupted)
        if self.as_json:
            JsonLines(Terminal(), Terminal(stderr=True)).print(
                {
                    "event": "done",
                    "elapsed_seconds": round(progress.elapsed, 3),
                    **rows_event(tally),
                    "exit_status": int(status),
                    "interrupted": ended.interrupted,
                    "why": progress.pause,
                    "refused_file": str(plan.refused) if tally.invalid else None,
                    "resume": command("resume", self.ledger) if tally.open else None,
                }
            )
        else:
            why = "it was interrupted" if ended.interrupted else progress.pause
            refused = plan.refused if tally.invalid else None
            show(Terminal(), summary(tally, self.ledger, refused, elapsed=progress.elapsed, why=why))
        return status


def _count(source: Source) -> int:
    return sum(1 for _ in source)


def title_of(plan: Plan, ledger: str) -> str:
    """A run in a few words."""
    return f"{clean(plan.recipients.name)} as {plan.endpoint}, kept in {clean(ledger)}"


def _announce(
    stage: Stage, console: Terminal, plan: Plan, ledger: str, total: int, settled: int | None, note: str | None
) -> None:
    """Say what begins. `settled` is how many an earlier run has dealt with, if there was one."""
    if isinstance(stage, JsonLines):
        stage.print(
            {
                "event": "started",
                "recipients": str(plan.recipients),
                "flow": str(plan.flow),
                "endpoint": plan.endpoint,
                "service": plan.service,
                "total": total,
                "resumed": settled is not None,
                "settled": settled or 0,
                "note": note,
            }
        )
        return
    console.say((f"{title_of(plan, ledger)}: {number(total)} rows, to {clean(plan.service)}.", "bold"))
    if settled:
        console.say(f"It goes on with a run that was begun before: {number(settled)} rows are dealt with already.")
    if note is not None:
        console.say((note, "yellow"))
