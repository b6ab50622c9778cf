"""Cancellation: before the first byte nothing is sent; after it the send finishes and observers get its outcome."""

import asyncio
import sys
from collections import Counter
from typing import Any

import pytest

from routee_failover import Outcome, RouteeClient
from routee_failover._transport import ApiRequest, aiohttp_api
from routee_failover._transport.attempt import Attempt, CancelReason
from routee_failover._transport.executor import Executor
from routee_failover.events import AttemptEnded, AttemptStarted, Event, RetryScheduled
from routee_failover.outcomes import AttemptResult
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .raw_server import (
    GET,
    POST,
    PausableHandler,
    RawServer,
    Reader,
    RecordingObserver,
    Writer,
    attempt_runner,
    cancel_when,
    connector_of,
    http,
    loop_transport_of,
    never_respond,
    open_transport,
    read_request,
    responding,
    slots_in_use,
    until_idle,
)

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_cancellation_at_any_step_matches_what_the_server_saw(warm: bool, api_request: ApiRequest) -> None:
    """Cancelled in any loop iteration: observers get exactly what the server saw, and the slot is released."""
    handler = PausableHandler()
    async with RawServer(handler) as server:
        for steps in range(1, 61):
            await _cancel_after(steps, server, handler, api_request, warm=warm)


async def _cancel_after(
    steps: int, server: RawServer, handler: PausableHandler, api_request: ApiRequest, *, warm: bool
) -> None:
    observer = RecordingObserver()
    async with open_transport(server, observers=[observer]) as transport:
        if warm:
            await transport.send_request(GET)
            await until_idle(transport)
        seen_before, events_before = handler.request_count, len(observer.of(AttemptEnded))
        running = asyncio.ensure_future(transport.send_request(api_request))
        for _ in range(steps):
            await asyncio.sleep(0)
        events_at_cancellation = len(observer.of(AttemptEnded))
        cancelled = running.cancel()
        await asyncio.wait([running])
        await until_idle(transport)
        assert running.cancelled() is cancelled
        assert slots_in_use(transport) == 0
    ended = observer.of(AttemptEnded)
    assert len(observer.of(AttemptStarted)) == len(ended)
    assert all(
        event.abandoned is event.result.may_have_been_sent
        for event in ended[events_at_cancellation:]
        if event.path == api_request.path
    )
    attempts = [event for event in ended[events_before:] if event.path == api_request.path]
    sent_outcomes = [event.outcome for event in attempts if event.result.may_have_been_sent]
    assert len(attempts) <= 1
    assert all(event.outcome is Outcome.NOT_SENT for event in attempts if not event.result.may_have_been_sent)
    if not api_request.safe:
        assert (handler.request_count - seen_before, set(sent_outcomes)) == (
            len(sent_outcomes),
            {Outcome.ACCEPTED} if sent_outcomes else set(),
        )


async def test_cancelled_wait_for_a_token_sends_nothing() -> None:
    """A caller that is cancelled during the token request has sent nothing, even after the token has arrived."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: handler.tokens)
        handler.tokens_resumed.set()
        await transport.send_request(GET)
        assert (handler.request_count, handler.tokens, len(handler.seen)) == (1, 1, 1)


async def test_cancelled_wait_for_a_slot_sends_nothing_and_blocks_no_waiter() -> None:
    """A waiter that is cancelled has sent nothing, and does not block the waiters behind it."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        cancelled = asyncio.create_task(transport.send_request(POST))
        behind = asyncio.create_task(transport.send_request(POST))
        await cancel_when(cancelled, condition=lambda: len(loop_transport_of(transport)._limiter._waiters) == 2)
        handler.resumed.set()
        await asyncio.gather(first, behind)
        assert (handler.request_count, slots_in_use(transport)) == (2, 0)


