"""Many sends through a bounded window: drawn as needed, sent side by side, told in the order in which they end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from typing import Any

import attrs

from .errors import InvalidConfig, Outcome, RouteeError
from .flows import AnyFlow
from .records import AnyReceipt

Send = Callable[[Any], Awaitable[AnyReceipt]]


@attrs.frozen
class Sent:
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


async def _sent(send: Send, flow: AnyFlow) -> Sent:
    try:
        receipt = await send(flow)
    except RouteeError as error:
        return Sent(flow, error.outcome, error=error)
    return Sent(flow, Outcome.ACCEPTED, receipt=receipt)


async def send_each(
    send: Send, flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow], concurrency: int
) -> AsyncGenerator[Sent, None]:
    """Send every flow of a source, at most `concurrency` at a time.

    An error of the source itself is raised once the flows drawn before it have ended and been told.
    """
    if type(concurrency) is not int or concurrency < 1:
        raise InvalidConfig("concurrency must be a whole number of at least 1; nothing was sent")
    source = _each(flows)
    drawing = asyncio.Lock()  # an async iterator may be asked for one item at a time only
    # As many results may wait as sends may be under way: a slow reader slows the sending, instead of filling memory.
    ended: asyncio.Queue[Sent | None] = asyncio.Queue(maxsize=concurrency)
    stopping = asyncio.Event()

    async def draw() -> AnyFlow | None:
        async with drawing:
            if stopping.is_set():
                return None
            try:
                return await anext(source)
            except BaseException:
                stopping.set()
                raise

    async def work() -> None:
        try:
            while (flow := await draw()) is not None:
                sent = await _sent(send, flow)
                await ended.put(sent)
        except StopAsyncIteration:
            pass
        finally:
            await ended.put(None)

    workers = [asyncio.create_task(work()) for _ in range(concurrency)]
    working = concurrency
    try:
        while working:
            sent = await ended.get()
            if sent is None:
                working -= 1
            else:
                yield sent
        for worker in workers:
            worker.result()
    except asyncio.CancelledError:
        for worker in workers:
            worker.cancel()
        raise
    finally:
        stopping.set()
        await _drain(ended, workers)
        await source.aclose()


async def _drain(ended: "asyncio.Queue[Sent | None]", workers: list["asyncio.Task[None]"]) -> None:
    """Let the sends under way end; their results have no reader any more, and must not make them wait for one."""
    while any(not worker.done() for worker in workers):
        while not ended.empty():
            ended.get_nowait()
        await asyncio.wait(workers, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
