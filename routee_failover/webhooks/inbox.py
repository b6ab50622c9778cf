"""Inbox of callbacks: accepts them without waiting, drops duplicate and stale ones, and dispatches the others.

Accepting and handling are separate because Routee waits 2 seconds for a response and then repeats the callback, while a
handler may take longer. A handler that fails affects neither other handlers nor other events.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar, cast

import attrs

from .._tasks import start_task, wait_for_tasks
from .._validators import as_tuple, callable_name, check_observers, check_positive_duration, check_positive_int
from ..errors import InvalidConfig
from ..events import CallbackDropped, HandlerFailed, LoggingObserver, Observer, ObserverGroup
from ..records import FlowRecord, InboundMessage, OtpRecord
from ..secret import scrub_traceback
from .confirmation import AnyFlowRecord, Confirm, Confirmer, PendingConfirmation
from .dedup import Deduplicator, payload_digest
from .event import AnyCallback, CallbackEvent, ReceiveResult
from .flow_progress import progress_of
from .keyed_queue import KeyedQueue
from .parse import parse_body

AnyEvent = CallbackEvent[AnyCallback]
Handler = Callable[[CallbackEvent[Any]], Awaitable[object]]
_Flow = TypeVar("_Flow", bound=Callable[[CallbackEvent[FlowRecord]], Awaitable[object]])
_Otp = TypeVar("_Otp", bound=Callable[[CallbackEvent[OtpRecord]], Awaitable[object]])
_Inbound = TypeVar("_Inbound", bound=Callable[[CallbackEvent[InboundMessage]], Awaitable[object]])


def _check_callable(_inbox: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not callable(value):
        raise InvalidConfig(f"{attribute.name} must be a callable with one parameter, the record")


def _is_async(handler: object) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    call_method = getattr(handler, "__call__", None)  # noqa: B004  # inspected, not called
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call_method)


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

    An inbox belongs to one event loop at a time. `async with inbox` or `aclose()` lets handlers finish; an aiohttp or
    ASGI server does that for a receiver that it serves. Raises `InvalidConfig` for settings that cannot work.
    """

    notify: Callable[[Any], object] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_callable)
    )
    """Called with each new `FlowRecord` or `OtpRecord`, before it is dispatched, `routee.notify` for example. It must
    not block."""
    confirm: Confirm | None = attrs.field(default=None, validator=attrs.validators.optional(_check_callable))
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
    concurrency: int = attrs.field(default=10, validator=check_positive_int)
    """How many callbacks are handled at a time."""
    max_flows: int = attrs.field(default=10_000, validator=check_positive_int)
    """How many flows are remembered, to recognize duplicate and stale callbacks; about a kilobyte each."""
    shutdown_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """How long `aclose()` waits for pending callbacks to be handled."""
    observers: tuple[Observer, ...] = attrs.field(
        factory=lambda: (LoggingObserver(),), converter=as_tuple, validator=check_observers
    )
    """Observers of callbacks that are rejected or dropped, and of handlers that fail; by default the log."""

    def __attrs_post_init__(self) -> None:
        self._observers = ObserverGroup(self.observers)
        self._dedup = Deduplicator(self.max_flows)
        self._queue: KeyedQueue[AnyEvent] = KeyedQueue()
        self._confirmer: Confirmer | None = None
        if self.confirm is not None:
            self._confirmer = Confirmer(
                self.confirm, self.confirm_timeout.total_seconds(), self._on_confirmation, self._start
            )
        self._handlers: dict[str, list[Handler]] = {}
        self._handling = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: set[asyncio.Future[None]] = set()
        self._iterating = self._closing = False

    def __repr__(self) -> str:
        return f"<CallbackInbox: {self.pending} pending>"

    @property
    def pending(self) -> int:
        """How many callbacks were accepted and are neither dispatched nor dropped."""
        return len(self._queue) + len(self._confirmer or ())

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

    def on_inbound(self, handler: _Inbound) -> _Inbound:
        """Register an `async def` handler for inbound Viber messages."""
        self._add_handler("inbound", handler)
        return handler

    @scrub_traceback
    def receive(
        self, body: bytes | bytearray | memoryview | str | Mapping[str, Any], *, reference: str | None = None
    ) -> ReceiveResult:
        """Accept a callback and return what it was; a receiver calls this, in the event loop.

        It does not wait. Raises `InvalidCallback` for a body that is not a callback.
        """
        # 1. Parse it, and compare it with what was received before.
        key, record, payload = parse_body(body)
        event: AnyEvent = CallbackEvent(record=record, reference=reference, received_at=datetime.now(UTC))
        progress, digest = progress_of(record), payload_digest(payload)
        result = self._dedup.classify(key, progress, digest)
        # 2. Drop a duplicate or stale one, start to confirm a final status, record and dispatch any other.
        if result is not ReceiveResult.NEW:
            self._drop(event, result.value, lost=False)
        elif self._closing:
            return ReceiveResult.UNAVAILABLE
        elif self._confirmer is not None and progress is not None and progress.final_status is not None:
            return self._start_confirmation(self._confirmer, key, cast("CallbackEvent[AnyFlowRecord]", event), digest)
        elif self._has_consumer(key[0]) and self.pending >= self.capacity:
            return ReceiveResult.UNAVAILABLE
        else:
            self._dedup.record(key, progress, digest)
            self._dispatch(key, event)
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
        while True:
            item = self._queue.try_get()
            if item is not None:
                self._queue.task_done(item[0])
                self._notify_waiters()
                return item[1]
            if self._closing and not self._confirmer:
                raise StopAsyncIteration
            await self._wait_for_change()

    async def aclose(self) -> None:
        """Stop accepting callbacks, and wait up to `shutdown_timeout` for pending ones to be confirmed and handled.

        The rest is dropped: Routee got a 200 and does not repeat it, so each is emitted to observers. A caller that is
        cancelled leaves at once, and closing continues in the background.
        """
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
            if self._closing:  # else the inbox was opened again, and what is pending is handled after all
                await self._drop_all()

    @property
    def _has_work(self) -> bool:
        return bool(self._tasks or self._confirmer or (self._queue and (self._handlers or self._iterating)))

    async def __aenter__(self) -> Self:
        self._closing = False
        self._notify_waiters()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    # --- dispatching

    def _start_confirmation(
        self, confirmer: Confirmer, key: tuple[str, str], event: CallbackEvent[AnyFlowRecord], digest: bytes
    ) -> ReceiveResult:
        if key in confirmer:
            confirmer.extend(key)
        elif self.pending >= self.capacity:
            return ReceiveResult.UNAVAILABLE
        else:
            confirmer.add(key, event, digest)
        return ReceiveResult.NEW

    def _on_confirmation(self, pending: PendingConfirmation, record: AnyFlowRecord | None, reason: str) -> None:
        if record is None:
            self._drop(pending.event, f"not confirmed: {reason}", lost=True)
            return
        progress = progress_of(record)
        result = self._dedup.classify(pending.key, progress, pending.digest)
        if result is ReceiveResult.NEW:
            self._dedup.record(pending.key, progress, pending.digest)
            self._dispatch(pending.key, attrs.evolve(pending.event, record=record, confirmed=True))
        else:
            self._drop(pending.event, result.value, lost=False)

    def _has_consumer(self, kind: str) -> bool:
        """Return whether events of a kind are queued for handlers or a loop. With `notify` alone, none are."""
        if self._handlers:
            return kind in self._handlers
        return self._iterating or self.notify is None

    def _dispatch(self, key: tuple[str, str], event: AnyEvent) -> None:
        if self.notify is not None and not isinstance(event.record, InboundMessage):
            try:
                self.notify(event.record)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # consumers get the event all the same
                self._report_failure(self.notify, error, event)
        if self._has_consumer(key[0]):
            self._queue.put(key, event)
            self._start_handlers()
            self._notify_waiters()

    def _start_handlers(self) -> None:
        while self._handlers and self._handling < self.concurrency and (item := self._queue.try_get()) is not None:
            self._handling += 1
            self._start(self._handle(*item))

    async def _handle(self, key: Hashable, event: AnyEvent) -> None:
        try:
            for handler in self._handlers.get(event.kind, ()):
                await self._call(handler, event)
        finally:
            self._handling -= 1
            self._queue.task_done(key)

    async def _call(self, handler: Handler, event: AnyEvent) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            await handler(event)
        except asyncio.CancelledError as error:
            self._report_failure(handler, error, event)
            if task.cancelling():
                raise
        except Exception as error:  # noqa: BLE001  # the next event is handled all the same
            self._report_failure(handler, error, event)

    # --- tasks, waiters, observers

    def _add_handler(self, kind: str, handler: Handler) -> None:
        if not _is_async(handler):
            raise InvalidConfig(
                f"{callable_name(handler)} must be an async def: any other function would block every callback"
            )
        if self._iterating:
            raise InvalidConfig("this inbox is iterated over: register handlers with another one")
        self._handlers.setdefault(kind, []).append(handler)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = start_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():  # else the event loop may be shutting down, and no new task must be started in it
            self._start_handlers()
        self._notify_waiters()

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
        dropped: list[AnyEvent] = [*self._queue.clear(), *(self._confirmer.clear() if self._confirmer else [])]
        for event in dropped:
            self._drop(event, "the inbox closed before it was handled", lost=True)
        for task in (remaining := set(self._tasks)):
            task.cancel()
        if remaining:
            # A handler that ignores its cancellation is abandoned after the timeout.
            await asyncio.wait(remaining, timeout=self.shutdown_timeout.total_seconds())
        self._notify_waiters()

    def _drop(self, event: CallbackEvent[AnyCallback], reason: str, *, lost: bool) -> None:
        self._observers.emit(CallbackDropped(event.kind, event.tracking_id, reason, lost))

    def _report_failure(self, handler: object, error: BaseException, event: AnyEvent) -> None:
        # Neither the error's text nor its traceback: both may quote the callback.
        self._observers.emit(HandlerFailed(callable_name(handler), type(error).__name__, event.kind, event.tracking_id))
