"""`routee-failover bulk reconcile RUN.sqlite`: Routee is asked what became of the messages that nobody knows about."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ...bulk.currency import store_currency
from ...bulk.delivery_summary import DeliverySummary
from ...bulk.reconciliation import BulkReconciler, ReconcileResult, UnknownPolicy, explain_reconciliation
from ...client import RouteeClient
from ...config import Config
from ...errors import RouteeError
from ...ledger import Ledger as RunLedger
from ...ledger import SqliteLedger
from ..failures import SoFar, told
from ..printed import json_text
from ..status import Status
from ..terminal import Terminal, clean
from .delivered import deliveries_event, deliveries_lines
from .ending import show, status_of_run, what_to_do
from .options import Json, Ledger, SettleAfter, Unknown, options
from .plan import DOCUMENT, LAST, Options, Plan, account_of, service_of
from .resume import must_exist, planned
from .status import tally_with
from .stopping import Asked, asked_to_stop
from .view.events import rows as rows_event
from .view.tally import number, span

T = TypeVar("T")


def reconcile(
    *,
    ledger: Ledger,
    unknown: Unknown = None,
    reconcile_after: SettleAfter = None,
    once: Annotated[
        bool, typer.Option("--once", help="Ask once, and do not wait until not being found proves something.")
    ] = False,
    ends: Annotated[
        bool,
        typer.Option(
            "--ends", help="Ask also for the delivery reports of accepted messages: status, channel and price."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Find out whether Routee accepted the messages whose outcome is unknown. Nothing is sent.

    What Routee has is found at once. That it does not have a message is proven only
    by not finding it for a while (--reconcile-after), for which this waits; Ctrl-C ends
    that. What was proven not to be accepted is sent by the next resume.

    With --ends it also asks for the delivery report of each accepted message, and
    counts them: delivered, failed, unknown, and by channel.

    Example: [cyan]routee-failover bulk reconcile people.sqlite --ends[/]
    """
    end = Status.FINE
    with told(SoFar(words="nothing was sent; what was found out is kept")):
        given = options(unknown=unknown, reconcile_after=reconcile_after)
        must_exist(ledger)
        work = _Work(ledger, given, once=once, ends=ends, as_json=as_json)
        end = asyncio.run(work.do(Config.from_env()))
    if end is not Status.FINE:
        raise typer.Exit(end)


class _Work:
    """One reconciliation."""

    def __init__(self, ledger: str, given: Options, *, once: bool, ends: bool, as_json: bool) -> None:
        self._ledger, self._given = ledger, given
        self._once, self._ends, self._as_json = once, ends, as_json
        self._words = Terminal(stderr=True)

    async def do(self, config: Config) -> Status:
        async with SqliteLedger(Path(self._ledger)) as ledger, RouteeClient(config) as routee:
            document = await ledger.get_document(DOCUMENT)
            former = planned(None if document is None else Plan.of(document), self._ledger)
            former.check_service(service_of(config), account_of(config))
            chosen = self._given.over(former.options)
            more: dict[str, Any] = {} if chosen.reconcile_after is None else {"reconcile_after": chosen.reconcile_after}
            settler = BulkReconciler(
                routee, ledger, endpoint=former.endpoint, on_unknown=chosen.unknown or UnknownPolicy.RECONCILE, **more
            )
            with asked_to_stop(lambda: None) as asked:
                before = await ledger.counts()
                if before.unknown:
                    self._words.say(explain_reconciliation(former.endpoint))
                settled = await self._settle(settler, asked)
                going_on = await _until_asked(_ends(settler, routee, ledger), asked) if self._ends else None
            await ledger.flush()
            tally = tally_with(await ledger.counts(), await ledger.get_document(LAST))
            deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
            status = status_of_run(tally, interrupted=asked.times > 0)
            if self._as_json:
                event = {
                    "event": "reconciled",
                    "kept": {} if settled is None else dict(settled.unknown_by_reason),
                    "ends_open": going_on,
                    **rows_event(tally),
                    "deliveries": deliveries_event(deliveries),
                    "exit_status": int(status),
                }
                out = Terminal()
                out.say(json_text(event, ascii_only=not out.encoding.startswith("utf")))
                return status
            _show(settled, before.unknown, before.accepted, tally.unknown, tally.accepted)
            told_of = deliveries_lines(deliveries, self._ledger)
            show(Terminal(), [*told_of, *what_to_do(tally, self._ledger, former.refused)])
            return status

    async def _settle(self, settler: BulkReconciler, asked: Asked) -> ReconcileResult | None:
        """Go through the doubts until waiting settles none any more; `None` if that was interrupted at once."""
        settled: ReconcileResult | None = None
        while True:
            latest = await _until_asked(settler.reconcile(), asked)
            if latest is None:
                return settled
            settled = latest
            if self._once or settled.next_due_in is None or not settled.unknown:
                return settled
            again = span(max(settled.next_due_in, 1))
            self._words.say(
                f"{number(settled.unknown)} in doubt still; Routee is asked again in {again}. "
                "Ctrl-C ends this, and what was found out is kept."
            )
            await asked.within(max(settled.next_due_in, 0.5))
            if asked.times:
                return settled


async def _ends(settler: BulkReconciler, routee: RouteeClient, ledger: RunLedger) -> int:
    """Ask for delivery reports, and for the currency that their prices are in; how many are missing."""
    missing = await settler.collect_delivery_reports()
    try:
        balance = await routee.balance()
    except RouteeError:  # not every application may see it
        return missing
    await store_currency(ledger, balance)
    return missing


async def _until_asked(work: Awaitable[T], asked: Asked) -> T | None:
    """What comes of it, or `None` if somebody asks to end before that."""
    running = asyncio.ensure_future(work)
    while not running.done() and not asked.times:
        await asked.or_done(running, 60)
    if not running.done():
        running.cancel()
        await asyncio.wait([running])
        return None
    return running.result()


def _show(settled: ReconcileResult | None, unknown: int, accepted: int, unknown_now: int, accepted_now: int) -> None:
    console = Terminal()
    if not unknown:
        console.say(("No message was in doubt.", "bold"))
    else:
        found = accepted_now - accepted
        absent = unknown - unknown_now - found
        words = f"Of {number(unknown)} in doubt, Routee has {number(found)}"
        console.say((f"{words}; {number(absent)} may be sent; {number(unknown_now)} still in doubt.", "bold"))
        for why, many in (
            sorted(settled.unknown_by_reason.items(), key=lambda item: -item[1]) if settled is not None else ()
        ):
            console.say(f"   {number(many)}: {clean(why)}")
