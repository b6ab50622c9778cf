"""Closing: waiting requests end at once, sent ones get shutdown_timeout, the rest is UNKNOWN, and nothing is left."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from routee_failover import ClientClosed, DeliveryUnknown, NoResponse, Outcome, RouteeClient
from routee_failover._transport import ApiRequest, Transport
from routee_failover.events import AttemptEnded, AttemptStarted, RetryScheduled
from tests.client.fake_routee import until
from tests.client.rendered_errors import shown
from tests.client.sample_flows import CANARIES, otp, sms
from tests.client.subprocess_program import run_fresh

from .raw_server import (
    ACCEPTED,
    GET,
    POST,
    PausableHandler,
    RawServer,
    RecordingObserver,
    cancel_when,
    connector_of,
    http,
    loop_transport_of,
    never_respond,
    open_transport,
    responding,
    slots_in_use,
    until_idle,
)

LONG = timedelta(hours=1)
SHORT = timedelta(milliseconds=50)
CLOSED = "the client was closed before a response came"


async def test_response_within_shutdown_timeout_reaches_the_caller() -> None:
    """aclose() waits for the response to a sent message, and the caller gets it."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, shutdown_timeout=LONG) as transport:
        request = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        closing = asyncio.create_task(transport.aclose())
        await asyncio.sleep(0.01)
        assert not closing.done()
        handler.resumed.set()
        await closing
        assert (await request)[0] is Outcome.ACCEPTED


async def test_closing_waits_for_sends_of_cancelled_callers() -> None:
    """A message whose caller was cancelled gets its response, and observers its outcome, before aclose() returns."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with (
        RawServer(handler) as server,
        open_transport(server, shutdown_timeout=LONG, observers=[observer]) as transport,
    ):
        await cancel_when(transport.send_request(POST), condition=lambda: handler.seen)
        asyncio.get_running_loop().call_later(0.02, handler.resumed.set)
        await transport.aclose()
        event = observer.of(AttemptEnded)[-1]
        assert (event.outcome, event.abandoned) == (Outcome.ACCEPTED, True)


async def test_send_without_a_response_within_shutdown_timeout_is_unknown() -> None:
    """A send without a response by then may have been accepted, and its caller gets DeliveryUnknown."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        client = RouteeClient(server.config(shutdown_timeout=SHORT))
        sending = asyncio.create_task(client.send(otp()))
        await until(lambda: handler.seen)
        async with asyncio.timeout(5):
            await client.aclose()
        with pytest.raises(DeliveryUnknown, match="must not be sent again") as caught:
            await sending
        assert (caught.value.reason, handler.request_count) == (CLOSED, 1)
    printed = shown(caught.value)
    assert [canary for canary in CANARIES if canary in printed] == []


async def test_closing_cancels_a_reading_call_at_once() -> None:
    """The response to a reading call is not awaited on closing; it is not repeated, and raises NoResponse."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with RawServer(handler) as server:
        client = RouteeClient(server.config(shutdown_timeout=LONG, observers=[observer]))
        tracking = asyncio.create_task(client.track("an-id"))
        await until(lambda: handler.seen)
        async with asyncio.timeout(5):
            await client.aclose()
        with pytest.raises(NoResponse) as caught:
            await tracking
        assert (caught.value.reason, len(handler.seen)) == (CLOSED, 1)
    assert observer.of(RetryScheduled) == []


async def test_closing_rejects_messages_that_wait_for_a_slot_at_once() -> None:
    """Messages that wait for a slot do not wait for the responses to those in flight."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1, shutdown_timeout=LONG) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        waiting = [asyncio.create_task(transport.send_request(POST)) for _ in range(3)]
        await until(lambda: len(loop_transport_of(transport)._limiter._waiters) == 3)
        closing = asyncio.create_task(transport.aclose())
        await asyncio.wait(waiting, timeout=5)
        for request in waiting:
            with pytest.raises(ClientClosed):
                await request
        assert not closing.done()
        handler.resumed.set()
        assert (await first)[0] is Outcome.ACCEPTED
        await closing
        assert (handler.request_count, slots_in_use(transport)) == (1, 0)


