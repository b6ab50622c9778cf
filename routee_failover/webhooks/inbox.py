"""Takes callbacks in at once, hands out each that says something new, and lets nothing that goes wrong harm the rest.

Accepting and handling are apart because Routee waits 2 seconds for an answer and then repeats the callback, while a
handler takes the time that it takes.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar, cast

import attrs

from .._validators import as_tuple, callable_name, check_observers, check_positive_duration, check_positive_int
from ..errors import InvalidConfig
from ..events import CallbackDropped, HandlerFailed, LoggingObserver, Observer, ObserverGroup
from ..records import FlowRecord, InboundMessage, OtpRecord
from ..secret import scrub_traceback
from .confirmation import AnyFlowRecord, Confirm, Confirmer, PendingConfirmation
from .dedup import Deduplicator, payload_digest
from .event import AnyCallback, CallbackEvent, ReceiveResult
from .keyed_queue import KeyedQueue
from .parse import parse_body
from .progress import progress_of

AnyEvent = CallbackEvent[AnyCallback]
Handler = Callable[[CallbackEvent[Any]], Awaitable[object]]
_Flow = TypeVar("_Flow", bound=Callable[[CallbackEvent[FlowRecord]], Awaitable[object]])
_Otp = TypeVar("_Otp", bound=Callable[[CallbackEvent[OtpRecord]], Awaitable[object]])
_Inbound = TypeVar("_Inbound", bound=Callable[[CallbackEvent[InboundMessage]], Awaitable[object]])


def _check_callable(_inbox: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not callable(value):
        raise InvalidConfig(f"{attribute.name} must be a callable that takes a record")


def _is_async(handler: object) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    called = getattr(handler, "__call__", None)  # noqa: B004  # it is looked at, not called
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called)


@attrs.define(kw_only=True, slots=False, eq=False, repr=False, on_setattr=attrs.setters.frozen)
class CallbackInbox:
    """Callbacks come in by a receiver, and go out to handlers, to `async for`, or to `tell`.

        inbox = CallbackInbox()

        @inbox.on_otp
        async def note(event: CallbackEvent[OtpRecord]) -> None: ...

    Nothing is handed out twice, and nothing that is older than what was handed out before: a final status never goes
    back. The callbacks of one flow are handed out one after the other, those of different flows side by side. What is
    remembered for that is bounded, and this process's own.

    What waits is held in memory: a process that dies loses it, although Routee was answered 200. Whoever must not miss
    an end asks for it as well, with `RouteeClient.track`.

    With `tell` and neither handlers nor a loop, a callback is done once it is told: a program that loops as well begins
    its `async for` before the receiver takes anything in.

    An inbox belongs to one event loop at a time. `async with inbox` or `aclose()` lets handlers end; an aiohttp or ASGI
    server does that for a receiver that it was given. Raises `InvalidConfig` for settings that cannot work.
    """

    notify: Callable[[Any], object] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_callable)
    )
    """Called with each new `FlowRecord` or `OtpRecord`, before it is handed out. It must not block."""
    confirm: Confirm | None = attrs.field(default=None, validator=attrs.validators.optional(_check_callable))
    """Asks Routee for a record again, `routee.track` for example. With it, a final status is told and handed out only
    once Routee says it too, and in the record that Routee then gives. Statuses that are not final are not asked for."""
    confirm_timeout: timedelta = attrs.field(default=timedelta(minutes=2), validator=check_positive_duration)
    """How long Routee is asked again while it cannot be reached or says otherwise, and how long one question may take.
    After that the callback is dropped, which observers are told; another one about the same flow is taken as if there
    had been none."""
    capacity: int = attrs.field(default=1000, validator=check_positive_int)
    """How many callbacks may wait. Those that find no room are answered 503, which makes Routee repeat them: after 30
    seconds first, and up to 12 times in 24 hours (https://docs.routee.net/docs/callback-url-webhook)."""
    concurrency: int = attrs.field(default=10, validator=check_positive_int)
    """How many callbacks are handled at a time."""
    max_flows: int = attrs.field(default=10_000, validator=check_positive_int)
    """How many flows are remembered, to know repeats and latecomers; about a kilobyte each."""
    shutdown_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """How long `aclose()` lets what waits be handled."""
    observers: tuple[Observer, ...] = attrs.field(
        factory=lambda: (LoggingObserver(),), converter=as_tuple, validator=check_observers
    )
    """Who is told of callbacks that are refused or dropped, and of handlers that fail; the log, if nothing is given."""

    def __attrs_post_init__(self) -> None:
        self._observers = ObserverGroup(self.observers)
        self._memory = Deduplicator(self.max_flows)
        self._lanes: KeyedQueue[AnyEvent] = KeyedQueue()
        self._doubts: Confirmer | None = None
        if self.confirm is not None:
            self._doubts = Confirmer(
                self.confirm, self.confirm_timeout.total_seconds(), self._on_confirmation, self._start
            )
        self._handlers: dict[str, list[Handler]] = {}
        self._handling = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: set[asyncio.Future[None]] = set()
        self._iterated = self._closing = False

    def __repr__(self) -> str:
        return f"<CallbackInbox: {self.pending} waiting>"

    @property
    def pending(self) -> int:
        """How many callbacks were taken and are neither handed out nor dropped."""
        return len(self._lanes) + len(self._doubts or ())

    def on_flow(self, handler: _Flow) -> _Flow:
        """Hand callbacks of standard and transactional flows to an `async def` handler; one that raises is told of."""
        self._add_handler("flow", handler)
        return handler

    def on_otp(self, handler: _Otp) -> _Otp:
        """Hand callbacks of failover OTP flows to an `async def` handler."""
        self._add_handler("otp", handler)
        return handler

    def on_inbound(self, handler: _Inbound) -> _Inbound:
        """Hand what people write back by Viber to an `async def` handler."""
        self._add_handler("inbound", handler)
        return handler

    @scrub_traceback
    def receive(
        self, body: bytes | bytearray | memoryview | str | Mapping[str, Any], *, reference: str | None = None
    ) -> ReceiveResult:
        """Take a callback in, and say what it was; this is what a receiver calls, in the event loop.

        It does not wait. Raises `InvalidCallback` for a body that is none.
        """
        identity, record, answer = parse_body(body)
        event: AnyEvent = CallbackEvent(record=record, reference=reference, received_at=datetime.now(UTC))
        standing, digest = progress_of(record), payload_digest(answer)
        arrival = self._memory.classify(identity, standing, digest)
        if arrival is not ReceiveResult.NEW:
            self._drop(event, arrival.value, lost=False)
        elif self._closing:
            return ReceiveResult.UNAVAILABLE
        elif self._doubts is not None and standing is not None and standing.final_status is not None:
            return self._start_confirmation(self._doubts, identity, cast("CallbackEvent[AnyFlowRecord]", event), digest)
        elif self._has_consumer(identity[0]) and self.pending >= self.capacity:
            return ReceiveResult.UNAVAILABLE
        else:
            self._memory.record(identity, standing, digest)
            self._deliver(identity, event)
        return arrival

    def __aiter__(self) -> Self:
        """The events, for a program that would rather loop than be called; it ends when the inbox is closed.

        Several loops share the events, and two of them may then handle one flow at once: an event counts as handled
        when it was taken. Where the order within a flow matters, use one loop, or handlers.
        """
        if self._handlers:
            raise InvalidConfig("this inbox has handlers, and they get the events: iterate over one that has none")
        self._iterated = True
        return self

    async def __anext__(self) -> AnyEvent:
        aiter(self)
        while True:
            taken = self._lanes.try_get()
            if taken is not None:
                self._lanes.task_done(taken[0])
                self._notify_waiters()
                return taken[1]
            if self._closing and not self._doubts:
                raise StopAsyncIteration
            await self._wait_for_change()

    async def aclose(self) -> None:
        """Take nothing more, and let what waits be handled and confirmed for `shutdown_timeout`; the rest is dropped.

        What is dropped was answered 200 and does not come again: observers are told of each.
        """
        self._closing = True
        self._notify_waiters()
        try:
            await asyncio.sleep(0)  # a loop over the events may be about to begin
            async with asyncio.timeout(self.shutdown_timeout.total_seconds()):
                while self._tasks or self._doubts or (self._lanes and (self._handlers or self._iterated)):
                    await self._wait_for_change()
        except TimeoutError:
            pass
        finally:
            await self._drop_all()

    async def __aenter__(self) -> Self:
        self._closing = False
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    # --- the way of an event

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
        standing = progress_of(record)
        arrival = self._memory.classify(pending.key, standing, pending.digest)
        if arrival is ReceiveResult.NEW:
            self._memory.record(pending.key, standing, pending.digest)
            self._deliver(pending.key, attrs.evolve(pending.event, record=record, confirmed=True))
        else:
            self._drop(pending.event, arrival.value, lost=False)

    def _has_consumer(self, kind: str) -> bool:
        """Whether somebody is to be given events of a kind. Where only `tell` was asked for, nobody is."""
        if self._handlers:
            return kind in self._handlers
        return self._iterated or self.notify is None

    def _deliver(self, key: tuple[str, str], event: AnyEvent) -> None:
        if self.notify is not None and not isinstance(event.record, InboundMessage):
            try:
                self.notify(event.record)
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # whatever it is, others want the event
                self._report_failure(self.notify, error, event)
        if self._has_consumer(key[0]):
            self._lanes.put(key, event)
            self._dispatch()
            self._notify_waiters()

    def _dispatch(self) -> None:
        while self._handlers and self._handling < self.concurrency and (taken := self._lanes.try_get()) is not None:
            self._handling += 1
            self._start(self._handle(*taken))

    async def _handle(self, key: Hashable, event: AnyEvent) -> None:
        try:
            for handler in self._handlers.get(event.kind, ()):
                await self._call(handler, event)
        finally:
            self._handling -= 1
            self._lanes.task_done(key)

    async def _call(self, handler: Handler, event: AnyEvent) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            await handler(event)
        except asyncio.CancelledError as error:
            self._report_failure(handler, error, event)
            if task.cancelling():
                raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the next event comes
            self._report_failure(handler, error, event)

    # --- what it all stands on

    def _add_handler(self, kind: str, handler: Handler) -> None:
        if not _is_async(handler):
            raise InvalidConfig(
                f"{callable_name(handler)} must be an async def: any other would hold up every callback"
            )
        if self._iterated:
            raise InvalidConfig("this inbox is iterated over; give handlers to another one")
        self._handlers.setdefault(kind, []).append(handler)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():  # else the loop may be ending, and must not find anything new
            self._dispatch()
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
        dropped: list[AnyEvent] = [*self._lanes.clear(), *(self._doubts.clear() if self._doubts else [])]
        for event in dropped:
            self._drop(event, "the inbox closed before it was handled", lost=True)
        for task in (left := set(self._tasks)):
            task.cancel()
        if left:
            # A handler that will not be cancelled is left alone rather than waited for.
            await asyncio.wait(left, timeout=self.shutdown_timeout.total_seconds())
        self._notify_waiters()

    def _drop(self, event: CallbackEvent[AnyCallback], reason: str, *, lost: bool) -> None:
        self._observers.emit(CallbackDropped(event.kind, event.tracking_id, reason, lost))

    def _report_failure(self, handler: object, error: BaseException, event: AnyEvent) -> None:
        # Neither its text nor its traceback: both may quote what the callback says.
        self._observers.emit(HandlerFailed(callable_name(handler), type(error).__name__, event.kind, event.tracking_id))