async def test_cancellation_while_connecting_sends_nothing() -> None:
    """A caller that is cancelled while connecting has sent nothing; observers get that, and the slot is released."""
    observer = RecordingObserver()
    async with RawServer(never_respond) as silent, RawServer(PausableHandler()) as auth:
        urls = {"api_url": silent.url.replace("http:", "https:"), "auth_url": auth.url}
        async with open_transport(silent, **urls, observers=[observer]) as transport:
            await cancel_when(transport.send_request(POST), condition=lambda: silent.connections)
            await until_idle(transport)
            assert slots_in_use(transport) == 0
    event = observer.of(AttemptEnded)[-1]
    assert (event.outcome, event.result.may_have_been_sent, event.abandoned) == (Outcome.NOT_SENT, False, False)
    assert event.result.reason == "the caller was cancelled"


async def test_caller_cancelled_right_before_the_first_byte_has_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that is cancelled after there is a connection, and before the last check, has sent nothing."""
    connect, handler, observer = aiohttp_api.connect, PausableHandler(), RecordingObserver()

    async def connect_then_cancel(connector: Any, template: Any, timeout: Any) -> aiohttp_api.Connection:
        connection = await connect(connector, template, timeout)
        if handler.tokens:
            caller.cancel()
        return connection

    monkeypatch.setattr(aiohttp_api, "connect", connect_then_cancel)
    async with RawServer(handler) as server, open_transport(server, observers=[observer]) as transport:
        caller = asyncio.ensure_future(transport.send_request(POST))
        await asyncio.wait([caller])
        await until_idle(transport)
        assert (caller.cancelled(), handler.request_count) == (True, 0)
    event = observer.of(AttemptEnded)[-1]
    assert (event.abandoned, event.outcome) == (False, Outcome.NOT_SENT)


async def test_sent_message_finishes_without_its_cancelled_caller() -> None:
    """A sent message keeps its connection and its slot until the response; observers get the outcome."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server, open_transport(server, pool_size=1, observers=[observer]) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: handler.seen)
        behind = asyncio.create_task(transport.send_request(POST))
        await until(lambda: loop_transport_of(transport)._limiter._waiters)
        assert (slots_in_use(transport), handler.request_count) == (1, 1)
        assert not [event for event in observer.of(AttemptEnded) if event.path == POST.path]
        handler.resumed.set()
        assert (await behind)[0] is Outcome.ACCEPTED
    ended = [event for event in observer.of(AttemptEnded) if event.path == POST.path]
    assert [(event.outcome, event.abandoned) for event in ended] == [
        (Outcome.ACCEPTED, True),
        (Outcome.ACCEPTED, False),
    ]
    assert (handler.request_count, server.connections) == (2, 1)


async def test_200_cancelled_callers_leave_200_reported_outcomes() -> None:
    """200 callers are cancelled after their messages were sent: observers get all 200 outcomes."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        async with open_transport(server, pool_size=200, otp_reserve=0, observers=[observer]) as transport:
            callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(200)]
            await until(lambda: len(handler.seen) == 200)
            for caller in callers:
                caller.cancel()
            await asyncio.wait(callers)
            assert all(caller.cancelled() for caller in callers)
            handler.resumed.set()
        ended = [event for event in observer.of(AttemptEnded) if event.path == POST.path]
        assert Counter((event.outcome, event.abandoned) for event in ended) == {(Outcome.ACCEPTED, True): 200}
        assert slots_in_use(transport) == 0


async def test_reading_call_is_cancelled_with_its_caller() -> None:
    """The response to a reading call is not awaited without its caller: connection and slot are released."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        await cancel_when(transport.send_request(GET), condition=lambda: handler.seen)
        await until_idle(transport)
        assert slots_in_use(transport) == 0
        handler.resumed.set()
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert server.connections >= 2


