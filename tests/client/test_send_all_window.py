"""send_all without a network: how flows are drawn, yielded, limited and stopped."""

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from routee_failover import AnyFlow, ConnectFailed, FlowReceipt, InvalidConfig, Outcome, SendResult, StandardFlow
from routee_failover._send_all import send_each

from .sample_flows import sms

FLOW = sms()


class FakeSend:
    """Replacement of `RouteeClient.send` that counts, takes `delay` seconds, and fails for the given numbers."""

    def __init__(self, delay: float = 0.0, fails: frozenset[int] = frozenset()) -> None:
        self.delay, self.fails = delay, fails
        self.started = self.ended = self.cancelled = self.in_flight = self.max_in_flight = 0

    async def __call__(self, flow: AnyFlow) -> FlowReceipt:
        """Count a send."""
        self.started += 1
        number = self.started
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        self.ended += 1
        if number in self.fails:
            raise ConnectFailed("no connection; nothing was sent")
        return FlowReceipt.from_dict({"trackingId": str(number)})


class Source:
    """An endless source that counts what is drawn from it."""

    def __init__(self) -> None:
        self.drawn = 0

    def __iter__(self) -> Iterator[StandardFlow]:
        for _ in itertools.count():
            self.drawn += 1
            yield FLOW


async def _other_tasks() -> set["asyncio.Task[Any]"]:
    """The other tasks of the loop, after one iteration in which ending tasks can end."""
    await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_every_flow_is_yielded_exactly_once() -> None:
    """Each flow of the source comes back once, as the object that it was, with its receipt."""
    flows = [sms() for _ in range(50)]
    results = [result async for result in send_each(FakeSend(), flows, 7)]
    assert sorted(id(result.flow) for result in results) == sorted(id(flow) for flow in flows)
    assert all(result.outcome is Outcome.ACCEPTED and result.receipt and result.error is None for result in results)


@pytest.mark.parametrize("concurrency", [1, 2, 16])
async def test_sends_in_flight_equal_the_concurrency(concurrency: int) -> None:
    """`concurrency` sends run concurrently if there is enough to send, and never one more."""
    send = FakeSend(0.001)
    assert len([result async for result in send_each(send, [FLOW] * 40, concurrency)]) == 40
    assert send.max_in_flight == concurrency


async def test_endless_source_is_drawn_as_needed() -> None:
    """2,000 flows of an endless source: at most two windows are drawn ahead of the results that were read."""
    source, window, ahead, received = Source(), 10, 0, 0
    sending = send_each(FakeSend(), source, window)
    async for _ in sending:
        received += 1
        ahead = max(ahead, source.drawn - received)
        if received == 2_000:
            break
    await sending.aclose()
    assert ahead <= 2 * window


async def test_slow_consumer_stops_sending_when_results_wait() -> None:
    """A consumer that reads one result and pauses holds the sends back: they stop when a window of results waits."""
    source, send = Source(), FakeSend()
    sending = send_each(send, source, 4)
    await anext(sending)
    await asyncio.sleep(0.02)
    assert source.drawn <= 1 + 4 + 4
    await sending.aclose()
    assert await _other_tasks() == set()


async def test_results_are_yielded_in_order_of_completion() -> None:
    """A slow send does not delay the results of faster ones."""
    delays = iter([0.05, 0.0, 0.0])

    async def send(flow: AnyFlow) -> FlowReceipt:
        delay = next(delays)
        await asyncio.sleep(delay)
        return FlowReceipt.from_dict({"trackingId": str(delay)})

    results = [result.receipt async for result in send_each(send, [FLOW] * 3, 3)]
    assert [receipt.tracking_id for receipt in results if isinstance(receipt, FlowReceipt)] == ["0.0", "0.0", "0.05"]


async def test_async_source_is_read_by_one_worker_at_a_time() -> None:
    """An async generator serves all workers, though only one at a time can read it."""

    async def source() -> AsyncIterator[StandardFlow]:
        for _ in range(30):
            await asyncio.sleep(0)
            yield FLOW

    assert len([result async for result in send_each(FakeSend(0.001), source(), 8)]) == 30


async def test_failed_flow_is_yielded_not_raised() -> None:
    """A flow that fails is yielded with its error and outcome, and the others are sent."""
    results = [result async for result in send_each(FakeSend(fails=frozenset({2, 3})), [FLOW] * 5, 2)]
    failed = [result for result in results if result.error]
    assert [result.outcome for result in failed] == [Outcome.NOT_SENT] * 2
    assert all(result.receipt is None for result in failed)
    assert len(results) == 5


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_source_error_ends_sending_after_the_results_before_it(concurrency: int) -> None:
    """A source that raises ends the sending with its own error, after the results of the flows before it."""

    def source() -> Iterator[StandardFlow]:
        yield FLOW
        yield FLOW
        raise KeyError("row 3")

    results: list[SendResult] = []

    async def read() -> None:
        async for result in send_each(FakeSend(), source(), concurrency):
            results.append(result)  # noqa: PERF401  # keeps the results before the error

    with pytest.raises(KeyError, match="row 3"):
        await read()
    assert len(results) == 2
    assert await _other_tasks() == set()


