"""Bulk sender: runs passes over a source with concurrent workers, and reconciles messages of unknown outcome."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, Coroutine
from datetime import UTC, datetime
from typing import Any

from .._send_all import RateLimiter
from .._tasks import wait_until_ended
from .._validators import check_hook
from ..client import RouteeClient
from ..errors import InvalidConfig, LedgerError, RouteeError
from ..ledger import Ledger, StateCounts
from ..records import FlowRecord, OtpRecord
from ..webhooks import CallbackEvent
from .claimer import Claimer, CorrelationFactory, InvalidRowHandler
from .max_messages import MessageLimit
from .message_sender import ACCOUNT, BALANCE, CANCELLED, MessageSender
from .progress import Phase, Progress, RunCounters
from .ready_queue import ReadyQueue
from .reconcile_scheduler import ReconcileScheduler
from .reconciliation.report_mapping import has_failed_over
from .run_control import ErrorBudgetTracker, RunControl, StallTimer
from .settings import BulkSettings
from .templates.message_fingerprint import Fingerprinter
from .templates.row import Rows

USER = "user"
_TICK = 0.5
_ACCOUNT_PROBE_INTERVAL = 30.0
"""Seconds between checks whether the account has credit, or access, again."""
_MAX_PASS_DELAY = 30.0
"""Maximum seconds between passes that send nothing."""
_MAX_BATCH = 128
"""Maximum number of messages in one claim, which is one transaction of the ledger."""


class BulkSender:
    """Sender of the rows of a source, through a ledger: each key at most once, whatever happens to this process.

        async with RouteeClient.from_env() as routee, SqliteLedger("run.sqlite") as ledger:
            progress = await BulkSender(routee, ledger, BulkSettings(rate=200)).run(rows)

    A message has an entry in the ledger before its first byte is sent, and its outcome is recorded soon after. Another
    run with the same ledger resumes where the first one ended, however it ended: accepted messages are skipped, and
    messages that were in flight are UNKNOWN until they are reconciled. The source supplies texts and PINs again; the
    ledger holds none.

    A sender belongs to one event loop. `on_invalid_row` is called for every row that cannot be sent; it must
    not be async.
    """

    def __init__(
        self,
        routee: RouteeClient,
        ledger: Ledger,
        settings: BulkSettings | None = None,
        *,
        on_invalid_row: InvalidRowHandler | None = None,
    ) -> None:
        if on_invalid_row is not None:
            check_hook("on_invalid_row", on_invalid_row)
        self._routee = routee
        self._ledger = ledger
        self._settings = settings or BulkSettings()
        self._on_invalid_row = on_invalid_row
        self._phase = Phase.STARTING
        self._counts = StateCounts()
        self._total: int | None = None
        self._has_run = False
        self._last_pass_sent_nothing = False
        self._counters = RunCounters()
        self._control = RunControl()
        self._stall_timer = StallTimer(self._settings.stall_timeout.total_seconds())
        budget = self._settings.error_budget
        self._error_budget = ErrorBudgetTracker(budget) if budget is not None else None
        self._reconcile_scheduler = ReconcileScheduler(routee, ledger, self._settings)
        self._claimer: Claimer | None = None
        self._failure: Exception | None = None
        limit = self._settings.max_messages
        self._message_limit = MessageLimit(ledger, limit) if limit is not None else None
        rate = self._settings.rate
        self._rate_limiter = RateLimiter(1 / rate) if rate is not None else None

    @property
    def progress(self) -> Progress:
        """Progress of the run: a snapshot."""
        counters = self._counters
        suppressed, suppressed_new = counters.suppressed
        phase = self._phase
        if phase is Phase.SENDING and self._control.pause_reason is not None:
            phase = Phase.PAUSED
        reason = self._control.stop_reason or (self._control.pause_reason if phase is not Phase.DONE else None)
        if phase is Phase.RECONCILING and self._claimer is not None and self._claimer.next_opening is not None:
            next_opening = self._claimer.next_opening.astimezone()
            reason = reason or f"quiet hours: the next send window opens at {next_opening:%d %b %H:%M %Z}"
            phase = phase if self._counts.unknown else Phase.PAUSED
        if self._control.stopping and phase is not Phase.DONE:
            phase = Phase.STOPPING
        return Progress(
            phase=phase,
            counts=self._counts,
            total=self._total,
            read=counters.read,
            skipped=counters.skipped,
            duplicates=counters.duplicates,
            invalid=counters.invalid,
            key_conflicts=counters.key_conflicts,
            deferred=counters.deferred,
            suppressed=suppressed,
            suppressed_new=suppressed_new,
            in_flight=counters.in_flight,
            limit_reached=self._message_limit is not None and self._message_limit.reached,
            rate=counters.rate,
            rate_limit=self._settings.rate,
            seconds_left=self._seconds_left(phase),
            pause_reason=reason,
            failover_share=counters.failover_share,
            problems=tuple(counters.problems),
            elapsed=counters.elapsed,
        )

    def stop(self, reason: str | None = None) -> None:
        """Send no new message, wait for the responses of those in flight, and end the run.

        The rest is left for the next run.
        """
        self._control.stop(reason)

    def pause(self, reason: str = "paused") -> None:
        """Send no new message until `resume`. Claimed messages stay claimed."""
        self._control.pause(USER, reason)

    def resume(self) -> None:
        """Resume after `pause`."""
        self._control.resume(USER)

    async def handle_callback(self, event: CallbackEvent[Any]) -> None:
        """Handle a callback: `inbox.on_flow(sender.handle_callback)`, `inbox.on_otp(sender.handle_callback)`."""
        reconciler = await self._reconcile_scheduler.reconciler()
        if reconciler is not None:  # otherwise no message of this ledger was ever sent
            await reconciler.handle_callback(event)
        record = event.record
        if isinstance(record, FlowRecord | OtpRecord) and record.final:
            self._counters.delivery_reports += 1
            self._counters.failed_over += has_failed_over(record)

    async def run(self, rows: Rows, *, total: int | None = None) -> Progress:
        """Send all messages that were not sent yet, reconcile unknown ones, and return the final progress.

        The rows are read again for messages that could not be sent in the first pass: those that met a pause, a closed
        send window or a connection failure, or were proven not to be accepted. Rows that can be read only once leave
        that to the next run.

        Raises the errors of the source, and `LedgerError`, once everything in flight has finished. A cancelled run
        leaves the messages that were in flight UNKNOWN.
        """
        if self._has_run:
            raise InvalidConfig("a BulkSender runs once: create another for the next run; nothing was sent")
        # 1. Discard the invalid rows of earlier runs: the source may have been corrected.
        self._has_run, self._total = True, total
        self._counts = await self._ledger.counts()
        await self._ledger.delete_invalid()
        # 2. Run the passes, with the periodic tasks beside them.
        background_tasks = [
            asyncio.create_task(self._run_or_stop(work()))
            for work in (self._update_counts, self._reconcile, self._probe_account)
        ]
        try:
            await self._run_or_stop(self._send_all_rows(rows))
        finally:
            self._control.stop()
            for task in background_tasks:
                task.cancel()
            await wait_until_ended(background_tasks, cancel=False)
            with contextlib.suppress(RouteeError):  # a failed write has already raised
                await self._ledger.flush()
        # 3. Raise the first error, or return the final progress.
        if self._failure is not None:
            raise self._failure
        self._counts = await self._ledger.counts()
        self._phase = Phase.DONE
        return self.progress

    async def _send_all_rows(self, rows: Rows) -> None:
        can_repeat = _is_reiterable(rows)
        correlations = CorrelationFactory(self._ledger.run_id, self._settings.add_labels, self._settings.callbacks)
        secret = self._routee.config.application_secret
        self._claimer = claimer = Claimer(
            self._ledger,
            correlations,
            Fingerprinter(secret, self._ledger.run_id),
            self._counters,
            batch_size=self._batch_size(),
            lease=self._settings.lease.total_seconds(),
            send_window=self._settings.send_window,
            on_invalid_row=self._on_invalid_row,
            control=self._control,
            suppression_list=self._settings.suppression_list,
            message_limit=self._message_limit,
        )
        delay, is_first_pass = 1.0, True
        while True:
            self._phase = Phase.SENDING
            completed_before = self._counters.completed
            await self._run_pass(claimer, rows, is_first_pass=is_first_pass)
            await self._ledger.flush()
            delay = 1.0 if self._counters.completed > completed_before else min(2 * delay, _MAX_PASS_DELAY)
            if not await self._wait_for_next_pass(claimer, delay, can_repeat=can_repeat):
                if self._message_limit is not None and self._message_limit.reached:
                    self._control.stop(f"the limit of {self._settings.max_messages:,} messages is reached")
                return
            is_first_pass = False

    async def _run_pass(self, claimer: Claimer, rows: Rows, *, is_first_pass: bool) -> None:
        """Read the rows once, and wait until every message of the pass has finished."""
        message_sender = MessageSender(
            self._routee,
            self._ledger,
            claimer,
            self._control,
            self._counters,
            self._stall_timer,
            deadline=self._settings.deadline,
            error_budget=self._error_budget,
            rate_limiter=self._rate_limiter,
        )
        # A batch is claimed when less than half of one is left: at most one and a half are claimed and not being sent.
        ready = ReadyQueue((self._batch_size() + 1) // 2)
        workers = [asyncio.create_task(self._work(ready, message_sender)) for _ in range(self._settings.concurrency)]
        cancelled = False
        try:
            await claimer.fill_queue(ready, rows, is_first_pass=is_first_pass)
        except asyncio.CancelledError:
            cancelled = True
            raise
        except LedgerError as error:
            self._control.stop(str(error))  # send no claimed message: its outcome could not be recorded
            raise
        finally:
            ready.close()
            for worker in workers if cancelled else ():
                worker.cancel()
            try:
                await wait_until_ended(workers, cancel=True)
            finally:
                for message in ready.drain():
                    message_sender.release(message, CANCELLED)

    async def _work(self, ready: ReadyQueue, message_sender: MessageSender) -> None:
        while (message := await message_sender.next_message(ready)) is not None:
            try:
                await message_sender.send(message)
            except Exception as error:  # noqa: BLE001  # `run` raises it once all tasks have finished
                self._fail(error)

    async def _wait_for_next_pass(self, claimer: Claimer, delay: float, *, can_repeat: bool) -> bool:
        """Wait until another pass has messages to send; `False` once this run will have no more."""
        self._phase = Phase.RECONCILING
        # NEW entries that the pass left are gone from the source, or deferred. Reconciliation may add to them.
        unclaimable = (await self._ledger.counts()).new
        while not self._control.stopping:
            next_lookup_in = await self._reconcile_scheduler.reconcile_due()
            # Read after the reconciliation, by this task or the other: absent messages are to be sent.
            counts = self._counts = await self._ledger.counts()
            limit = self._message_limit
            has_more = (
                counts.new > unclaimable
                or (counts.new and claimer.claimed_count)
                or (limit is not None and limit.reached)
            )
            is_limit_reached = limit is not None and limit.remaining(counts) <= 0
            if can_repeat and has_more and not is_limit_reached:
                self._last_pass_sent_nothing = delay > 1.0
                await self._control.sleep(delay)
                self._last_pass_sent_nothing = False
                return not self._control.stopping
            next_opening = (
                (claimer.next_opening - datetime.now(UTC)).total_seconds()
                if claimer.next_opening and can_repeat and not is_limit_reached
                else None
            )
            if next_opening is not None and next_opening <= 0:
                return True
            if next_lookup_in is None and next_opening is None:
                return False
            await self._control.wait_for_change(
                min(_TICK, *(seconds for seconds in (next_lookup_in, next_opening, _TICK) if seconds is not None))
            )
        return False

    def _batch_size(self) -> int:
        """Return how many messages are claimed at once: few enough to be sent well within their lease."""
        limit = max(1, min(_MAX_BATCH, self._settings.concurrency))
        rate, lease = self._settings.rate, self._settings.lease.total_seconds()
        # At most one second's worth: messages that are claimed and not sent are UNKNOWN after a kill.
        return limit if rate is None else max(1, min(limit, int(rate), int(rate * lease / 4)))

    async def _run_or_stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine; if it fails, stop the run, which then raises the error."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  # `run` raises it once all tasks have finished
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Stop the run because of an error, which `run` raises."""
        self._failure = self._failure or error
        # Only messages of our own errors: others may quote the content of a row.
        self._control.stop(str(error).partition("\n")[0] if isinstance(error, RouteeError) else type(error).__name__)

    # --- periodic tasks beside the passes

    async def _update_counts(self) -> None:
        while True:
            self._counts = await self._ledger.counts()
            idle = self._control.pause_reason is not None or self._phase is Phase.RECONCILING
            self._counters.record_sample(idle=idle and not self._control.stopping)
            pause_kinds = self._control.pause_kinds
            self._stall_timer.update(waiting=self._last_pass_sent_nothing or bool(pause_kinds - {USER}))
            if self._stall_timer.expired and USER not in pause_kinds:
                seconds = self._settings.stall_timeout.total_seconds()
                duration = f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} minutes"
                self._control.stop(f"no message was accepted for {duration}: {self._control.last_pause_reason}")
            await asyncio.sleep(_TICK)

    async def _reconcile(self) -> None:
        while True:
            await self._reconcile_scheduler.reconcile_due()
            await asyncio.sleep(_TICK)

    async def _probe_account(self) -> None:
        """While the run is paused for lack of credit or access: check periodically whether that has changed."""
        paused_balance: float | None = None
        while True:
            while not (kinds := self._control.pause_kinds & {BALANCE, ACCOUNT}):
                await self._control.wait_for_change()
            await asyncio.sleep(_ACCOUNT_PROBE_INTERVAL)
            if BALANCE in kinds:
                balance = await self._balance()
                if balance is not None and paused_balance is not None and balance <= paused_balance:
                    paused_balance = balance  # any increase from now on counts
                    continue
                paused_balance = balance
            for kind in kinds:
                self._control.resume(kind)  # the next message shows whether the account works

    async def _balance(self) -> float | None:
        try:
            return (await self._routee.balance()).amount
        except RouteeError:
            return None

    def _seconds_left(self, phase: Phase) -> float | None:
        """Return the seconds until all messages are sent at the current rate; `None` while none are sent."""
        rate, counts, counters = self._counters.rate, self._counts, self._counters
        if self._total is None or not rate or phase is not Phase.SENDING:
            return None
        remaining = (
            self._total
            - counts.final
            - counts.unknown
            - counters.duplicates
            - counters.deferred
            - counters.suppressed[0]
        )
        if self._message_limit is not None:
            remaining = min(remaining, self._message_limit.remaining(counts) + counts.sending)
        return max(0, remaining) / rate


def _is_reiterable(rows: Rows) -> bool:
    return (aiter(rows) if isinstance(rows, AsyncIterable) else iter(rows)) is not rows
