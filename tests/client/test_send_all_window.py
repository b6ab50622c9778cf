"""Many flows through a bounded window: how they are drawn, told, held back and stopped, without a network."""

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


class Sends:
    """Stands for `RouteeClient.send`: counts, takes a moment, and fails where it is told to."""

    def __init__(self, pause: float = 0.0, fails: frozenset[int] = frozenset()) -> None:
        self.pause, self.fails = pause, fails
        self.begun = self.ended = self.cut = self.under_way = self.most = 0

    async def __call__(self, flow: AnyFlow) -> FlowReceipt:
        """Send, as far as the counters can tell."""
        self.begun += 1
        number = self.begun
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.pause)
        except asyncio.CancelledError:
            self.cut += 1
            raise
        finally:
            self.under_way -= 1
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


async def _others() -> set["asyncio.Task[Any]"]:
    """The tasks that live beside this one, once whatever is ending has ended."""
    await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_every_flow_is_told_exactly_once() -> None:
    """Each flow of the source comes back once, as the object that it was, with its receipt."""
    flows = [sms() for _ in range(50)]
    told = [sent async for sent in send_each(Sends(), flows, 7)]
    assert sorted(id(sent.flow) for sent in told) == sorted(id(flow) for flow in flows)
    assert all(sent.outcome is Outcome.ACCEPTED and sent.receipt and sent.error is None for sent in told)


@pytest.mark.parametrize("concurrency", [1, 2, 16])
async def test_no_more_are_under_way_than_the_window_allows(concurrency: int) -> None:
    """`concurrency` sends run side by side where there is enough to send, and never one more."""
    send = Sends(0.001)
    assert len([sent async for sent in send_each(send, [FLOW] * 40, concurrency)]) == 40
    assert send.most == concurrency


async def test_an_endless_source_is_drawn_as_it_is_needed() -> None:
    """2,000 flows out of an endless source: never is more drawn than was told, under way, or waiting to be told."""
    source, window, ahead, told = Source(), 10, 0, 0
    sending = send_each(Sends(), source, window)
    async for _ in sending:
        told += 1
        ahead = max(ahead, source.drawn - told)
        if told == 2_000:
            break
    await sending.aclose()
    assert ahead <= 2 * window


async def test_a_slow_reader_slows_the_sending() -> None:
    """Whoever reads one result and pauses holds the sends back: they stop when a window of results waits."""
    source, send = Source(), Sends()
    sending = send_each(send, source, 4)
    await anext(sending)
    await asyncio.sleep(0.02)
    assert source.drawn <= 1 + 4 + 4
    await sending.aclose()
    assert await _others() == set()


async def test_results_come_as_sends_end() -> None:
    """A slow send holds nobody back who needs less time."""
    pauses = iter([0.05, 0.0, 0.0])

    async def send(flow: AnyFlow) -> FlowReceipt:
        pause = next(pauses)
        await asyncio.sleep(pause)
        return FlowReceipt.from_dict({"trackingId": str(pause)})

    told = [sent.receipt async for sent in send_each(send, [FLOW] * 3, 3)]
    assert [receipt.tracking_id for receipt in told if isinstance(receipt, FlowReceipt)] == ["0.0", "0.0", "0.05"]


async def test_an_async_source_is_asked_for_one_item_at_a_time() -> None:
    """An async generator serves a whole window of senders, though it can only be asked by one at a time."""

    async def source() -> AsyncIterator[StandardFlow]:
        for _ in range(30):
            await asyncio.sleep(0)
            yield FLOW

    assert len([sent async for sent in send_each(Sends(0.001), source(), 8)]) == 30


async def test_failures_of_flows_do_not_raise() -> None:
    """A flow that fails is told with its error and outcome, and the others go on."""
    told = [sent async for sent in send_each(Sends(fails=frozenset({2, 3})), [FLOW] * 5, 2)]
    failed = [sent for sent in told if sent.error]
    assert [sent.outcome for sent in failed] == [Outcome.NOT_SENT] * 2
    assert all(sent.receipt is None for sent in failed)
    assert len(told) == 5


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_an_error_of_the_source_is_raised_after_what_it_gave(concurrency: int) -> None:
    """A source that raises ends the sending with its own error, once the flows before it have been told."""

    def source() -> Iterator[StandardFlow]:
        yield FLOW
        yield FLOW
        raise KeyError("row 3")

    told: list[SendResult] = []

    async def read() -> None:
        async for sent in send_each(Sends(), source(), concurrency):
            told.append(sent)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(KeyError, match="row 3"):
        await read()
    assert len(told) == 2
    assert await _others() == set()


async def test_an_error_that_is_no_routee_error_is_raised() -> None:
    """A mistake in the library or the program is not hidden among the outcomes of flows."""

    async def broken(flow: AnyFlow) -> FlowReceipt:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        [sent async for sent in send_each(broken, [FLOW], 2)]
    assert await _others() == set()


