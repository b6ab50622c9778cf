"""`routee-failover bulk reconcile RUN.sqlite`: asks Routee about the messages whose outcome is unknown."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ...bulk.account_currency import store_currency
from ...bulk.delivery_summary import DeliverySummary
from ...bulk.reconciliation import BulkReconciler, ReconcileResult, UnknownPolicy, explain_reconciliation
from ...client import RouteeClient
from ...config import Config
from ...errors import RouteeError
from ...ledger import Ledger, SqliteLedger
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..record_formats import format_json
from ..terminal import Terminal, printable
from .delivery_summary import delivery_counts_event, delivery_lines
from .display.json_events import row_counts_fields
from .display.row_counts import format_duration, format_number
from .options import JsonOption, LedgerArgument, ReconcileAfterOption, build_options
from .resume import ensure_ledger_exists, require_config
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig, RunOptions, account_digest, service_name
from .signals import StopRequests, handle_stop_signals
from .status import counts_with_last_run
from .summary import exit_code_for_run, next_step_lines, print_lines

T = TypeVar("T")


def reconcile(
    *,
    ledger: LedgerArgument,
    unknown: Annotated[
        UnknownPolicy | None,
        typer.Option(
            help="What to do with messages whose outcome is unknown. keep: do not search. reconcile (default): search. "
            "resend: search, and let the next resume send what stays unknown; it may arrive twice.",
            show_default=False,
        ),
    ] = None,
    reconcile_after: ReconcileAfterOption = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Search once, without waiting until a message that is not found is proven absent."),
    ] = False,
    ends: Annotated[
        bool,
        typer.Option(
            "--ends", help="Also collect the delivery reports of accepted messages: status, channel and price."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find out whether Routee accepted the messages whose outcome is unknown. Nothing is sent.

    A message that Routee accepted is found at once. A message counts as not
    accepted only if it is still not found after --reconcile-after, so the
    command waits; Ctrl-C stops waiting. The next resume sends the messages that
    Routee provably did not accept.

    With --ends it also collects the delivery report of each accepted message, and
    counts them: delivered, failed, unknown, and by channel.

    Example: [cyan]routee-failover bulk reconcile people.sqlite --ends[/]
    """
    exit_code = ExitCode.OK
    with handle_errors(ErrorContext(state_text="nothing was sent; results so far are kept")):
        options = build_options(unknown=unknown, reconcile_after=reconcile_after)
        ensure_ledger_exists(ledger)
        reconciliation = _Reconciliation(ledger, options, once=once, ends=ends, as_json=as_json)
        exit_code = asyncio.run(reconciliation.execute(Config.from_env()))
    if exit_code is not ExitCode.OK:
        raise typer.Exit(exit_code)


class _Reconciliation:
    """One execution of the command."""

    def __init__(self, ledger: str, options: RunOptions, *, once: bool, ends: bool, as_json: bool) -> None:
        self._ledger, self._options = ledger, options
        self._once, self._collect_reports, self._as_json = once, ends, as_json
        self._messages = Terminal(stderr=True)

    async def execute(self, config: Config) -> ExitCode:
        async with SqliteLedger(Path(self._ledger)) as ledger, RouteeClient(config) as routee:
            document = await ledger.get_document(RUN_CONFIG_KEY)
            run_config = require_config(None if document is None else RunConfig.from_document(document), self._ledger)
            run_config.ensure_same_account(service_name(config), account_digest(config))
            chosen = self._options.merged_over(run_config.options)
            more: dict[str, Any] = {} if chosen.reconcile_after is None else {"reconcile_after": chosen.reconcile_after}
            reconciler = BulkReconciler(
                routee,
                ledger,
                endpoint=run_config.endpoint,
                on_unknown=chosen.unknown or UnknownPolicy.RECONCILE,
                **more,
            )
            with handle_stop_signals(lambda: None) as stop_requests:
                before = await ledger.counts()
                if before.unknown:
                    self._messages.print_line(explain_reconciliation(run_config.endpoint, raw=run_config.raw))
                result = await self._reconcile(reconciler, stop_requests)
                missing_reports = (
                    await _until_stopped(_collect_reports(reconciler, routee, ledger), stop_requests)
                    if self._collect_reports
                    else None
                )
            await ledger.flush()
            counts = counts_with_last_run(await ledger.counts(), await ledger.get_document(LAST_RUN_KEY))
            deliveries = DeliverySummary.from_counts(await ledger.delivery_counts())
            exit_code = exit_code_for_run(counts, interrupted=stop_requests.count > 0)
            if self._as_json:
                event = {
                    "event": "reconciled",
                    "unknown_by_reason": {} if result is None else dict(result.unknown_by_reason),
                    "delivery_reports_missing": missing_reports,
                    **row_counts_fields(counts),
                    "deliveries": delivery_counts_event(deliveries),
                    "exit_code": int(exit_code),
                }
                output = Terminal()
                output.print_line(format_json(event, ascii_only=not output.encoding.startswith("utf")))
                return exit_code
            _print_result(result, before.unknown, before.accepted, counts.unknown, counts.accepted)
            reports = delivery_lines(deliveries, self._ledger)
            print_lines(Terminal(), [*reports, *next_step_lines(counts, self._ledger, run_config.invalid_rows)])
            return exit_code

    async def _reconcile(self, reconciler: BulkReconciler, stop_requests: StopRequests) -> ReconcileResult | None:
        """Reconcile until waiting proves nothing more; return `None` if stopped during the first pass."""
        result: ReconcileResult | None = None
        while True:
            latest = await _until_stopped(reconciler.reconcile(), stop_requests)
            if latest is None:
                return result
            result = latest
            if self._once or result.next_due_in is None or not result.unknown:
                return result
            wait = format_duration(max(result.next_due_in, 1))
            self._messages.print_line(
                f"{format_number(result.unknown)} still unknown; Routee is asked again in {wait}. "
                "Ctrl-C stops; results so far are kept."
            )
            await stop_requests.wait(max(result.next_due_in, 0.5))
            if stop_requests.count:
                return result


async def _collect_reports(reconciler: BulkReconciler, routee: RouteeClient, ledger: Ledger) -> int:
    """Collect delivery reports, and store the currency of their prices; return how many reports are missing."""
    missing = await reconciler.collect_delivery_reports()
    try:
        balance = await routee.balance()
    except RouteeError:  # the application may have no permission for it
        return missing
    await store_currency(ledger, balance)
    return missing


async def _until_stopped(work: Awaitable[T], stop_requests: StopRequests) -> T | None:
    """Return the result of the work, or `None` if it was stopped first."""
    running = asyncio.ensure_future(work)
    while not running.done() and not stop_requests.count:
        await stop_requests.wait_or_done(running, 60)
    if not running.done():
        running.cancel()
        await asyncio.wait([running])
        return None
    return running.result()


def _print_result(
    result: ReconcileResult | None, unknown: int, accepted: int, unknown_now: int, accepted_now: int
) -> None:
    console = Terminal()
    if not unknown:
        console.print_line(("No unknown messages.", "bold"))
    else:
        found = accepted_now - accepted
        absent = unknown - unknown_now - found
        text = f"Of {format_number(unknown)} unknown: {format_number(found)} accepted"
        console.print_line(
            (
                f"{text}, {format_number(absent)} not accepted and ready to send, "
                f"{format_number(unknown_now)} still unknown.",
                "bold",
            )
        )
        for reason, count in (
            sorted(result.unknown_by_reason.items(), key=lambda item: -item[1]) if result is not None else ()
        ):
            console.print_line(f"   {format_number(count)}: {printable(reason)}")
