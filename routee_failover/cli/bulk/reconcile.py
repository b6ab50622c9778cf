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
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..output import format_json
from ..terminal import Terminal, printable
from .delivery_summary import delivery_counts_event, delivery_lines
from .display.json_events import row_counts_fields as rows_event
from .display.row_counts import format_duration, format_number
from .options import JsonOption, LedgerArgument, ReconcileAfterOption, UnknownOption, build_options
from .resume import ensure_ledger_exists, require_config
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig, RunOptions, account_digest, service_name
from .signals import StopRequests, handle_stop_signals
from .status import counts_with_last_run
from .summary import exit_code_for_run, next_step_lines, print_lines

T = TypeVar("T")


def reconcile(
    *,
    ledger: LedgerArgument,
    unknown: UnknownOption = None,
    reconcile_after: ReconcileAfterOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Ask once, and do not wait until not being found proves something.")
    ] = False,
    ends: Annotated[
        bool,
        typer.Option(
            "--ends", help="Ask also for the delivery reports of accepted messages: status, channel and price."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find out whether Routee accepted the messages whose outcome is unknown. Nothing is sent.

    What Routee has is found at once. That it does not have a message is proven only
    by not finding it for a while (--reconcile-after), for which this waits; Ctrl-C ends
    that. What was proven not to be accepted is sent by the next resume.

    With --ends it also asks for the delivery report of each accepted message, and
    counts them: delivered, failed, unknown, and by channel.

    Example: [cyan]routee-failover bulk reconcile people.sqlite --ends[/]
    """
    end = ExitCode.OK
    with handle_errors(ErrorContext(state_text="nothing was sent; what was found out is kept")):
        given = build_options(unknown=unknown, reconcile_after=reconcile_after)
        ensure_ledger_exists(ledger)
        work = _Reconciliation(ledger, given, once=once, ends=ends, as_json=as_json)
        end = asyncio.run(work.execute(Config.from_env()))
    if end is not ExitCode.OK:
        raise typer.Exit(end)


class _Reconciliation:
    """One reconciliation."""

    def __init__(self, ledger: str, given: RunOptions, *, once: bool, ends: bool, as_json: bool) -> None:
        self._ledger, self._given = ledger, given
        self._once, self._ends, self._as_json = once, ends, as_json
        self._words = Terminal(stderr=True)

    async def execute(self, config: Config) -> ExitCode:
        async with SqliteLedger(Path(self._ledger)) as ledger, RouteeClient(config) as routee:
            document = await ledger.get_document(RUN_CONFIG_KEY)
            former = require_config(None if document is None else RunConfig.from_document(document), self._ledger)
            former.ensure_same_account(service_name(config), account_digest(config))
            chosen = self._given.merged_over(former.options)
            more: dict[str, Any] = {} if chosen.reconcile_after is None else {"reconcile_after": chosen.reconcile_after}
            settler = BulkReconciler(
                routee, ledger, endpoint=former.endpoint, on_unknown=chosen.unknown or UnknownPolicy.RECONCILE, **more
            )
            with handle_stop_signals(lambda: None) as asked:
                before = await ledger.counts()
                if before.unknown:
                    self._words.print_line(explain_reconciliation(former.endpoint))
                settled = await self._settle(settler, asked)
                going_on = await _until_asked(_ends(settler, routee, ledger), asked) if self._ends else None
            await ledger.flush()
            tally = counts_with_last_run(await ledger.counts(), await ledger.get_document(LAST_RUN_KEY))
            deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
            status = exit_code_for_run(tally, interrupted=asked.count > 0)
            if self._as_json:
                event = {
                    "event": "reconciled",
                    "unknown_by_reason": {} if settled is None else dict(settled.unknown_by_reason),
                    "delivery_reports_missing": going_on,
                    **rows_event(tally),
                    "deliveries": delivery_counts_event(deliveries),
                    "exit_status": int(status),
                }
                out = Terminal()
                out.print_line(format_json(event, ascii_only=not out.encoding.startswith("utf")))
                return status
            _show(settled, before.unknown, before.accepted, tally.unknown, tally.accepted)
            told_of = delivery_lines(deliveries, self._ledger)
            print_lines(Terminal(), [*told_of, *next_step_lines(tally, self._ledger, former.invalid_rows)])
            return status

    async def _settle(self, settler: BulkReconciler, stop_requests: StopRequests) -> ReconcileResult | None:
        """Go through the doubts until waiting settles none any more; `None` if that was interrupted at once."""
        settled: ReconcileResult | None = None
        while True:
            latest = await _until_asked(settler.reconcile(), stop_requests)
            if latest is None:
                return settled
            settled = latest
            if self._once or settled.next_due_in is None or not settled.unknown:
                return settled
            again = format_duration(max(settled.next_due_in, 1))
            self._words.print_line(
                f"{format_number(settled.unknown)} in doubt still; Routee is asked again in {again}. "
                "Ctrl-C ends this, and what was found out is kept."
            )
            await stop_requests.wait(max(settled.next_due_in, 0.5))
            if stop_requests.count:
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


async def _until_asked(work: Awaitable[T], stop_requests: StopRequests) -> T | None:
    """What comes of it, or `None` if somebody asks to end before that."""
    running = asyncio.ensure_future(work)
    while not running.done() and not stop_requests.count:
        await stop_requests.wait_or_done(running, 60)
    if not running.done():
        running.cancel()
        await asyncio.wait([running])
        return None
    return running.result()


def _show(settled: ReconcileResult | None, unknown: int, accepted: int, unknown_now: int, accepted_now: int) -> None:
    console = Terminal()
    if not unknown:
        console.print_line(("No message was in doubt.", "bold"))
    else:
        found = accepted_now - accepted
        absent = unknown - unknown_now - found
        words = f"Of {format_number(unknown)} in doubt, Routee has {format_number(found)}"
        console.print_line(
            (f"{words}; {format_number(absent)} may be sent; {format_number(unknown_now)} still in doubt.", "bold")
        )
        for why, many in (
            sorted(settled.unknown_by_reason.items(), key=lambda item: -item[1]) if settled is not None else ()
        ):
            console.print_line(f"   {format_number(many)}: {printable(why)}")