async def test_closing_cancels_a_message_without_a_connection_at_once() -> None:
    """A message that has no connection yet raises ClientClosed: nothing was sent."""
    async with RawServer(never_respond) as silent, RawServer(PausableHandler()) as auth:
        urls = {"api_url": silent.url.replace("http:", "https:"), "auth_url": auth.url}
        async with open_transport(silent, **urls, shutdown_timeout=LONG, connect_timeout=LONG) as transport:
            request = asyncio.create_task(transport.send_request(POST))
            await until(lambda: silent.connections)
            async with asyncio.timeout(5):
                await transport.aclose()
            with pytest.raises(ClientClosed, match="nothing was sent"):
                await request


@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
async def test_closing_during_the_backoff_returns_the_last_result(api_request: ApiRequest) -> None:
    """A request that waits for its retry is not retried once the client closes: its caller gets the last result."""
    observer = RecordingObserver()
    async with (
        RawServer(responding(http("429 Slower", b"{}", "Retry-After: 20"))) as server,
        open_transport(server, observers=[observer]) as transport,
    ):
        running = asyncio.create_task(transport.send_request(api_request))
        await until(lambda: observer.of(RetryScheduled))
        await transport.aclose()
        outcome, result, _ = await running
        assert outcome is Outcome.REJECTED
        assert result.response is not None
        assert (result.response.status, result.response.retry_after) == (429, 20)


async def test_closing_stops_the_retries_of_a_token_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends the retries of a token request as well; its waiters get ClientClosed."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 20.0)
    observer = RecordingObserver()
    settings: dict[str, Any] = {"auth_url": "http://127.0.0.1:1", "observers": [observer]}
    async with RawServer(responding(ACCEPTED)) as server, open_transport(server, **settings) as transport:
        requests = [asyncio.create_task(transport.send_request(POST)) for _ in range(3)]
        await until(lambda: observer.of(AttemptEnded))
        await asyncio.sleep(0.01)
        await transport.aclose()
        for request in requests:
            with pytest.raises(ClientClosed):
                await request
    assert len(observer.of(AttemptStarted)) == 1


@pytest.mark.parametrize("responds", [True, False])
async def test_closing_at_any_step_matches_what_the_server_saw(responds: bool) -> None:
    """Closed in any loop iteration: the caller gets what the server saw, never CancelledError, and nothing is left."""
    handler = PausableHandler(paused=not responds)
    async with RawServer(handler) as server:
        for steps in range(60):
            await _close_after(steps, server, handler, warm=bool(steps % 2), responds=responds)


def _is_server_task(task: "asyncio.Task[Any]") -> bool:
    return any(name in repr(task.get_coro()) for name in ("RawServer", "_accept_connection"))


async def _close_after(steps: int, server: RawServer, handler: PausableHandler, *, warm: bool, responds: bool) -> None:
    observer, before = RecordingObserver(), asyncio.all_tasks()
    transport = Transport(server.config(observers=[observer], shutdown_timeout=LONG if responds else SHORT / 50))
    if warm:
        handler.resumed.set()
        await transport.send_request(GET)
        await until_idle(transport)
        if not responds:
            handler.resumed.clear()
    seen_before, events_before = handler.request_count, len(observer.of(AttemptEnded))
    running = asyncio.ensure_future(transport.send_request(POST))
    for _ in range(steps):
        await asyncio.sleep(0)
    await transport.aclose()
    assert [task for task in asyncio.all_tasks() - before - {running} if not _is_server_task(task)] == []
    attempts = [event for event in observer.of(AttemptEnded)[events_before:] if event.path == POST.path]
    assert len(observer.of(AttemptStarted)) == len(observer.of(AttemptEnded))
    await asyncio.wait([running], timeout=5)
    assert not running.cancelled()
    if isinstance(running.exception(), ClientClosed):
        assert handler.request_count == seen_before
        assert not any(event.result.may_have_been_sent for event in attempts)
    else:
        outcome, result, _ = running.result()
        assert (outcome, result.reason) == (attempts[0].outcome, attempts[0].result.reason)
        assert outcome is (Outcome.ACCEPTED if responds or result.response else Outcome.UNKNOWN)


