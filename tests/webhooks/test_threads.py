"""Callbacks from other threads and event loops: taken by the inbox's loop, or refused before anything is remembered."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import aiohttp
import pytest
from fastapi import FastAPI, Request

from routee_failover import CallbackEvent, CallbackInbox, CallbackSigner, FlowRecord, InvalidCallback, InvalidConfig
from routee_failover.webhooks import owner_loop

from .payloads import NEW, body_of, flow
from .recorders import RecordingHandler, RecordingObserver
from .servers import MOUNT_PATH, Serve, serve_with_uvicorn
from .test_receiver_edges import BOTH


@contextmanager
def loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def run_in(loop: asyncio.AbstractEventLoop, coroutine: Any) -> Any:
    """Run a coroutine in a loop of another thread, and return its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)


async def test_callbacks_of_many_threads_are_each_handled_once() -> None:
    """Each callback that threads receive at the same time is handled once, in the loop of the inbox."""
    threads = set[int]()
    async with CallbackInbox(observers=[]) as inbox:
        handler = RecordingHandler(inbox)

        @inbox.on_flow
        async def where(_event: CallbackEvent[FlowRecord]) -> None:
            threads.add(threading.get_ident())

        def receive(number: int) -> str:
            return inbox.receive(body_of(flow(tracking_id=str(number % 100))), reference="r")

        with ThreadPoolExecutor(8) as pool:
            results = await asyncio.gather(
                *(asyncio.get_running_loop().run_in_executor(pool, receive, number) for number in range(300))
            )
        await handler.wait_for(100)
    assert (results.count("new"), results.count("duplicate"), len(handler.events)) == (100, 200, 100)
    assert {event.reference for event in handler.events} == {"r"}
    assert threads == {threading.get_ident()}


async def test_invalid_body_raises_in_the_thread() -> None:
    """A body that is not a callback raises where it was received."""
    async with CallbackInbox(observers=[]) as inbox:
        with pytest.raises(InvalidCallback):
            await asyncio.to_thread(inbox.receive, b"{")


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *_args: Any) -> None:  # noqa: A002  # its name there
        """Log nothing."""


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


async def test_wsgi_program_receives_callbacks_in_its_threads() -> None:
    """A threaded WSGI server passes callbacks on, and an inbox that was closed makes them come again."""
    async with CallbackInbox(observers=[]) as inbox:
        handler = RecordingHandler(inbox)

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            result = inbox.receive(body)
            start_response("503 Service Unavailable" if result == "unavailable" else "200 OK", [])
            return [result.encode()]

        server = make_server("127.0.0.1", 0, app, _ThreadingServer, _QuietHandler)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            async with aiohttp.ClientSession() as session:

                async def post(number: int) -> str:
                    url = f"http://127.0.0.1:{server.server_port}"
                    async with session.post(url, data=body_of(flow(tracking_id=str(number)))) as response:
                        return f"{response.status} {await response.text()}"

                assert set(await asyncio.gather(*map(post, range(20)))) == {"200 new"}
                assert set(await asyncio.gather(*map(post, range(20)))) == {"200 duplicate"}
                await handler.wait_for(20)
                await inbox.aclose()
                assert await post(99) == "503 unavailable"
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
            serving.join()
    assert len(handler.events) == 20


async def test_def_endpoint_of_fastapi_receives_callbacks() -> None:
    """A `def` endpoint, which FastAPI runs in a thread, can pass on a callback."""
    async with CallbackInbox(observers=[]) as inbox:
        handler, app = RecordingHandler(inbox), FastAPI()

        async def read(request: Request) -> bytes:
            return await request.body()

        from fastapi import Depends

        @app.post("/callbacks")
        def receive(body: bytes = Depends(read)) -> str:  # as FastAPI has it
            return inbox.receive(body)

        async with serve_with_uvicorn(app) as url, aiohttp.ClientSession() as session:
            for expected in ("new", "duplicate"):
                async with session.post(f"{url}/callbacks", data=body_of(NEW)) as response:
                    assert await response.json() == expected
            await handler.wait_for(1)


