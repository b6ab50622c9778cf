"""Concurrent sends with a concurrency limit and a rate limit; results are yielded in the order in which sends end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import attrs

from ._tasks import wait_until_ended
from ._value_object import ValueObject
from .errors import InvalidConfig, Outcome, RouteeError
from .flows import AnyFlow
from .records import AnyReceipt

SendFunction = Callable[[Any], Awaitable[AnyReceipt]]


@attrs.frozen(slots=False, eq=False, repr=False)
class SendResult(ValueObject):
    """Result of one flow of `send_all`: its outcome, with the receipt if it was accepted and the error if not."""

    flow: AnyFlow
    outcome: Outcome
    receipt: AnyReceipt | None = None
    error: RouteeError | None = None


async def _iterate(flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow]) -> AsyncGenerator[AnyFlow, None]:
    if isinstance(flows, AsyncIterable):
        async for flow in flows:
            yield flow
    else:
        for flow in flows:
            yield flow


async def _send_one(send: SendFunction, flow: AnyFlow) -> SendResult:
    try:
        receipt = await send(flow)
    except RouteeError as error:
        # Without this frame, whose local variable may be a mapping with a PIN that is no flow.
        traceback = error.__traceback__ and error.__traceback__.tb_next
        return SendResult(flow, error.outcome, error=error.with_traceback(traceback))
    return SendResult(flow, Outcome.ACCEPTED, receipt=receipt)


class RateLimiter:
    """Rate limiter (GCRA) that spaces starts evenly, `interval` seconds apart; 0 for no limit.

    Up to a tenth of a second of missed starts is made up for, because timers fire late.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._tolerance = max(0.0, 0.1 - interval)
        self._next = 0.0

    def reserve(self) -> float:
        """Reserve the next start and return the seconds until it."""
        if not self._interval:
            return 0.0
        now = asyncio.get_running_loop().time()
        # Reserved before the wait, so that concurrent callers do not get the same start.
        start = max(self._next, now - self._tolerance)
        self._next = start + self._interval
        return max(0.0, start - now)

    async def acquire(self) -> None:
        """Wait for the next start."""
        delay = self.reserve()
        if delay:
            await asyncio.sleep(delay)


def send_each(
    send: SendFunction, flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], concurrency: int, rate: float | None = None
) -> AsyncGenerator[SendResult, None]:
    """Send every flow of a source, at most `concurrency` at a time and `rate` per second.

    An error of the source itself is raised after the results of the flows drawn before it have been yielded. Raises
    `InvalidConfig` at once for a `concurrency` or `rate` that cannot work.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise InvalidConfig("concurrency must be a whole number of at least 1; nothing was sent")
    if rate is not None and (type(rate) not in {int, float} or not 0 < rate < float("inf")):
        raise InvalidConfig("rate must be a number of flows a second, above 0; nothing was sent")
    return _send_each(send, _iterate(flows), concurrency, 1 / rate if rate else 0.0)


async def _send_each(
    send: SendFunction, source: AsyncGenerator[AnyFlow, None], concurrency: int, interval: float
) -> AsyncGenerator[SendResult, None]:
    rate_limiter = RateLimiter(interval)
    source_lock = asyncio.Lock()  # an async iterator serves one caller at a time
    # As many results may wait as sends may be in flight: a slow consumer slows the sending instead of filling memory.
    results: asyncio.Queue[SendResult | None] = asyncio.Queue(maxsize=concurrency)
    stopping = asyncio.Event()
    drawing_task: asyncio.Task[Any] | None = None  # the worker that waits for the source: closing must not wait for it

    async def draw() -> tuple[AnyFlow] | None:
        nonlocal drawing_task
        async with source_lock:
            if stopping.is_set():
                return None
            drawing_task = asyncio.current_task()
            try:
                await rate_limiter.acquire()
                return (await anext(source),)
            except BaseException as error:
                stopping.set()
                if isinstance(error, StopAsyncIteration):
                    return None
                raise
            finally:
                drawing_task = None

    async def work() -> None:
        try:
            while (drawn := await draw()) is not None:
                await results.put(await _send_one(send, *drawn))
        finally:
            await results.put(None)

    # 1. One worker per concurrent send: draw a flow, send it, queue its result. None marks the end of a worker.
    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        # 2. Yield results until every worker has ended.
        running = concurrency
        while running:
            result = await results.get()
            if result is not None:
                yield result
            else:
                running -= 1
        # 3. Raise what a worker raised: an error of the source, or one that is not a RouteeError.
        for worker in workers:
            worker.result()
    except asyncio.CancelledError:
        for worker in workers:
            worker.cancel()
        raise
    finally:
        # 4. If closed early: draw no more flows, let the sends in flight end, discard their results.
        stopping.set()
        if drawing_task is not None:
            drawing_task.cancel()
        # There is no consumer any more: sends that still end must not wait for one.
        unread, results = results, asyncio.Queue()
        while not unread.empty():
            unread.get_nowait()
        await _end(workers, source)


async def _end(workers: list[asyncio.Task[None]], source: AsyncGenerator[AnyFlow, None]) -> None:
    try:
        await wait_until_ended(workers, cancel=True)
    finally:
        await source.aclose()