async def test_attempt_cancelled_at_its_end_leaves_the_connection_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that is cancelled just when its response is complete has it, and leaves the connection in the pool."""

    async def respond_slowly(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"}")

    async with RawServer(respond_slowly) as server, attempt_runner(server.config()) as runner:
        attempt = runner.new_attempt(server.url)
        assert isinstance(runner.executor, Executor)
        connector = runner.executor.connector
        release = connector._release

        def release_then_cancel(*args: Any, **named: Any) -> None:
            release(*args, **named)
            attempt.cancel(CancelReason.CALLER_CANCELLED)

        monkeypatch.setattr(connector, "_release", release_then_cancel)
        runner.in_flight.start(attempt)
        assert (await attempt.result).response is not None
        assert (await runner.run(server.url)).response is not None
        assert server.connections == 1


async def test_cancellation_during_the_backoff_prevents_the_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is waiting for its retry is not retried once its caller is cancelled."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.05)
    observer = RecordingObserver()
    settings: dict[str, Any] = {"api_url": "http://127.0.0.1:1", "observers": [observer]}
    async with RawServer(PausableHandler()) as server, open_transport(server, **settings) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: observer.of(RetryScheduled))
        await asyncio.sleep(0.1)
        assert slots_in_use(transport) == 0
    assert len([event for event in observer.of(AttemptStarted) if event.path == POST.path]) == 1


async def test_timeout_around_a_send_raises_and_the_sent_message_finishes() -> None:
    """asyncio.timeout and wait_for raise TimeoutError; a message that was sent still finishes."""
    handler, observer = PausableHandler(), RecordingObserver()
    async with RawServer(handler) as server, RouteeClient(server.config(observers=[observer])) as client:
        await client.send(sms())
        handler.resumed.clear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send(sms()), 0.5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.send(sms())
        await until(lambda: len(handler.seen) == 3)
        handler.resumed.set()
        await until(lambda: sum(event.abandoned for event in observer.of(AttemptEnded)) == 2)
        assert handler.request_count == 3


async def test_sends_of_a_failed_task_group_finish() -> None:
    """The callers in a failed task group are cancelled; sends that have begun finish."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server, RouteeClient(server.config(observers=[observer])) as client:

        async def fail() -> None:
            await until(lambda: len(handler.seen) == 3)
            raise KeyError("the rest of the program")

        async def run() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(client.send(sms()))
                group.create_task(fail())

        with pytest.raises(ExceptionGroup) as caught:
            await run()
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        handler.resumed.set()
        await until(lambda: sum(event.abandoned for event in observer.of(AttemptEnded)) == 3)
        assert handler.request_count == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from Python 3.12 on")
@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
async def test_eager_tasks_emit_all_events_in_order(api_request: ApiRequest) -> None:
    """With an eager task factory observers get every event as well, in the same order."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    await test_cancellation_at_any_step_matches_what_the_server_saw(warm=False, api_request=api_request)
    await test_cancellation_at_any_step_matches_what_the_server_saw(warm=True, api_request=api_request)
    observer = RecordingObserver()
    async with RawServer(PausableHandler()) as server, open_transport(server, observers=[observer]) as transport:
        await transport.send_request(api_request)
        await connector_of(transport).close()
        await transport.send_request(api_request)
    kinds = [type(event) for event in observer.events if isinstance(event, AttemptStarted | AttemptEnded)]
    assert kinds == [AttemptStarted, AttemptEnded] * (len(kinds) // 2)


async def test_cancellation_before_an_immediate_retry_sends_nothing() -> None:
    """A task that cancels itself when a retry without delay is announced sends nothing more."""

    class CancellingObserver(RecordingObserver):
        def observe(self, event: Event) -> None:
            super().observe(event)
            if isinstance(event, RetryScheduled):
                running.cancel()

    observer, seen = CancellingObserver(), list[bytes]()
    async with (
        RawServer(responding(ACCEPTED, seen=seen)) as server,
        open_transport(server, observers=[observer]) as transport,
    ):
        await transport.send_request(GET)
        in_flight, stale = loop_transport_of(transport)._in_flight, iter([True])
        execute = in_flight._execute

        async def meet_a_stale_connection(attempt: Attempt) -> AttemptResult:
            return (
                AttemptResult(may_have_been_sent=False, reason="x", stale_connection=True)
                if next(stale, False)
                else await execute(attempt)
            )

        in_flight._execute = meet_a_stale_connection
        running = asyncio.create_task(transport.send_request(POST))
        with pytest.raises(asyncio.CancelledError):
            await running
        assert [event.delay for event in observer.of(RetryScheduled)] == [0.0]
        await until_idle(transport)
    assert [request[:4] for request in seen] == [b"GET "]