def test_thread_without_an_open_inbox_is_refused_and_nothing_is_remembered() -> None:
    """Before the inbox was opened in a loop, a thread gets an error that says what to do, and no callback is lost."""
    inbox = CallbackInbox(observers=[])
    handler = RecordingHandler()
    inbox.on_flow(handler)
    for _ in range(20):
        with pytest.raises(InvalidConfig, match="async with inbox"):
            inbox.receive(NEW)
    assert inbox.pending == 0

    async def serve() -> None:
        async with inbox:
            assert await asyncio.to_thread(inbox.receive, NEW) == "new"
            await handler.wait_for(1)

    asyncio.run(serve())


def test_final_status_to_confirm_needs_a_loop() -> None:
    """A confirmation runs in a loop: without one it is refused, and is new later."""

    async def confirm(record: Any) -> Any:
        return record

    inbox = CallbackInbox(confirm=confirm, observers=[])
    with pytest.raises(InvalidConfig, match="async with inbox"):
        inbox.receive(NEW)

    async def serve() -> None:
        async with inbox:
            handler = RecordingHandler(inbox)
            assert inbox.receive(NEW) == "new"
            await handler.wait_for(1)

    asyncio.run(serve())


def test_notify_alone_needs_no_loop() -> None:
    """With `notify` alone nothing has to run in a loop: any thread may receive, and each callback is notified once."""
    notified: list[Any] = []
    inbox = CallbackInbox(notify=notified.append, observers=[])

    def receive(number: int) -> str:
        return inbox.receive(flow(tracking_id=str(number % 50)))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(receive, range(400)))
    assert (results.count("new"), len(notified)) == (50, 50)


def test_loop_that_was_closed_without_closing_the_inbox_makes_callbacks_unavailable() -> None:
    """After the loop has ended, a thread's callback is refused and not remembered; the next loop takes it."""
    inbox = CallbackInbox(observers=[])
    handler = RecordingHandler()
    inbox.on_flow(handler)

    async def open_only() -> None:
        await inbox.__aenter__()

    async def reopen() -> None:
        assert inbox.receive(NEW) == "new"
        await handler.wait_for(1)
        await inbox.aclose()

    asyncio.run(open_only())
    assert inbox.receive(NEW) == "unavailable"
    asyncio.run(reopen())


def test_loop_that_is_closed_in_mid_handling_frees_the_inbox() -> None:
    """What a loop that was closed leaves behind is reported as lost, and the next loop handles callbacks again."""
    observer, recorder = RecordingObserver(), RecordingHandler()
    inbox = CallbackInbox(concurrency=2, observers=[observer])
    hang = True

    @inbox.on_flow
    async def handle(event: CallbackEvent[FlowRecord]) -> None:
        if hang:
            await asyncio.get_running_loop().create_future()
        await recorder(event)

    async def fill() -> None:
        for number in range(3):
            inbox.receive(flow(tracking_id=str(number)))
        for _ in range(3):
            await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(fill())
    tasks = list(asyncio.all_tasks(loop))
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    hang = False

    async def go_on() -> None:
        assert inbox.receive(flow("Failed", 5, tracking_id="0")) == "new"
        await recorder.wait_for(2)
        await inbox.aclose()

    asyncio.run(go_on())
    assert sorted(str(event.tracking_id) for event in recorder.events) == ["0", "2"]
    assert sorted(str(tracking_id) for tracking_id, _, lost in observer.dropped if lost) == ["0", "1"]
    assert (inbox.pending, inbox.pending_bytes) == (0, 0)
    for task in tasks:
        task.get_coro().close()


async def test_handlers_that_were_cancelled_before_they_began_free_the_inbox() -> None:
    """A task that is cancelled before its first step never runs: its callback is reported, and its slot is free."""
    observer = RecordingObserver()
    inbox = CallbackInbox(concurrency=1, observers=[observer])
    handler = RecordingHandler(inbox)
    before = asyncio.all_tasks()
    inbox.receive(flow(tracking_id="cancelled"))
    (task,) = asyncio.all_tasks() - before
    task.cancel()
    await asyncio.wait([task])
    for name in ("next", "last"):
        inbox.receive(flow(tracking_id=name))
    await handler.wait_for(2)
    await inbox.aclose()
    assert [event.tracking_id for event in handler.events] == ["next", "last"]
    assert [tracking_id for tracking_id, _, lost in observer.dropped if lost] == ["cancelled"]
    assert inbox.pending_bytes == 0


