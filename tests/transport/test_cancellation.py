"""Callers who leave: before the first byte nothing is sent, after it the send goes on alone and its outcome is told."""

import asyncio
import sys
from collections import Counter
from typing import Any

import aiohttp
import pytest

from routee_failover import Outcome, RouteeClient
from routee_failover._transport import ApiRequest
from routee_failover._transport.attempt import CancelReason
from routee_failover.events import AttemptEnded, AttemptStarted, RetryScheduled
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
    loop_transport_of,
    never_respond,
    open_transport,
    read_request,
    slots_in_use,
    until_idle,
)


@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_a_caller_may_leave_in_any_moment(warm: bool, request: ApiRequest) -> None:
    """Cancelled in any turn of the loop: observers are told exactly what the server saw, and the turn comes back."""
    handler = PausableHandler()
    async with RawServer(handler) as server:
        for steps in range(1, 61):
            await _left_after(steps, server, handler, request, warm=warm)


async def _left_after(
    steps: int, server: RawServer, handler: PausableHandler, request: ApiRequest, *, warm: bool
) -> None:
    observer = RecordingObserver()
    async with open_transport(server, observers=[observer]) as transport:
        if warm:
            await transport.send_request(GET)
            await until_idle(transport)
        seen_before, told_before = handler.begun, len(observer.of(AttemptEnded))
        running = asyncio.ensure_future(transport.send_request(request))
        for _ in range(steps):
            await asyncio.sleep(0)
        told_in_time = len(observer.of(AttemptEnded))
        left = running.cancel()
        await asyncio.wait([running])
        await until_idle(transport)
        assert running.cancelled() is left
        assert slots_in_use(transport) == 0
    ended = observer.of(AttemptEnded)
    assert len(observer.of(AttemptStarted)) == len(ended)
    assert all(
        event.abandoned is event.result.may_have_been_sent
        for event in ended[told_in_time:]
        if event.path == request.path
    )
    attempts = [event for event in ended[told_before:] if event.path == request.path]
    begun = [event.outcome for event in attempts if event.result.may_have_been_sent]
    assert len(attempts) <= 1
    assert all(event.outcome is Outcome.NOT_SENT for event in attempts if not event.result.may_have_been_sent)
    if not request.safe:
        assert (handler.begun - seen_before, set(begun)) == (len(begun), {Outcome.ACCEPTED} if begun else set())


async def test_waiting_for_a_token_may_be_left() -> None:
    """A caller who leaves while the token is asked for has sent nothing, also once the token is there."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: handler.tokens)
        handler.tokens_resumed.set()
        await transport.send_request(GET)
        assert (handler.begun, handler.tokens, len(handler.seen)) == (1, 1, 1)


async def test_waiting_for_a_turn_may_be_left() -> None:
    """A caller who leaves the line has sent nothing, and holds up nobody behind him."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        leaving = asyncio.create_task(transport.send_request(POST))
        behind = asyncio.create_task(transport.send_request(POST))
        await cancel_when(leaving, condition=lambda: len(loop_transport_of(transport)._limiter._waiters) == 2)
        handler.resumed.set()
        await asyncio.gather(first, behind)
        assert (handler.begun, slots_in_use(transport)) == (2, 0)


async def test_connecting_may_be_left() -> None:
    """A caller who leaves while the connection is made has sent nothing; observers hear so, and the turn comes back."""
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


async def test_the_last_moment_to_leave_is_before_the_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 writes a turn of the loop after the last look: who leaves in between has sent nothing."""
    send, handler, observer = aiohttp.ClientRequest.send, PausableHandler(), RecordingObserver()

    async def left_after(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        response = await send(self, conn)
        if self.url.path == "/failover":
            caller.cancel()
        return response

    monkeypatch.setattr(aiohttp.ClientRequest, "send", left_after)
    async with RawServer(handler) as server, open_transport(server, observers=[observer]) as transport:
        caller = asyncio.ensure_future(transport.send_request(POST))
        await asyncio.wait([caller])
        await until_idle(transport)
        written = sys.version_info >= (3, 12)
        assert (caller.cancelled(), handler.begun) == (True, written)
    event = observer.of(AttemptEnded)[-1]
    assert event.abandoned is written
    assert event.outcome is (Outcome.ACCEPTED if written else Outcome.NOT_SENT)


async def test_what_has_left_goes_on_alone() -> None:
    """A message whose caller leaves keeps its connection and its turn until it is answered, and that is told."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server, open_transport(server, pool_size=1, observers=[observer]) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: handler.seen)
        behind = asyncio.create_task(transport.send_request(POST))
        await until(lambda: loop_transport_of(transport)._limiter._waiters)
        assert (slots_in_use(transport), handler.begun) == (1, 1)
        assert not [event for event in observer.of(AttemptEnded) if event.path == POST.path]
        handler.resumed.set()
        assert (await behind)[0] is Outcome.ACCEPTED
    told = [event for event in observer.of(AttemptEnded) if event.path == POST.path]
    assert [(event.outcome, event.abandoned) for event in told] == [(Outcome.ACCEPTED, True), (Outcome.ACCEPTED, False)]
    assert (handler.begun, server.connections) == (2, 1)


