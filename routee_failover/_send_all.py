"""Many sends through a bounded window: drawn as needed, sent side by side, told in the order in which they end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import attrs

from ._value_object import ValueObject
from .errors import InvalidConfig, Outcome, RouteeError
from .flows import AnyFlow
from .records import AnyReceipt

SendFunction = Callable[[Any], Awaitable[AnyReceipt]]


@attrs.frozen(slots=False, eq=False, repr=False)
class SendResult(ValueObject):
    """What became of one flow of `send_all`: its outcome, with the receipt if it was accepted and the error if not."""

    flow: AnyFlow
    outcome: Outcome
    receipt: AnyReceipt | None = None
    error: RouteeError | None = None


async def _each(flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow]) -> AsyncGenerator[AnyFlow, None]:
    if isinstance(flows, AsyncIterable):
        async for flow in flows:
            yield flow
    else:
        for flow in flows:
            yield flow


async def _sent(send: SendFunction, flow: AnyFlow) -> SendResult:
    try:
        receipt = await send(flow)
    except RouteeError as error:
        return SendResult(flow, error.outcome, error=error)
    return SendResult(flow, Outcome.ACCEPTED, receipt=receipt)


class RateLimiter:
    """Spaces evenly what is begun. Up to a tenth of a second that was missed is made up for, since timers come late."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._tolerance = max(0.0, 0.1 - interval)
        self._next = 0.0

    def reserve(self) -> float:
        """Take the next time: seconds until it comes."""
        if not self._interval:
            return 0.0
        now = asyncio.get_running_loop().time()
        # It is taken before it is waited for, so that those who wait side by side do not take the same one.
        begins = max(self._next, now - self._tolerance)
        self._next = begins + self._interval
        return max(0.0, begins - now)

    async def acquire(self) -> None:
        """Wait until it is time for the next."""
        wait = self.reserve()
        if wait:
            await asyncio.sleep(wait)


def send_each(
    send: SendFunction, flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], concurrency: int, rate: float | None = None
) -> AsyncGenerator[SendResult, None]:
    """Send every flow of a source, at most `concurrency` at a time and `rate` a second.

    An error of the source itself is raised once the flows drawn before it have ended and been told.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise InvalidConfig("concurrency must be a whole number of at least 1; nothing was sent")
    if rate is not None and (type(rate) not in {int, float} or not 0 < rate < float("inf")):
        raise InvalidConfig("rate must be a number of flows a second, above 0; nothing was sent")
    return _send_each(send, _each(flows), concurrency, 1 / rate if rate else 0.0)


async def _send_each(
    send: SendFunction, source: AsyncGenerator[AnyFlow, None], concurrency: int, interval: float
) -> AsyncGenerator[SendResult, None]:
    begins = RateLimiter(interval)
    drawing = asyncio.Lock()  # an async iterator may be asked for one item at a time only
    # As many results may wait as sends may be under way: a slow reader slows the sending, instead of filling memory.
    ended: asyncio.Queue[SendResult | None] = asyncio.Queue(maxsize=concurrency)
    stopping = asyncio.Event()
    drawer: asyncio.Task[Any] | None = None  # whoever waits for the source: the one that closing must not wait for

    async def draw() -> tuple[AnyFlow] | None:
        nonlocal drawer
        async with drawing:
            if stopping.is_set():
                return None
            drawer = asyncio.current_task()
            try:
                await begins.acquire()
                return (await anext(source),)
            except BaseException as error:
                stopping.set()
                if isinstance(error, StopAsyncIteration):
                    return None
                raise
            finally:
                drawer = None

    async def work() -> None:
        try:
            while (drawn := await draw()) is not None:
                await ended.put(await _sent(send, *drawn))
        finally:
            await ended.put(None)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    try:
        working = concurrency
        while working:
            sent = await ended.get()
            if sent is not None:
                yield sent
            else:
                working -= 1
        for worker in workers:
            worker.result()
    except asyncio.CancelledError:
        for worker in workers:
            worker.cancel()
        raise
    finally:
        stopping.set()
        if drawer is not None:
            drawer.cancel()
        # Nobody reads on: what still ends must not wait for a reader.
        unread, ended = ended, asyncio.Queue()
        while not unread.empty():
            unread.get_nowait()
        await asyncio.gather(*workers, return_exceptions=True)
        await source.aclose()