async def test_second_loop_receives_without_blocking_and_may_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second loop hands callbacks over while it runs; one that is cancelled before it was taken is not remembered."""
    monkeypatch.setattr(owner_loop, "HAND_OVER_SECONDS", 30.0)
    async with CallbackInbox(observers=[]) as inbox:
        handler = RecordingHandler(inbox)
        with loop_in_a_thread() as other:

            async def cancelled() -> str:
                task = asyncio.ensure_future(inbox.areceive(NEW))
                await asyncio.sleep(0)
                assert not task.done()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                return "cancelled"

            # This blocks the inbox's loop, so that nothing that is handed over can run yet.
            assert asyncio.run_coroutine_threadsafe(cancelled(), other).result(30) == "cancelled"
            for _ in range(3):
                await asyncio.sleep(0)
            assert inbox.pending == len(handler.events) == 0
            assert await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(inbox.areceive(NEW), other)) == "new"
            await handler.wait_for(1)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["receive", "areceive"])
async def test_busy_loop_makes_callbacks_unavailable(asynchronous: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the inbox's loop is too busy, a callback is refused in time for a response, and not taken later either."""
    monkeypatch.setattr(owner_loop, "HAND_OVER_SECONDS", 0.05)
    async with CallbackInbox(observers=[]) as inbox:
        handler = RecordingHandler(inbox)

        def receive() -> str:
            return asyncio.run(inbox.areceive(NEW)) if asynchronous else inbox.receive(NEW)

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(receive).result(30) == "unavailable"  # blocks the loop meanwhile
        for _ in range(3):
            await asyncio.sleep(0)
        assert inbox.pending == len(handler.events) == 0
        assert inbox.receive(NEW) == "new"
        await handler.wait_for(1)


@BOTH
async def test_receiver_in_a_second_loop_leaves_the_inbox_to_its_own(serve: Serve) -> None:
    """A server in another loop than the inbox passes callbacks on, and does not close the inbox when it stops."""
    async with CallbackInbox(observers=[]) as inbox:
        handler = RecordingHandler(inbox)
        with loop_in_a_thread() as other:

            async def serve_and_post() -> list[int]:
                statuses = []
                async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
                    for number in range(5):
                        body = body_of(flow(tracking_id=str(number)))
                        async with session.post(f"{url}{MOUNT_PATH}", data=body) as response:
                            statuses.append(response.status)
                return statuses

            posting = asyncio.run_coroutine_threadsafe(serve_and_post(), other)
            assert await asyncio.wrap_future(posting) == [200] * 5
        await handler.wait_for(5)
        assert inbox.receive(flow(tracking_id="later")) == "new"
        await handler.wait_for(6)


async def test_second_loop_can_neither_open_nor_iterate() -> None:
    """An inbox that is open in one loop can be neither opened nor iterated over in another; it can be closed there."""
    async with CallbackInbox(observers=[]) as inbox:
        with loop_in_a_thread() as other:
            for use in (inbox.__aenter__, inbox.__anext__):
                with pytest.raises(InvalidConfig, match="another event loop"):
                    await asyncio.to_thread(run_in, other, use())
            await asyncio.to_thread(run_in, other, inbox.aclose())
        assert inbox.receive(NEW) == "unavailable"


def test_closed_inbox_is_reopened_in_another_loop_while_the_first_runs() -> None:
    """An inbox that was closed may be opened in another loop, and a callback for the first loop is not taken there."""
    inbox, recorder = CallbackInbox(observers=[], shutdown_timeout=timedelta(seconds=0.05)), RecordingHandler()
    inbox.on_flow(recorder)
    with loop_in_a_thread() as first:
        run_in(first, inbox.__aenter__())
        run_in(first, inbox.aclose())

        async def reopen() -> None:
            async with inbox:
                assert await asyncio.to_thread(inbox.receive, NEW) == "new"
                await recorder.wait_for(1)

        asyncio.run(reopen())
    assert inbox.receive(flow(tracking_id="late")) == "unavailable"


def test_signed_reference_survives_the_hand_over() -> None:
    """A callback from a thread has the reference that its receiver verified."""
    signer = CallbackSigner("k" * 40, base_url="https://login.example.com/routee")
    segment = signer.url("order 4711").rpartition("/")[2]

    async def serve() -> str | None:
        async with CallbackInbox(observers=[]) as inbox:
            aiter(inbox)
            await asyncio.to_thread(inbox.receive, NEW, reference=signer.verify(segment))
            return (await anext(inbox)).reference

    assert asyncio.run(serve()) == "order 4711"