@pytest.mark.parametrize("source", [[], (), iter([]), {}], ids=["list", "tuple", "iterator", "mapping"])
async def test_an_empty_source_ends_at_once(source: Any) -> None:
    """Nothing to send is no error."""
    assert [sent async for sent in send_each(Sends(), source, 5)] == []
    assert await _others() == set()


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, "4", None, True])
async def test_a_window_that_cannot_be_is_refused(concurrency: Any) -> None:
    """A concurrency that is no whole number of at least 1 is an error before anything is drawn."""
    source, send = Source(), Sends()
    with pytest.raises(InvalidConfig, match="concurrency must be a whole number of at least 1; nothing was sent"):
        await anext(send_each(send, source, concurrency))
    assert (source.drawn, send.begun) == (0, 0)


@pytest.mark.parametrize("source", [None, 5, FLOW])
async def test_what_is_no_source_is_an_error(source: Any) -> None:
    """Something that cannot be iterated is a TypeError that names it, and leaves no task."""
    with pytest.raises(TypeError, match="not iterable"):
        await anext(send_each(Sends(), source, 2))
    assert await _others() == set()


async def test_closing_early_draws_no_more_and_cuts_nothing() -> None:
    """aclose() waits for the sends that are under way: every flow that was drawn is sent whole, and no task is left."""
    source, send = Source(), Sends(0.01)
    sending = send_each(send, source, 5)
    await anext(sending)
    await sending.aclose()
    drawn = source.drawn
    assert (send.begun, send.ended, send.cut) == (drawn, drawn, 0)
    assert await _others() == set()
    await asyncio.sleep(0.02)
    assert source.drawn == drawn


async def test_closing_what_never_began_draws_nothing() -> None:
    """An iterator that is closed before its first item has sent nothing."""
    source, send = Source(), Sends()
    await send_each(send, source, 5).aclose()
    assert (source.drawn, send.begun) == (0, 0)


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["results wait", "sends run"])
async def test_a_cancelled_reader_leaves_no_task(pause: float) -> None:
    """Cancelling whoever waits for the next result ends the sends under way, and leaves no task."""
    source, send = Source(), Sends(pause)

    async def read() -> None:
        async for _ in send_each(send, source, 5):
            pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.02)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await _others() == set()
    assert send.begun == send.ended + send.cut
    drawn = source.drawn
    await asyncio.sleep(0.01)
    assert source.drawn == drawn


async def test_a_cancelled_reader_that_was_busy_leaves_no_task() -> None:
    """A reader that is cancelled in its own work leaves an iterator whose closing ends everything."""
    source, send = Source(), Sends()
    sending = send_each(send, source, 3)

    async def read() -> None:
        async for _ in sending:
            await asyncio.sleep(3600)

    reader = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    reader.cancel()
    await asyncio.wait([reader])
    await sending.aclose()
    assert await _others() == set()
    assert send.cut == 0


async def test_closing_early_does_not_wait_for_a_source_that_waits() -> None:
    """A source that has nothing at the moment, a queue for example, does not hold up aclose()."""
    left = asyncio.Event()

    async def source() -> AsyncIterator[StandardFlow]:
        yield FLOW
        try:
            await asyncio.sleep(3600)
        finally:
            left.set()

    sending = send_each(Sends(), source(), 2)
    await anext(sending)
    try:
        async with asyncio.timeout(0.2):
            await sending.aclose()
    finally:
        for task in await _others():
            task.cancel()
        await asyncio.wait(await _others() or {asyncio.create_task(asyncio.sleep(0))})
    assert left.is_set()


async def test_closing_early_waits_without_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the last sends end, the loop rests, also when some of the workers have ended before."""
    pauses = itertools.chain([0.0, 0.1, 0.03], itertools.repeat(0.1))

    async def send(flow: AnyFlow) -> FlowReceipt:
        await asyncio.sleep(next(pauses))
        return FlowReceipt.from_dict({"trackingId": "t"})

    sending = send_each(send, Source(), 2)
    await anext(sending)
    selector: Any = vars(asyncio.get_running_loop())["_selector"]
    select, turns = selector.select, itertools.count()
    monkeypatch.setattr(selector, "select", lambda timeout: (next(turns), select(timeout))[1])
    await sending.aclose()
    assert next(turns) < 50


async def test_an_error_of_the_source_after_an_early_end_is_not_logged_as_lost() -> None:
    """A source that raises when nobody reads any more makes no noise in the event loop's log."""

    def source() -> Iterator[StandardFlow]:
        yield FLOW
        raise KeyError("row 2")

    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context))
    sending = send_each(Sends(), source(), 2)
    await anext(sending)
    await asyncio.sleep(0.01)
    await sending.aclose()
    del sending
    gc.collect()
    await asyncio.sleep(0)
    assert lost == []
