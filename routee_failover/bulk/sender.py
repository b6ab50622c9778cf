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
from .brakes import Brakes, Patience, Spending
from .delivery import ACCOUNT, BALANCE, CANCELLED, Delivery
from .doubts import Doubts
from .feed import Feed, Marks, Refused
from .fingerprint import Fingerprints
from .message_limit import MessageLimit
from .progress import Phase, Progress, Tally
from .row import Rows
from .settings import BulkSettings
from .settling.fates import failed_over
from .window import ReadyWindow

USER = "user"
_TICK = 0.5
_ASK_AGAIN = 30.0
"""Seconds between questions whether the account can pay, or is let in, again."""
_LONGEST_REST = 30.0
"""Seconds between passes that send nothing, at most."""
_CLAIMED_AT_ONCE = 64


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
        refused: Refused | None = None,
    ) -> None:
        self._routee = routee
        self._ledger = ledger
        self._settings = settings or BulkSettings()
        self._refused = refused
        self._phase = Phase.STARTING
        self._counts = StateCounts()
        self._total: int | None = None
        self._has_run = False
        self._fruitless = False
        self._tally = Tally()
        self._brakes = Brakes()
        self._patience = Patience(self._settings.patience.total_seconds())
        budget = self._settings.budget
        self._spending = Spending(budget) if budget is not None else None
        self._doubts = Doubts(routee, ledger, self._settings)
        self._feed: Feed | None = None
        self._failure: Exception | None = None
        most = self._settings.max_messages
        self._limit = MessageLimit(ledger, most) if most is not None else None
        rate = self._settings.rate
        self._begins = RateLimiter(1 / rate) if rate is not None else None

    @property
    def progress(self) -> Progress:
        """How the run stands right now."""
        tally = self._tally
        suppressed, suppressed_new = tally.suppressed
        phase = self._phase
        if phase is Phase.SENDING and self._brakes.pause is not None:
            phase = Phase.PAUSED
        pause = self._brakes.why_stopped or (self._brakes.pause if phase is not Phase.DONE else None)
        if phase is Phase.SETTLING and self._feed is not None and self._feed.opens is not None:
            opens = self._feed.opens.astimezone()
            pause = pause or f"quiet hours: the next recipients may be written to from {opens:%d %b %H:%M %Z}"
            phase = phase if self._counts.unknown else Phase.PAUSED
        if self._brakes.stopping and phase is not Phase.DONE:
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
            limit_reached=self._limit is not None and self._limit.reached,
            rate=tally.rate,
            allowed=self._settings.rate,
            seconds_left=self._seconds_left(phase),
            pause=pause,
            failover=tally.failover,
            problems=tuple(tally.problems),
            elapsed=tally.elapsed,
        )

    def stop(self, why: str | None = None) -> None:
        """Begin nothing more, let what has left get its answer, and end the run. What is not sent is for the next."""
        self._brakes.stop(why)

    def pause(self, why: str = "paused") -> None:
        """Begin nothing more until `go_on`. What is about to leave stays."""
        self._brakes.hold(USER, why)

    def go_on(self) -> None:
        """Go on after `pause`."""
        self._brakes.let_go(USER)

    async def note(self, event: CallbackEvent[Any]) -> None:
        """Take a callback in: `inbox.on_flow(sender.note)`, `inbox.on_otp(sender.note)`."""
        settler = await self._doubts.settler()
        if settler is not None:  # else no message of this ledger was ever sent
            await settler.note(event)
        record = event.record
        if isinstance(record, FlowRecord | OtpRecord) and record.final:
            self._tally.ends += 1
            self._tally.failovers += failed_over(record)

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
            asyncio.create_task(self._or_stop(work()))
            for work in (self._keep_count, self._settle, self._ask_for_a_way_out)
        ]
        try:
            await self._or_stop(self._go_through(rows))
        finally:
            self._brakes.stop()
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

    async def _go_through(self, rows: Rows) -> None:
        again = _is_readable_again(rows)
        marks = Marks(self._ledger.run_id, self._settings.stamp, self._settings.callbacks)
        secret = self._routee.config.application_secret
        self._feed = feed = Feed(
            self._ledger,
            marks,
            Fingerprints(secret, self._ledger.run_id),
            self._tally,
            group=self._group(),
            lease=self._settings.lease.total_seconds(),
            window=self._settings.window,
            refused=self._refused,
            brakes=self._brakes,
            suppressed=self._settings.suppression_list,
            limit=self._limit,
        )
        rest, first = 1.0, True
        while True:
            self._phase = Phase.SENDING
            before = self._tally.ended
            await self._pass(feed, rows, first=first)
            await self._ledger.flush()
            rest = 1.0 if self._tally.ended > before else min(2 * rest, _LONGEST_REST)
            if not await self._is_more_to_do(feed, rest, again=again):
                if self._limit is not None and self._limit.reached:
                    self._brakes.stop(f"the limit of {self._settings.max_messages:,} messages is reached")
                return
            first = False

    async def _pass(self, feed: Feed, rows: Rows, *, first: bool) -> None:
        """Go through the rows once, and see everything that is begun to its end."""
        delivery = Delivery(
            self._routee,
            self._ledger,
            feed,
            self._brakes,
            self._tally,
            self._patience,
            deadline=self._settings.deadline,
            spending=self._spending,
            begins=self._begins,
        )
        ready = ReadyWindow(self._settings.concurrency if self._begins is None else self._group())
        workers = [asyncio.create_task(self._work(ready, delivery)) for _ in range(self._settings.concurrency)]
        cancelled = False
        try:
            await feed.fill(ready, rows, first=first)
        except asyncio.CancelledError:
            cancelled = True
            raise
        except LedgerError as error:
            self._brakes.stop(str(error))  # what is claimed and has not left must not: its outcome could not be kept
            raise
        finally:
            ready.end()
            for worker in workers if cancelled else ():
                worker.cancel()
            try:
                await asyncio.gather(*workers, return_exceptions=True)
            finally:
                for item in ready.clear():
                    delivery.give_back(item, CANCELLED)

    async def _work(self, ready: ReadyWindow, delivery: Delivery) -> None:
        while (item := await delivery.next(ready)) is not None:
            await self._or_stop(delivery.deliver(item))

    async def _is_more_to_do(self, feed: Feed, rest: float, *, again: bool) -> bool:
        """Wait until another pass has something to send; `False` when none ever will in this run."""
        self._phase = Phase.SETTLING
        # What a pass did not take is not in the source any more, or is for other hours. More may come of doubts.
        gone = (await self._ledger.counts()).new
        while not self._brakes.stopping:
            waits = await self._doubts.settle()
            # After it was settled, by whomever: what is absent is to be sent.
            counts = self._counts = await self._ledger.counts()
            limit = self._limit
            more = counts.new > gone or (counts.new and feed.taken) or (limit is not None and limit.reached)
            full = limit is not None and limit.left(counts) <= 0
            if again and more and not full:
                self._fruitless = rest > 1.0  # the last pass has sent nothing
                await self._brakes.rest(rest)
                self._fruitless = False
                return not self._brakes.stopping
            opens = (feed.opens - datetime.now(UTC)).total_seconds() if feed.opens and again and not full else None
            if opens is not None and opens <= 0:
                return True
            if waits is None and opens is None:
                return False
            await self._brakes.changed(min(_TICK, *(wait for wait in (waits, opens, _TICK) if wait is not None)))
        return False

    def _group(self) -> int:
        """How many messages are claimed at once: few enough to leave well within their lease."""
        most = max(1, min(_CLAIMED_AT_ONCE, self._settings.concurrency))
        rate, lease = self._settings.rate, self._settings.lease.total_seconds()
        # No more than leave within a second: what is claimed and not sent is in doubt after a kill.
        return most if rate is None else max(1, min(most, int(rate), int(rate * lease / 4)))

    async def _or_stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it; where it fails, the run is stopped and ends in that error."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is, `run` raises it once all is at rest
            self._failure = self._failure or error
            # Only our own words: those of others may quote what is in a row.
            self._brakes.stop(str(error).partition("\n")[0] if isinstance(error, RouteeError) else type(error).__name__)

    # --- beside the passes

    async def _keep_count(self) -> None:
        while True:
            self._counts = await self._ledger.counts()
            idle = self._brakes.pause is not None or self._phase is Phase.SETTLING
            self._tally.sample(idle=idle and not self._brakes.stopping)
            held = self._brakes.kinds
            self._patience.look(waits=self._fruitless or bool(held - {USER}))
            if self._patience.over and USER not in held:
                seconds = self._settings.patience.total_seconds()
                long = f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} minutes"
                self._brakes.stop(f"no message was accepted for {long}: {self._brakes.last}")
            await asyncio.sleep(_TICK)

    async def _settle(self) -> None:
        while True:
            await self._doubts.settle()
            await asyncio.sleep(_TICK)

    async def _ask_for_a_way_out(self) -> None:
        """While the account cannot pay or is refused: ask now and then whether that has changed."""
        held_at: float | None = None
        while True:
            while not (kinds := self._brakes.kinds & {BALANCE, ACCOUNT}):
                await self._brakes.changed()
            await asyncio.sleep(_ASK_AGAIN)
            if BALANCE in kinds:
                balance = await self._balance()
                if balance is not None and held_at is not None and balance <= held_at:
                    held_at = balance  # whatever comes in from now on counts
                    continue
                held_at = balance
            for kind in kinds:
                self._brakes.let_go(kind)  # the next message shows whether it has

    async def _balance(self) -> float | None:
        try:
            return (await self._routee.balance()).amount
        except RouteeError:
            return None

    def _seconds_left(self, phase: Phase) -> float | None:
        """Seconds until all is sent that may be, at the present rate; `None` while nothing is begun."""
        rate, counts, tally = self._tally.rate, self._counts, self._tally
        if self._total is None or not rate or phase is not Phase.SENDING:
            return None
        left = self._total - counts.final - counts.unknown - tally.duplicates - tally.deferred - tally.suppressed[0]
        if self._limit is not None:
            left = min(left, self._limit.left(counts) + counts.sending)
        return max(0, left) / rate


def _is_readable_again(rows: Rows) -> bool:
    return (aiter(rows) if isinstance(rows, AsyncIterable) else iter(rows)) is not rows