async def test_concurrent_and_repeated_closing_waits_for_responses() -> None:
    """Several tasks may close at the same time, repeatedly; all of them wait for the responses."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, shutdown_timeout=LONG) as transport:
        request = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        closings = [asyncio.create_task(transport.aclose()) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not any(closing.done() for closing in closings)
        handler.resumed.set()
        await asyncio.gather(*closings)
        await transport.aclose()
        assert (await request)[0] is Outcome.ACCEPTED


async def test_interrupted_closing_can_be_resumed() -> None:
    """A timeout around aclose() does not cancel sent messages: another aclose() resumes the wait."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, shutdown_timeout=LONG) as transport:
        request = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await transport.aclose()
        with pytest.raises(ClientClosed):
            await transport.send_request(POST)
        handler.resumed.set()
        await transport.aclose()
        assert (await request)[0] is Outcome.ACCEPTED
        assert connector_of(transport).closed


async def test_send_that_begins_after_closing_raises_client_closed() -> None:
    """A send that was called before aclose(), and is awaited after it, opens no connection, not for a token either."""
    async with RawServer(PausableHandler()) as server, open_transport(server) as transport:
        sending = transport.send_request(POST)
        await transport.aclose()
        with pytest.raises(ClientClosed, match="nothing was sent"):
            await sending
        assert server.connections == 0


async def test_closing_in_one_event_loop_does_not_affect_others() -> None:
    """A client that is used in several loops at once is closed in each of them separately."""
    async with RawServer(PausableHandler()) as server:
        client = RouteeClient(server.config())

        async def use_in_another_loop() -> None:
            await client.send(sms())
            await asyncio.gather(client.aclose(), client.aclose())
            with pytest.raises(ClientClosed):
                await client.send(sms())

        await client.send(sms())
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, use_in_another_loop()) for _ in range(3)))
        await client.send(sms())
        await client.aclose()


SEND = "task = asyncio.create_task(client.send(flow))\nawait asyncio.sleep(0.1)"
ITERATION = "await asyncio.sleep(0)"
RETRIEVE = "task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())"
PROGRAMS: dict[str, tuple[Any, str]] = {
    "pending response": (lambda: PausableHandler(paused=True), SEND),
    "pending response, cancelled caller": (lambda: PausableHandler(paused=True), f"{SEND}\ntask.cancel()\n{ITERATION}"),
    "nothing started": (PausableHandler, f"task = asyncio.create_task(client.send(flow))\n{ITERATION}"),
    "pending token": (lambda: PausableHandler(tokens_paused=True), SEND),
    "throttle pause": (lambda: responding(http("429 Slower", b"{}", "Retry-After: 20")), SEND),
    "queue": (
        lambda: PausableHandler(paused=True),
        f"all = [asyncio.create_task(client.send(flow)) for _ in range(150)]\n{SEND}",
    ),
    "reading call": (lambda: PausableHandler(paused=True), SEND.replace("send(flow)", "track('x')")),
    "closing": (
        lambda: PausableHandler(paused=True),
        f"{SEND}\n{RETRIEVE}\nother = asyncio.create_task(client.aclose())\n{ITERATION}",
    ),
}


@pytest.mark.parametrize(("make_handler", "main"), PROGRAMS.values(), ids=PROGRAMS)
async def test_loop_shutdown_without_closing_prints_nothing(make_handler: Any, main: str) -> None:
    """asyncio.run may end in any state: no warning, no unretrieved exception, nothing on stderr."""
    async with RawServer(make_handler()) as server:
        assert await run_fresh(main, server.url) == ("sent\n", "")


ONCE = "await client.send(flow)"
CONNECTED = {  # after an interrupted handshake uvloop itself warns about aiohttp
    "never closed": ONCE,
    "closed": f"{ONCE}\nawait client.aclose()",
    "pending response": f"{ONCE}\ntask = asyncio.create_task(client.send(flow))\n{ITERATION}\n{ITERATION}",
}


@pytest.mark.parametrize("main", CONNECTED.values(), ids=CONNECTED)
@pytest.mark.parametrize("run", ["asyncio.run", "uvloop.run"])
async def test_loop_shutdown_with_tls_connections_prints_nothing(main: str, run: str, tmp_path: Path) -> None:
    """The same for TLS connections, which take longer to close, in both event loops."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusted = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    prelude = "import uvloop" if run == "uvloop.run" else ""
    async with RawServer(PausableHandler(), context) as server:
        assert await run_fresh(main, server.url, prelude=prelude, run=run, **trusted) == ("sent\n", "")
        assert server.connections == 3