async def test_unexpected_error_of_send_is_raised() -> None:
    """A mistake in the library or the program is not hidden among the outcomes of flows."""

    async def broken(flow: AnyFlow) -> FlowReceipt:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        [result async for result in send_each(broken, [FLOW], 2)]
    assert await _other_tasks() == set()


@pytest.mark.parametrize("source", [[], (), iter([]), {}], ids=["list", "tuple", "iterator", "mapping"])
async def test_empty_source_yields_nothing(source: Any) -> None:
    """Nothing to send is not an error."""
    assert [result async for result in send_each(FakeSend(), source, 5)] == []
    assert await _other_tasks() == set()


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "4", None, True])
async def test_invalid_concurrency_is_refused_before_anything_is_drawn(concurrency: Any) -> None:
    """A concurrency that is not a whole number of at least 1 raises before anything is drawn."""
    source, send = Source(), FakeSend()
    with pytest.raises(InvalidConfig, match="concurrency must be a whole number of at least 1; nothing was sent"):
        await anext(send_each(send, source, concurrency))
    assert (source.drawn, send.started) == (0, 0)


@pytest.mark.parametrize("source", [None, 5, FLOW])
async def test_source_that_is_not_iterable_raises_type_error(source: Any) -> None:
    """An object that cannot be iterated is a TypeError that names it, and leaves no task."""
    with pytest.raises(TypeError, match="not iterable"):
        await anext(send_each(FakeSend(), source, 2))
    assert await _other_tasks() == set()


async def test_closing_early_completes_sends_in_flight_and_draws_no_more() -> None:
    """aclose() waits for the sends in flight: every flow that was drawn is sent completely, and no task remains."""
    source, send = Source(), FakeSend(0.01)
    sending = send_each(send, source, 5)
    await anext(sending)
    await sending.aclose()
    drawn = source.drawn
    assert (send.started, send.ended, send.cancelled) == (drawn, drawn, 0)
    assert await _other_tasks() == set()
    await asyncio.sleep(0.02)
    assert source.drawn == drawn


async def test_closing_an_unstarted_iterator_draws_nothing() -> None:
    """An iterator that is closed before its first item has sent nothing."""
    source, send = Source(), FakeSend()
    await send_each(send, source, 5).aclose()
    assert (source.drawn, send.started) == (0, 0)


@pytest.mark.parametrize("delay", [0.0, 0.05], ids=["results wait", "sends run"])
async def test_cancelled_consumer_leaves_no_task(delay: float) -> None:
    """Cancelling the task that waits for the next result ends the sends in flight, and leaves no task."""
    source, send = Source(), FakeSend(delay)

    async def read() -> None:
        async for _ in send_each(send, source, 5):
            pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.02)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await _other_tasks() == set()
    assert send.started == send.ended + send.cancelled
    drawn = source.drawn
    await asyncio.sleep(0.01)
    assert source.drawn == drawn


async def test_consumer_cancelled_in_its_own_work_leaves_no_task_after_close() -> None:
    """A consumer that is cancelled in its own work leaves an iterator whose closing ends everything."""
    source, send = Source(), FakeSend()
    sending = send_each(send, source, 3)

    async def read() -> None:
        async for _ in sending:
            await asyncio.sleep(3600)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    reader.cancel()
    await asyncio.wait([reader])
    await sending.aclose()
    assert await _other_tasks() == set()
    assert send.cancelled == 0


async def test_closing_early_cancels_a_waiting_source() -> None:
    """A source that has nothing for now, a queue for example, does not delay aclose()."""
    cancelled = asyncio.Event()

    async def source() -> AsyncIterator[StandardFlow]:
        yield FLOW
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    sending = send_each(FakeSend(), source(), 2)
    await anext(sending)
    try:
        async with asyncio.timeout(0.2):
            await sending.aclose()
    finally:
        for task in await _other_tasks():
            task.cancel()
        await asyncio.wait(await _other_tasks() or {asyncio.create_task(asyncio.sleep(0))})
    assert cancelled.is_set()


async def test_closing_early_waits_without_busy_looping(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the last sends end, the loop is idle, also if some of the workers have ended before."""
    delays = itertools.chain([0.0, 0.1, 0.03], itertools.repeat(0.1))

    async def send(flow: AnyFlow) -> FlowReceipt:
        await asyncio.sleep(next(delays))
        return FlowReceipt.from_dict({"trackingId": "t"})

    sending = send_each(send, Source(), 2)
    await anext(sending)
    selector: Any = vars(asyncio.get_running_loop())["_selector"]
    select, iterations = selector.select, itertools.count()
    monkeypatch.setattr(selector, "select", lambda timeout: (next(iterations), select(timeout))[1])
    await sending.aclose()
    assert next(iterations) < 50


async def test_source_error_after_early_close_is_not_logged_as_unretrieved() -> None:
    """A source that raises after the consumer has left causes no message in the event loop's log."""

    def source() -> Iterator[StandardFlow]:
        yield FLOW
        raise KeyError("row 2")

    logged: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context))
    sending = send_each(FakeSend(), source(), 2)
    await anext(sending)
    await asyncio.sleep(0.01)
    await sending.aclose()
    del sending
    gc.collect()
    await asyncio.sleep(0)
    assert logged == []
