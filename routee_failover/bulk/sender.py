"""A run from its first row to its last outcome: passes over the source, workers, and a look at what is unknown."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, Coroutine
from datetime import UTC, datetime
from typing import Any

from .._send_all import RateLimiter
from ..client import RouteeClient
from ..errors import InvalidConfig, LedgerError, RouteeError
from ..ledger import Ledger, StateCounts
from ..records import FlowRecord, OtpRecord
from ..webhooks import CallbackEvent
from .claimer import Claimer, CorrelationFactory, InvalidRowHandler
from .message_limit import MessageLimit
from .progress import Phase, Progress, RunCounters
from .ready_queue import ReadyQueue
from .reconcile_scheduler import ReconcileScheduler
from .reconciliation.delivery_report import has_failed_over
from .row_sender import ACCOUNT, BALANCE, CANCELLED, RowSender
from .run_control import ErrorBudgetTracker, RunControl, StallTimer
from .settings import BulkSettings
from .templates.fingerprint import Fingerprinter
from .templates.row import Rows

USER = "user"
_TICK = 0.5
_ACCOUNT_PROBE_INTERVAL = 30.0
"""Seconds between questions whether the account can pay, or is let in, again."""
_MAX_PASS_DELAY = 30.0
"""Seconds between passes that send nothing, at most."""
_MAX_BATCH = 64


class BulkSender:
    """Sends the rows of a source through a ledger: each key once, whatever happens to this process.

        async with RouteeClient.from_env() as routee, SqliteLedger("run.sqlite") as ledger:
            progress = await BulkSender(routee, ledger, BulkSettings(rate=200)).run(rows)

    An intent is in the ledger before the first byte of its message leaves, and its outcome soon after. A second run
    with the same ledger goes on where the first one ended, however it ended: what was accepted is passed over, what was
    under way is UNKNOWN until it is settled. The source supplies texts and PINs anew; the ledger holds none.

    It belongs to one event loop. `refused` is told of every row that cannot be sent.
    """

    def __init__(
        self,
        routee: RouteeClient,
        ledger: Ledger,
        settings: BulkSettings | None = None,
        *,
        on_invalid_row: InvalidRowHandler | None = None,
    ) -> None:
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
        most = self._settings.max_messages
        self._message_limit = MessageLimit(ledger, most) if most is not None else None
        rate = self._settings.rate
        self._rate_limiter = RateLimiter(1 / rate) if rate is not None else None

    @property
    def progress(self) -> Progress:
        """How the run stands right now."""
        tally = self._counters
        suppressed, suppressed_new = tally.suppressed
        phase = self._phase
        if phase is Phase.SENDING and self._control.pause_reason is not None:
            phase = Phase.PAUSED
        pause = self._control.stop_reason or (self._control.pause_reason if phase is not Phase.DONE else None)
        if phase is Phase.RECONCILING and self._claimer is not None and self._claimer.next_opening is not None:
            opens = self._claimer.next_opening.astimezone()
            pause = pause or f"quiet hours: the next recipients may be written to from {opens:%d %b %H:%M %Z}"
            phase = phase if self._counts.unknown else Phase.PAUSED
        if self._control.stopping and phase is not Phase.DONE:
            phase = Phase.STOPPING
        return Progress(
            phase=phase,
            counts=self._counts,
            total=self._total,
            read=tally.read,
            skipped=tally.skipped,
            duplicates=tally.duplicates,
            invalid=tally.invalid,
            key_conflicts=tally.key_conflicts,
            deferred=tally.deferred,
            suppressed=suppressed,
            suppressed_new=suppressed_new,
            in_flight=tally.in_flight,
            limit_reached=self._message_limit is not None and self._message_limit.reached,
            rate=tally.rate,
            rate_limit=self._settings.rate,
            seconds_left=self._seconds_left(phase),
            pause_reason=pause,
            failover_share=tally.failover_share,
            problems=tuple(tally.problems),
            elapsed=tally.elapsed,
        )

    def stop(self, reason: str | None = None) -> None:
        """Begin nothing more, let what has left get its answer, and end the run. What is not sent is for the next."""
        self._control.stop(reason)

    def pause(self, reason: str = "paused") -> None:
        """Begin nothing more until `go_on`. What is about to leave stays."""
        self._control.pause(USER, reason)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._control.resume(USER)

    async def handle_callback(self, event: CallbackEvent[Any]) -> None:
        """Take a callback in: `inbox.on_flow(sender.handle_callback)`, `inbox.on_otp(sender.handle_callback)`."""
        settler = await self._reconcile_scheduler.reconciler()
        if settler is not None:  # else no message of this ledger was ever sent
            await settler.handle_callback(event)
        record = event.record
        if isinstance(record, FlowRecord | OtpRecord) and record.final:
            self._counters.delivery_reports += 1
            self._counters.failed_over += has_failed_over(record)

    async def run(self, rows: Rows, *, total: int | None = None) -> Progress:
        """Send what is not sent yet, settle what is unknown, and say how the ledger stands then.

        The rows are gone through again for what could not be sent the first time: what met a pause, quiet hours, no
        connection, or proved not to be taken. Rows that can be gone through only once leave that to the next run.

        Raises what the source raises, and `LedgerError`, once everything under way has ended. A run that is cancelled
        leaves what was under way UNKNOWN.
        """
        if self._has_run:
            raise InvalidConfig("a BulkSender runs once: make another for the next run; nothing was sent")
        self._has_run, self._total = True, total
        self._counts = await self._ledger.counts()
        await self._ledger.delete_invalid()  # the source is read anew, and may have been mended
        beside = [
            asyncio.create_task(self._run_or_stop(work()))
            for work in (self._update_counts, self._reconcile, self._probe_account)
        ]
        try:
            await self._run_or_stop(self._send_all_rows(rows))
        finally:
            self._control.stop()
            for task in beside:
                task.cancel()
            ended = await asyncio.gather(*beside, return_exceptions=True)
            with contextlib.suppress(RouteeError):  # whoever failed to write has said so
                await self._ledger.flush()
        for error in (self._failure, *ended):
            if isinstance(error, Exception):
                raise error
        self._counts = await self._ledger.counts()
        self._phase = Phase.DONE
        return self.progress

    async def _send_all_rows(self, rows: Rows) -> None:
        again = _is_reiterable(rows)
        marks = CorrelationFactory(self._ledger.run_id, self._settings.add_labels, self._settings.callbacks)
        secret = self._routee.config.application_secret
        self._claimer = feed = Claimer(
            self._ledger,
            marks,
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
        rest, first = 1.0, True
        while True:
            self._phase = Phase.SENDING
            before = self._counters.completed
            await self._run_pass(feed, rows, first=first)
            await self._ledger.flush()
            rest = 1.0 if self._counters.completed > before else min(2 * rest, _MAX_PASS_DELAY)
            if not await self._wait_for_next_pass(feed, rest, again=again):
                if self._message_limit is not None and self._message_limit.reached:
                    self._control.stop(f"the limit of {self._settings.max_messages:,} messages is reached")
                return
            first = False

    async def _run_pass(self, feed: Claimer, rows: Rows, *, first: bool) -> None:
        """Go through the rows once, and see everything that is begun to its end."""
        delivery = RowSender(
            self._routee,
            self._ledger,
            feed,
            self._control,
            self._counters,
            self._stall_timer,
            deadline=self._settings.deadline,
            error_budget=self._error_budget,
            rate_limiter=self._rate_limiter,
        )
        ready = ReadyQueue(self._settings.concurrency if self._rate_limiter is None else self._batch_size())
        workers = [asyncio.create_task(self._work(ready, delivery)) for _ in range(self._settings.concurrency)]
        cancelled = False
        try:
            await feed.fill_queue(ready, rows, is_first_pass=first)
        except asyncio.CancelledError:
            cancelled = True
            raise
        except LedgerError as error:
            self._control.stop(str(error))  # what is claimed and has not left must not: its outcome could not be kept
            raise
        finally:
            ready.close()
            for worker in workers if cancelled else ():
                worker.cancel()
            try:
                await asyncio.gather(*workers, return_exceptions=True)
            finally:
                for item in ready.drain():
                    delivery.release(item, CANCELLED)

    async def _work(self, ready: ReadyQueue, delivery: RowSender) -> None:
        while (item := await delivery.next_message(ready)) is not None:
            await self._run_or_stop(delivery.send(item))

    async def _wait_for_next_pass(self, feed: Claimer, rest: float, *, again: bool) -> bool:
        """Wait until another pass has something to send; `False` when none ever will in this run."""
        self._phase = Phase.RECONCILING
        # What a pass did not take is not in the source any more, or is for other hours. More may come of doubts.
        gone = (await self._ledger.counts()).new
        while not self._control.stopping:
            waits = await self._reconcile_scheduler.reconcile_due()
            # After it was settled, by whomever: what is absent is to be sent.
            counts = self._counts = await self._ledger.counts()
            limit = self._message_limit
            more = counts.new > gone or (counts.new and feed.claimed_count) or (limit is not None and limit.reached)
            full = limit is not None and limit.remaining(counts) <= 0
            if again and more and not full:
                self._last_pass_sent_nothing = rest > 1.0  # the last pass has sent nothing
                await self._control.sleep(rest)
                self._last_pass_sent_nothing = False
                return not self._control.stopping
            opens = (
                (feed.next_opening - datetime.now(UTC)).total_seconds()
                if feed.next_opening and again and not full
                else None
            )
            if opens is not None and opens <= 0:
                return True
            if waits is None and opens is None:
                return False
            await self._control.wait_for_change(
                min(_TICK, *(wait for wait in (waits, opens, _TICK) if wait is not None))
            )
        return False

    def _batch_size(self) -> int:
        """How many messages are claimed at once: few enough to leave well within their lease."""
        most = max(1, min(_MAX_BATCH, self._settings.concurrency))
        rate, lease = self._settings.rate, self._settings.lease.total_seconds()
        # No more than leave within a second: what is claimed and not sent is in doubt after a kill.
        return most if rate is None else max(1, min(most, int(rate), int(rate * lease / 4)))

    async def _run_or_stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it; where it fails, the run is stopped and ends in that error."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is, `run` raises it once all is at rest
            self._failure = self._failure or error
            # Only our own words: those of others may quote what is in a row.
            self._control.stop(
                str(error).partition("\n")[0] if isinstance(error, RouteeError) else type(error).__name__
            )

    # --- beside the passes

    async def _update_counts(self) -> None:
        while True:
            self._counts = await self._ledger.counts()
            idle = self._control.pause_reason is not None or self._phase is Phase.RECONCILING
            self._counters.record_sample(idle=idle and not self._control.stopping)
            held = self._control.pause_kinds
            self._stall_timer.update(waiting=self._last_pass_sent_nothing or bool(held - {USER}))
            if self._stall_timer.expired and USER not in held:
                seconds = self._settings.stall_timeout.total_seconds()
                long = f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} minutes"
                self._control.stop(f"no message was accepted for {long}: {self._control.last_pause_reason}")
            await asyncio.sleep(_TICK)

    async def _reconcile(self) -> None:
        while True:
            await self._reconcile_scheduler.reconcile_due()
            await asyncio.sleep(_TICK)

    async def _probe_account(self) -> None:
        """While the account cannot pay or is refused: ask now and then whether that has changed."""
        held_at: float | None = None
        while True:
            while not (kinds := self._control.pause_kinds & {BALANCE, ACCOUNT}):
                await self._control.wait_for_change()
            await asyncio.sleep(_ACCOUNT_PROBE_INTERVAL)
            if BALANCE in kinds:
                balance = await self._balance()
                if balance is not None and held_at is not None and balance <= held_at:
                    held_at = balance  # whatever comes in from now on counts
                    continue
                held_at = balance
            for kind in kinds:
                self._control.resume(kind)  # the next message shows whether it has

    async def _balance(self) -> float | None:
        try:
            return (await self._routee.balance()).amount
        except RouteeError:
            return None

    def _seconds_left(self, phase: Phase) -> float | None:
        """Seconds until all is sent that may be, at the present rate; `None` while nothing is begun."""
        rate, counts, tally = self._counters.rate, self._counts, self._counters
        if self._total is None or not rate or phase is not Phase.SENDING:
            return None
        left = self._total - counts.final - counts.unknown - tally.duplicates - tally.deferred - tally.suppressed[0]
        if self._message_limit is not None:
            left = min(left, self._message_limit.remaining(counts) + counts.sending)
        return max(0, left) / rate


def _is_reiterable(rows: Rows) -> bool:
    return (aiter(rows) if isinstance(rows, AsyncIterable) else iter(rows)) is not rows
