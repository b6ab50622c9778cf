"""Inbox of callbacks: accepts them without waiting, drops duplicate and stale ones, and dispatches the others.

Accepting and handling are separate because Routee waits 2 seconds for a response and then repeats the callback, while a
handler may take longer. A handler that fails affects neither other handlers nor other events.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, Self, TypeVar, cast

import attrs

from .._tasks import start_task, wait_for_tasks
from .._validators import as_tuple, callable_name, check_observers, check_positive_duration, check_positive_int
from ..errors import InvalidConfig
from ..events import CallbackDropped, HandlerFailed, HandlerSlow, LoggingObserver, Observer, ObserverGroup
from ..records import FlowRecord, InboundMessage, OtpRecord, ViberOtpRecord
from ..secret import scrub_traceback
from .confirmation import AnyFlowRecord, Confirm, Confirmer, PendingConfirmation
from .dedup import Deduplicator
from .event import AnyCallback, CallbackEvent, ReceiveResult
from .flow_progress import FlowProgress, progress_of
from .handler_watch import HandlerWatch, RunningCallback
from .handlers import Handler, call_handler, check_callable, check_handler, check_notify
from .keyed_queue import KeyedQueue
from .owner_loop import LoopUnavailable, OwnerLoop
from .parsed_event import AnyEvent, ParsedEvent, QueuedEvent, parse_event

_Flow = TypeVar("_Flow", bound=Callable[[CallbackEvent[FlowRecord]], Awaitable[object]])
_Otp = TypeVar("_Otp", bound=Callable[[CallbackEvent[OtpRecord]], Awaitable[object]])
_ViberOtp = TypeVar("_ViberOtp", bound=Callable[[CallbackEvent[ViberOtpRecord]], Awaitable[object]])
_Inbound = TypeVar("_Inbound", bound=Callable[[CallbackEvent[InboundMessage]], Awaitable[object]])
_OTHER_LOOP = "this inbox is open in another event loop: it can be opened and iterated over in one alone"


@attrs.define(kw_only=True, slots=False, eq=False, repr=False, on_setattr=attrs.setters.frozen)
class CallbackInbox:
    """Inbox that a receiver puts callbacks into; it dispatches them to handlers, to `async for`, or to `notify`.

        inbox = CallbackInbox()

        @inbox.on_otp
        async def log_status(event: CallbackEvent[OtpRecord]) -> None: ...

    No callback is dispatched twice, and none that is older than one dispatched before: a final status is never
    reverted. The callbacks of one flow are dispatched one after the other, those of different flows concurrently. The
    memory for deduplication is bounded, and belongs to this process.

    Pending callbacks are held in memory: a process that dies loses them, although Routee got a 200. A program that must
    not miss a final status polls as well, with `RouteeClient.track`.

    With `notify` and neither handlers nor a loop, a callback is done once `notify` was called: a program that also
    loops has to start its `async for` before the receiver accepts callbacks.

    An inbox belongs to one event loop at a time: the one that opens it with `async with inbox`, or else the first that
    uses it. Callbacks may come from any thread or other loop, and are handed over to that loop. `async with inbox` or
    `aclose()` lets handlers finish; an aiohttp or ASGI server does that for a receiver that it serves. Raises
    `InvalidConfig` for settings that cannot work.
    """

    notify: Callable[[Any], object] | None = attrs.field(
        default=None, validator=attrs.validators.optional(check_notify)
    )
    """Called with each new `FlowRecord`, `OtpRecord` or `ViberOtpRecord`, before it is dispatched, `routee.notify` for
    example. It must not block."""
    confirm: Confirm | None = attrs.field(default=None, validator=attrs.validators.optional(check_callable))
    """Requests a record from Routee, `routee.track` for example. With it, a final status is dispatched (to `notify`
    too) only once Routee's API reports it as well, with the record that the API returned. Statuses that are not final
    are dispatched unconfirmed."""
    confirm_timeout: timedelta = attrs.field(default=timedelta(minutes=2), validator=check_positive_duration)
    """How long `confirm` is repeated while Routee cannot be reached or does not report the status, and the limit of one
    call. After that the callback is dropped, and `CallbackDropped` is emitted; the next callback about the same flow is
    received as if there had been none."""
    capacity: int = attrs.field(default=1000, validator=check_positive_int)
    """How many callbacks may be pending. Beyond that, receivers respond with 503, which makes Routee repeat them: after
    30 seconds first, and up to 12 times in 24 hours (https://docs.routee.net/docs/callback-url-webhook)."""
    max_pending_bytes: int = attrs.field(default=64 * 1024 * 1024, validator=check_positive_int)
    """How much memory callbacks may take together until they are handled, in bytes, as estimated from their texts and
    values. Bodies that a receiver is still receiving count as well. Beyond that, receivers respond with 503, as beyond
    `capacity`; a callback that is larger by itself is accepted when nothing else is pending."""
    concurrency: int = attrs.field(default=10, validator=check_positive_int)
    """How many callbacks are handled at a time."""
    max_flows: int = attrs.field(default=10_000, validator=check_positive_int)
    """How many flows are remembered, to recognize duplicate and stale callbacks; about a kilobyte each."""
    slow_handler_after: timedelta = attrs.field(default=timedelta(seconds=30), validator=check_positive_duration)
    """How long a handler may run before `HandlerSlow` is emitted, once. It continues: `concurrency` handlers that
    hang stop all others."""
    shutdown_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """How long `aclose()` waits for pending callbacks to be handled."""
    observers: tuple[Observer, ...] = attrs.field(
        factory=lambda: (LoggingObserver(),), converter=as_tuple, validator=check_observers
    )
    """Observers of callbacks that are rejected or dropped, and of handlers that fail; by default the log."""

    def __attrs_post_init__(self) -> None:
        self._observers = ObserverGroup(self.observers)
        self._dedup = Deduplicator(self.max_flows)
        self._queue: KeyedQueue[QueuedEvent] = KeyedQueue()
        self._confirmer: Confirmer | None = None
        if self.confirm is not None:
            self._confirmer = Confirmer(
                self.confirm, self.confirm_timeout.total_seconds(), self._on_confirmation, self._start
            )
        self._handlers: dict[str, list[Handler]] = {}
        self._pending_bytes = 0
        self._running = HandlerWatch[QueuedEvent](self.slow_handler_after.total_seconds(), self._report_slow)
        self._owner = OwnerLoop(self._abandon_loop)
        self._tasks: dict[asyncio.Task[None], RunningCallback[QueuedEvent] | None] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._iterating = self._closing = False

    def __repr__(self) -> str:
        return f"<CallbackInbox: {self.pending} pending>"

    @property
    def pending(self) -> int:
        """How many callbacks were accepted and are neither dispatched nor dropped."""
        return len(self._queue) + len(self._confirmer or ())

    @property
    def pending_bytes(self) -> int:
        """Estimated memory of the callbacks that are pending or being handled, in bytes."""
        return self._pending_bytes

    def on_flow(self, handler: _Flow) -> _Flow:
        """Register an `async def` handler for callbacks of standard and transactional flows.

        If it raises, `HandlerFailed` is emitted to observers. It is returned, so that this works as a decorator.
        """
        self._add_handler("flow", handler)
        return handler

    def on_otp(self, handler: _Otp) -> _Otp:
        """Register an `async def` handler for callbacks of failover OTP flows."""
        self._add_handler("otp", handler)
        return handler

    def on_viber_otp(self, handler: _ViberOtp) -> _ViberOtp:
        """Register an `async def` handler for callbacks of single Viber OTPs."""
        self._add_handler("viber-otp", handler)
        return handler

    def on_inbound(self, handler: _Inbound) -> _Inbound:
        """Register an `async def` handler for inbound Viber messages."""
        self._add_handler("inbound", handler)
        return handler

    @scrub_traceback
    def receive(
        self, body: bytes | bytearray | memoryview | str | Mapping[str, Any], *, reference: str | None = None
    ) -> ReceiveResult:
        """Accept a callback and return what it was; a receiver calls this.

        In the event loop that the inbox belongs to, it does not wait. In any other thread or loop it blocks until that
        loop has accepted the callback, for a second at most: then it returns `UNAVAILABLE`, and the callback is not
        accepted later either. A coroutine of another loop should use `areceive`.

        Raises `InvalidCallback` for a body that is not a callback, and `InvalidConfig` in a thread without an event
        loop if the inbox was never opened in one, unless it only has to call `notify`.
        """
        callback = parse_event(body, reference)
        if self._owner.claim():
            return self._accept(callback)
        with self._owner.lock:
            if self._owner.loop is None or self._owner.loop.is_closed():
                return self._accept_without_loop(callback)
        try:
            return self._owner.call(functools.partial(self._accept, callback))
        except LoopUnavailable:
            return ReceiveResult.UNAVAILABLE

    @scrub_traceback
    def areceive(
        self, body: bytes | bytearray | memoryview | str | Mapping[str, Any], *, reference: str | None = None
    ) -> Coroutine[Any, Any, ReceiveResult]:
        """Accept a callback as `receive` does, without blocking an event loop that is not the inbox's; to be awaited.

        If it is cancelled before the inbox's loop has taken the callback, the callback is not accepted.
        """
        return self._areceive(parse_event(body, reference))

    async def _areceive(self, callback: ParsedEvent) -> ReceiveResult:
        if self._owner.claim():
            return self._accept(callback)
        try:
            return await self._owner.call_async(functools.partial(self._accept, callback))
        except LoopUnavailable:
            return ReceiveResult.UNAVAILABLE

    @property
    def is_elsewhere(self) -> bool:
        """Whether the inbox is open in an event loop other than the running one."""
        return self._owner.is_elsewhere and not self._closing

    def _accept_without_loop(self, callback: ParsedEvent) -> ReceiveResult:
        # There is no loop, so that nothing else can change the inbox: the lock keeps threads and a first loop apart.
        if not (self._handlers or self._confirmer is not None or self._waiters or self._closing):
            return self._accept(callback)
        if self._owner.loop is None and not self._closing:
            raise InvalidConfig(
                "a callback was received in a thread, and this inbox was not opened in an event loop: open it with "
                "`async with inbox` in a loop that keeps running; nothing was accepted"
            )
        return ReceiveResult.UNAVAILABLE

    def _accept(self, callback: ParsedEvent) -> ReceiveResult:
        key, event, progress, digest, size = callback
        result = self._dedup.classify(key, progress, digest)
        # Drop a duplicate or stale one, start to confirm a final status, record and dispatch any other.
        if result is not ReceiveResult.NEW:
            self._drop(event, result.value, lost=False)
        elif self._closing:
            return ReceiveResult.UNAVAILABLE
        elif self._confirmer is not None and progress is not None and progress.final_status is not None:
            confirmation = PendingConfirmation(key, cast("CallbackEvent[AnyFlowRecord]", event), digest, size)
            return self._start_confirmation(self._confirmer, confirmation)
        elif self._has_consumer(key[0]) and self._is_full(size):
            return ReceiveResult.UNAVAILABLE
        else:
            self._dispatch(key, event, size, progress, digest)
        return result

    def __aiter__(self) -> Self:
        """Iterate over the events, instead of handlers; the iteration ends when the inbox is closed.

        Several loops share the events, and two of them may then handle one flow at once: an event counts as handled as
        soon as a loop has received it. If the order within a flow matters, use one loop, or handlers.
        """
        if self._handlers:
            raise InvalidConfig("this inbox has handlers, and they get the events: iterate over one that has none")
        self._iterating = True
        return self

    async def __anext__(self) -> AnyEvent:
        aiter(self)
        if not self._owner.claim():
            raise InvalidConfig(_OTHER_LOOP)
        while True:
            item = self._queue.try_get()
            if item is not None:
                key, (event, size) = item
                self._queue.task_done(key)
                self._pending_bytes -= size
                self._notify_waiters()
                return event
            if self._closing and not self._confirmer:
                raise StopAsyncIteration
            await self._wait_for_change()

    async def aclose(self) -> None:
        """Stop accepting callbacks, and wait up to `shutdown_timeout` for pending ones to be confirmed and handled.

        The rest is dropped: Routee got a 200 and does not repeat it, so each is emitted to observers. A caller that is
        cancelled leaves at once, and closing continues in the background.
        """
        if not self._owner.claim() and self._owner.is_elsewhere:
            loop = cast("asyncio.AbstractEventLoop", self._owner.loop)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.aclose(), loop))
            return
        self._owner.claim(take_over=True)
        self._closing = True
        self._notify_waiters()
        await wait_for_tasks([start_task(self._close())])

    async def _close(self) -> None:
        try:
            await asyncio.sleep(0)  # a loop over the events may be about to start
            async with asyncio.timeout(self.shutdown_timeout.total_seconds()):
                while self._closing and self._has_work:
                    await self._wait_for_change()
        except TimeoutError:
            pass
        finally:
            # Else the inbox was opened again, here or in another loop, and what is pending is handled after all.
            if self._closing and self._owner.loop is asyncio.get_running_loop():
                await self._drop_all()

    @property
    def _has_work(self) -> bool:
        return bool(self._tasks or self._confirmer or (self._queue and (self._handlers or self._iterating)))

    async def __aenter__(self) -> Self:
        if not self._owner.claim(take_over=not self.is_elsewhere):
            raise InvalidConfig(_OTHER_LOOP)
        self._closing = False
        self._notify_waiters()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    # --- dispatching

    def _is_full(self, size: int) -> bool:
        """Return whether a callback of that size cannot be accepted now. One that is too large is accepted alone."""
        over = self._pending_bytes > 0 and self._pending_bytes + size > self.max_pending_bytes
        return over or self.pending >= self.capacity

    def _start_confirmation(self, confirmer: Confirmer, pending: PendingConfirmation) -> ReceiveResult:
        if pending.key in confirmer:
            confirmer.extend(pending.key)
        elif self._is_full(pending.size):
            return ReceiveResult.UNAVAILABLE
        else:
            confirmer.add(pending)
            self._pending_bytes += pending.size
        return ReceiveResult.NEW

    def _on_confirmation(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str) -> None:
        self._pending_bytes -= pending.size
        if record is None:
            self._drop(pending.event, f"not confirmed: {reason}", lost=True)
            return
        progress = progress_of(record)
        result = self._dedup.classify(pending.key, progress, pending.digest)
        if result is ReceiveResult.NEW:
            event = attrs.evolve(pending.event, record=record, confirmed=True)
            self._dispatch(pending.key, event, pending.size, progress, pending.digest)
        else:
            self._drop(pending.event, result.value, lost=False)

    def _has_consumer(self, kind: str) -> bool:
        """Return whether events of a kind are queued for handlers or a loop. With `notify` alone, none are."""
        if self._handlers:
            return kind in self._handlers
        return self._iterating or self.notify is None

    def _dispatch(
        self, key: tuple[str, str], event: AnyEvent, size: int, progress: FlowProgress | None, digest: bytes
    ) -> None:
        queued = self._has_consumer(key[0])
        # Nothing here can fail for good: a callback that is refused would have to be new when it is repeated.
        self._dedup.record(key, progress, digest)
        if queued:
            self._queue.put(key, QueuedEvent(event, size))
            self._pending_bytes += size
        if self.notify is not None and not isinstance(event.record, InboundMessage):
            try:
                self.notify(event.record)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # consumers get the event all the same
                self._report_failure(self.notify, error, event)
        if queued:
            self._start_handlers()
            self._notify_waiters()

    def _start_handlers(self) -> None:
        while self._handlers and len(self._running) < self.concurrency and (entry := self._queue.try_get()) is not None:
            running = self._running.add(*entry)
            self._start(self._handle(running), running)

    async def _handle(self, running: RunningCallback[QueuedEvent]) -> None:
        event = running.item.event
        for handler in self._handlers.get(event.kind, ()):
            self._running.begin(running, handler)
            await call_handler(handler, event, self._report_failure)

    def _finish(self, running: RunningCallback[QueuedEvent]) -> None:
        """Release what a callback takes."""
        self._running.remove(running)
        self._pending_bytes -= running.item.size
        self._queue.task_done(running.key)

    # --- tasks, waiters, observers

    def _add_handler(self, kind: str, handler: Handler) -> None:
        check_handler(handler)
        if self._iterating:
            raise InvalidConfig("this inbox is iterated over: register handlers with another one")
        self._handlers.setdefault(kind, []).append(handler)

    def _start(self, coroutine: Coroutine[Any, Any, None], running: RunningCallback[QueuedEvent] | None = None) -> None:
        task = start_task(coroutine)
        self._tasks[task] = running
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        if task not in self._tasks:  # of an event loop that was abandoned
            return
        # Here and not in the task: a task that is cancelled before its first step runs not at all.
        if (running := self._tasks.pop(task)) is not None:
            self._finish(running)
            if running.handler is None and task.cancelled():
                self._drop(running.item.event, "it was cancelled before its handler began", lost=True)
        if not task.cancelled():  # else the event loop may be shutting down, and no new task must be started in it
            self._start_handlers()
        self._notify_waiters()

    def _abandon_loop(self) -> None:
        """Give up what runs in the previous event loop: it has ended, or the inbox was closed in it."""
        self._running.stop()
        for running in self._running:
            self._finish(running)
            self._drop(running.item.event, "its event loop ended before it was handled", lost=True)
        for pending in self._confirmer.clear() if self._confirmer else ():
            self._pending_bytes -= pending.size
            self._drop(pending.event, "its event loop ended before it was confirmed", lost=True)
        self._tasks.clear()
        self._waiters.clear()

    def _notify_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_for_change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    async def _drop_all(self) -> None:
        dropped: list[QueuedEvent | PendingConfirmation]
        dropped = [*self._queue.clear(), *(self._confirmer.clear() if self._confirmer else [])]
        for item in dropped:
            self._pending_bytes -= item.size
            self._drop(item.event, "the inbox closed before it was handled", lost=True)
        for task in (remaining := set(self._tasks)):
            task.cancel()
        self._running.stop()
        if remaining:
            # A handler that ignores its cancellation is abandoned after the timeout.
            await asyncio.wait(remaining, timeout=self.shutdown_timeout.total_seconds())
        self._notify_waiters()

    def _drop(self, event: CallbackEvent[AnyCallback], reason: str, *, lost: bool) -> None:
        self._observers.emit(CallbackDropped(event.kind, event.tracking_id, reason, lost))

    def _report_slow(self, running: RunningCallback[QueuedEvent], seconds: float) -> None:
        event = running.item.event
        self._observers.emit(HandlerSlow(callable_name(running.handler), seconds, event.kind, event.tracking_id))

    def _report_failure(self, handler: object, error: BaseException, event: AnyEvent) -> None:
        # Neither the error's text nor its traceback: both may quote the callback.
        self._observers.emit(HandlerFailed(callable_name(handler), type(error).__name__, event.kind, event.tracking_id))
