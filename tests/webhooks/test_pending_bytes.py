"""The memory of callbacks that wait together is limited, those that are being received included."""

import asyncio
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import CallbackEvent, CallbackInbox, FlowRecord, InvalidConfig, ReceiveResult

from .payloads import body_of, flow
from .recorders import RecordingHandler, RecordingObserver
from .servers import Serve
from .test_receiver_edges import BOTH, connect, request_head


def size_of(payload: Any) -> int:
    """Return the size that an inbox estimates for a callback."""
    inbox = CallbackInbox(observers=[])
    inbox.receive(payload)
    return inbox.pending_bytes


def numbered(number: int, status: str = "InProgress") -> bytes:
    """Return a callback with a thousand values; those of all flows have the same size."""
    return body_of(flow(status, tracking_id=f"flow-{number}", x=[0] * 1000))


@pytest.fixture(name="size")
def _size() -> int:
    """Return the size of a callback of `numbered`."""
    return size_of(numbered(0))


@pytest.mark.parametrize(
    "payload",
    [body_of(flow(x=[[]] * 5000)), flow(x=[[]] * 5000), body_of(flow(x=[{"a": {}}] * 5000)), body_of(flow(x="w" * 9))],
    ids=["bytes", "mapping", "objects", "small"],
)
def test_estimate_is_not_less_than_the_memory(payload: Any) -> None:
    """The estimate is an upper bound of what the parsed callback takes."""
    inbox = CallbackInbox(observers=[])
    inbox.receive(flow(tracking_id="first"))
    before_estimate = inbox.pending_bytes
    tracemalloc.start()
    try:
        inbox.receive(payload)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    fixed = 10_000  # the event, its times and what is remembered: bounded by `capacity`
    assert taken <= inbox.pending_bytes - before_estimate + fixed


async def test_callbacks_beyond_the_limit_are_unavailable_and_new_later(size: int) -> None:
    """What would exceed the limit is refused, not remembered, and accepted once others are handled."""
    proceed, recorder = asyncio.Event(), RecordingHandler()
    async with CallbackInbox(max_pending_bytes=3 * size, observers=[]) as inbox:

        @inbox.on_flow
        async def slow(event: CallbackEvent[FlowRecord]) -> None:
            await proceed.wait()
            await recorder(event)

        results = [inbox.receive(numbered(number)) for number in range(5)]
        assert results == ["new", "new", "new", "unavailable", "unavailable"]
        assert inbox.receive(numbered(0)) is ReceiveResult.DUPLICATE
        assert inbox.pending_bytes == 3 * size
        await asyncio.sleep(0)
        assert inbox.pending_bytes == 3 * size  # a callback takes memory until it is handled
        proceed.set()
        await recorder.wait_for(3)
        await asyncio.sleep(0)
        assert inbox.pending_bytes == 0
        assert [inbox.receive(numbered(number)) for number in (3, 4)] == ["new", "new"]
        await recorder.wait_for(5)
    assert inbox.pending_bytes == 0


async def test_a_callback_above_the_limit_is_accepted_alone() -> None:
    """A callback that is larger than the limit is accepted when nothing else waits: else it would never be."""
    inbox = CallbackInbox(max_pending_bytes=1, observers=[])
    events = aiter(inbox)
    assert [inbox.receive(numbered(number)) for number in (0, 1)] == ["new", "unavailable"]
    await anext(events)
    assert inbox.pending_bytes == 0
    assert inbox.receive(numbered(1)) is ReceiveResult.NEW
    await anext(events)
    await inbox.aclose()


async def test_final_statuses_that_wait_for_confirmation_count(size: int) -> None:
    """A final status takes memory while it waits for its confirmation, and none after it was dropped."""
    observer, asked = RecordingObserver(), asyncio.Event()

    async def confirm(_record: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    inbox = CallbackInbox(
        confirm=confirm,
        max_pending_bytes=2 * size,
        shutdown_timeout=timedelta(seconds=0.01),
        confirm_timeout=timedelta(hours=1),
        observers=[observer],
    )
    results = [inbox.receive(numbered(number, "Failed")) for number in (0, 0, 1, 2)]
    assert results == ["new", "new", "new", "unavailable"]
    await asked.wait()
    await inbox.aclose()
    assert (inbox.pending_bytes, [lost for _, _, lost in observer.dropped]) == (0, [True, True])


async def test_confirmed_status_counts_until_it_is_handled() -> None:
    """A confirmed final status counts once: first as a confirmation, then as an event."""

    async def confirm(record: Any) -> Any:
        return record

    async with CallbackInbox(confirm=confirm, observers=[]) as inbox:
        handler = RecordingHandler(inbox)
        inbox.receive(numbered(0, "Failed"))
        assert inbox.pending_bytes == size_of(numbered(0, "Failed"))
        await handler.wait_for(1)
    assert inbox.pending_bytes == 0


@BOTH
async def test_bodies_that_are_received_together_are_limited(serve: Serve) -> None:
    """Bodies that are only being received count as well: beyond the limit they get a 503 at once, and one is served."""
    observer = RecordingObserver()
    inbox = CallbackInbox(max_pending_bytes=20_000, observers=[observer])
    half = request_head(30_000) + b" " * 15_000
    async with serve(inbox, None, body_timeout=timedelta(seconds=30)) as url, connect(url) as (first, first_writer):
        first_writer.write(half)
        statuses: list[bytes] = []
        async with asyncio.timeout(30):
            while statuses[-1:] != [b"503"]:  # the first one may not have been read yet
                async with connect(url) as (reader, writer):
                    writer.write(request_head(15_000) + body_of(flow(tracking_id=str(len(statuses)))).ljust(15_000))
                    statuses.append((await reader.readline()).split()[1])
            first_writer.write(body_of(flow(tracking_id="first")).ljust(15_000))
            assert (await first.readline()).split()[1] in {b"200", b"503"}
    assert observer.rejected[0] == 503


@BOTH
async def test_bodies_that_were_received_count_no_more(serve: Serve) -> None:
    """A body that was received, too large, cut off or slow leaves nothing behind in the count."""
    inbox = CallbackInbox(notify=lambda _record: None, max_pending_bytes=6000, observers=[RecordingObserver()])
    async with serve(inbox, None, max_body_size=5000, body_timeout=timedelta(seconds=0.2)) as url:
        for head, body in (
            (request_head(5000), body_of(flow()).ljust(5000)),
            (request_head("Transfer-Encoding: chunked"), b"1388\r\n" + b" " * 5000 + b"\r\n1388\r\n" + b" " * 5000),
            (request_head(5000), b" " * 4000),
        ) * 3:
            async with connect(url) as (reader, writer), asyncio.timeout(10):
                writer.write(head + body)
                assert (await reader.readline()).split()[1] != b"503"


def test_limit_must_be_positive() -> None:
    """A limit that cannot work is refused at once."""
    with pytest.raises(InvalidConfig, match="max_pending_bytes must be a whole number"):
        CallbackInbox(max_pending_bytes=0)