async def test_200_messages_of_callers_who_left_are_all_accounted_for() -> None:
    """200 callers are cancelled after their messages have left: all 200 outcomes are told, as the server saw them."""
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
        told = [event for event in observer.of(AttemptEnded) if event.path == POST.path]
        assert Counter((event.outcome, event.abandoned) for event in told) == {(Outcome.ACCEPTED, True): 200}
        assert slots_in_use(transport) == 0


async def test_a_reading_call_is_ended_with_its_caller() -> None:
    """Nobody needs the answer to a question of a caller who has left: its connection is closed, its turn comes back."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        await cancel_when(transport.send_request(GET), condition=lambda: handler.seen)
        await until_idle(transport)
        assert slots_in_use(transport) == 0
        handler.resumed.set()
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert server.connections >= 2


async def test_what_is_cut_off_takes_no_connection_of_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """A try that is ended in the moment in which its answer is complete leaves the connection to the next in need."""

    async def slowly(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(b"}")

    async with RawServer(slowly) as server, attempt_runner(server.config()) as runner:
        exchange = runner.new_attempt(server.url)
        connector = runner.session.connector
        assert connector is not None
        release = connector._release

        def end_after(*args: Any, **named: Any) -> None:
            release(*args, **named)
            exchange.cancel(CancelReason.CALLER_CANCELLED)

        monkeypatch.setattr(connector, "_release", end_after)
        runner.in_flight.start(exchange)
        assert (await exchange.result).reason == "the caller was cancelled"
        assert (await runner.run(server.url)).response is not None
        assert server.connections == 1


async def test_a_caller_who_leaves_between_two_tries_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that rests before it is tried again is not, once its caller has left."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 0.05)
    observer = RecordingObserver()
    settings: dict[str, Any] = {"api_url": "http://127.0.0.1:1", "observers": [observer]}
    async with RawServer(PausableHandler()) as server, open_transport(server, **settings) as transport:
        await cancel_when(transport.send_request(POST), condition=lambda: observer.of(RetryScheduled))
        await asyncio.sleep(0.1)
        assert slots_in_use(transport) == 0
    assert len([event for event in observer.of(AttemptStarted) if event.path == POST.path]) == 1


async def test_a_timeout_around_a_send_works() -> None:
    """asyncio.timeout and wait_for end the wait with TimeoutError; what has left goes on."""
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
        assert handler.begun == 3


async def test_a_task_group_that_fails_leaves_its_sends_to_end() -> None:
    """The sends of a group that fails end for their callers, and go on where they have begun."""
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
        assert handler.begun == 3


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks start eagerly from Python 3.12 on")
@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
async def test_tasks_may_start_eagerly(request: ApiRequest) -> None:
    """In a loop whose tasks start at once everything is told as well, and in order."""
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    await test_a_caller_may_leave_in_any_moment(warm=False, request=request)
    await test_a_caller_may_leave_in_any_moment(warm=True, request=request)
    observer = RecordingObserver()
    async with RawServer(PausableHandler()) as server, open_transport(server, observers=[observer]) as transport:
        await transport.send_request(request)
        await loop_transport_of(transport)._session.close()
        await transport.send_request(request)
    kinds = [type(event) for event in observer.events if isinstance(event, AttemptStarted | AttemptEnded)]
    assert kinds == [AttemptStarted, AttemptEnded] * (len(kinds) // 2)
