"""Closing: what waits ends at once, what has left is waited for, what is open then is told truly, and nothing stays."""

import asyncio
import gc
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
    http,
    loop_transport_of,
    never_respond,
    open_transport,
    responding,
    slots_in_use,
    until_idle,
)

LONG = timedelta(hours=1)
MOMENT = timedelta(milliseconds=50)
CLOSED = "the client was closed before a response came"


async def test_answers_that_come_within_the_grace_are_told() -> None:
    """aclose() waits for the answer to what has left, and its caller gets it."""
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


async def test_what_was_left_alone_is_waited_for_as_well() -> None:
    """A message whose caller has left is answered, and told to observers, before aclose() is over."""
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


async def test_after_the_grace_what_has_left_is_unknown() -> None:
    """A send without an answer by then may have been accepted, and its caller is told just that."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        client = RouteeClient(server.config(shutdown_timeout=MOMENT))
        sending = asyncio.create_task(client.send(otp()))
        await until(lambda: handler.seen)
        async with asyncio.timeout(5):
            await client.aclose()
        with pytest.raises(DeliveryUnknown, match="must not be sent again") as caught:
            await sending
        assert (caught.value.reason, handler.begun) == (CLOSED, 1)
    printed = shown(caught.value)
    assert [canary for canary in CANARIES if canary in printed] == []


async def test_a_reading_call_is_ended_at_once() -> None:
    """Nobody waits for the answer to a question when the client is closed; it is not asked again, and told as open."""
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


async def test_who_waits_in_line_is_told_at_once() -> None:
    """Messages that wait for a turn do not wait for the answers to those that have one."""
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
        assert (handler.begun, slots_in_use(transport)) == (1, 0)


async def test_who_waits_for_a_connection_is_told_at_once() -> None:
    """A message that has no connection yet was not sent."""
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
async def test_who_rests_before_another_try_gets_what_is_known(request: ApiRequest) -> None:
    """A call that rests is not tried again once the client is closed: its caller is told what the last try showed."""
    observer = RecordingObserver()
    async with (
        RawServer(responding(http("429 Slower", b"{}", "Retry-After: 20"))) as server,
        open_transport(server, observers=[observer]) as transport,
    ):
        running = asyncio.create_task(transport.send_request(request))
        await until(lambda: observer.of(RetryScheduled))
        await transport.aclose()
        outcome, evidence = await running
        assert outcome is Outcome.REJECTED
        assert evidence.response is not None
        assert (evidence.response.status, evidence.response.retry_after) == (429, 20)


async def test_a_token_request_that_rests_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends the tries for a token as well, and whoever waits for it."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 20.0)
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


@pytest.mark.parametrize("answered", [True, False])
async def test_closing_in_any_moment_of_a_call(answered: bool) -> None:
    """Closed in any turn of the loop: the caller is told what the server saw, not 'cancelled', and nothing is left."""
    handler = PausableHandler(paused=not answered)
    async with RawServer(handler) as server:
        for steps in range(60):
            await _closed_after(steps, server, handler, warm=bool(steps % 2), answered=answered)


def _is_the_servers(task: "asyncio.Task[Any]") -> bool:
    return any(name in repr(task.get_coro()) for name in ("RawServer", "_accept_connection"))


async def _closed_after(steps: int, server: RawServer, handler: PausableHandler, *, warm: bool, answered: bool) -> None:
    observer, before = RecordingObserver(), asyncio.all_tasks()
    transport = Transport(server.config(observers=[observer], shutdown_timeout=LONG if answered else MOMENT / 50))
    if warm:
        handler.resumed.set()
        await transport.send_request(GET)
        await until_idle(transport)
        if not answered:
            handler.resumed.clear()
    seen, told = handler.begun, len(observer.of(AttemptEnded))
    running = asyncio.ensure_future(transport.send_request(POST))
    for _ in range(steps):
        await asyncio.sleep(0)
    await transport.aclose()
    assert [task for task in asyncio.all_tasks() - before - {running} if not _is_the_servers(task)] == []
    attempts = [event for event in observer.of(AttemptEnded)[told:] if event.path == POST.path]
    assert len(observer.of(AttemptStarted)) == len(observer.of(AttemptEnded))
    await asyncio.wait([running], timeout=5)
    assert not running.cancelled()
    if isinstance(running.exception(), ClientClosed):
        assert handler.begun == seen
        assert not any(event.result.may_have_been_sent for event in attempts)
    else:
        outcome, evidence = running.result()
        assert (outcome, evidence.reason) == (attempts[0].outcome, attempts[0].result.reason)
        assert outcome is (Outcome.ACCEPTED if answered or evidence.response else Outcome.UNKNOWN)


async def test_closing_may_be_repeated_and_shared() -> None:
    """Several tasks may close at once, again and again; all of them wait for the answers."""
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


async def test_closing_that_was_cut_short_may_be_taken_up_again() -> None:
    """A timeout around aclose() cuts nothing that has left: another one goes on with it."""
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
        assert loop_transport_of(transport)._session.closed


async def test_closing_one_loop_leaves_the_others_alone() -> None:
    """A client that serves three loops at once is closed in each of them for itself."""
    async with RawServer(PausableHandler()) as server:
        client = RouteeClient(server.config())

        async def elsewhere() -> None:
            await client.send(sms())
            await asyncio.gather(client.aclose(), client.aclose())
            with pytest.raises(ClientClosed):
                await client.send(sms())

        await client.send(sms())
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, elsewhere()) for _ in range(3)))
        await client.send(sms())
        await client.aclose()


async def test_a_client_that_is_let_go_closes_itself() -> None:
    """A client that nobody holds any more closes its connections, at the latest after total_timeout, and silently."""
    async with RawServer(PausableHandler()) as server:
        transport = Transport(server.config(total_timeout=20 * MOMENT))
        await transport.send_request(POST)
        session = loop_transport_of(transport)._session
        del transport
        await until(lambda: (gc.collect(), session.closed)[1])


SEND = "task = asyncio.create_task(client.send(flow))\nawait asyncio.sleep(0.1)"
TURN = "await asyncio.sleep(0)"
HEARD = "task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())"
LEFT: dict[str, tuple[Any, str]] = {
    "an answer is due": (lambda: PausableHandler(paused=True), SEND),
    "an answer to nobody is due": (lambda: PausableHandler(paused=True), f"{SEND}\ntask.cancel()\n{TURN}"),
    "nothing has begun": (PausableHandler, f"task = asyncio.create_task(client.send(flow))\n{TURN}"),
    "a token is due": (lambda: PausableHandler(tokens_paused=True), SEND),
    "a pause": (lambda: responding(http("429 Slower", b"{}", "Retry-After: 20")), SEND),
    "a queue": (
        lambda: PausableHandler(paused=True),
        f"all = [asyncio.create_task(client.send(flow)) for _ in range(150)]\n{SEND}",
    ),
    "a read": (lambda: PausableHandler(paused=True), SEND.replace("send(flow)", "track('x')")),
    "a closing": (
        lambda: PausableHandler(paused=True),
        f"{SEND}\n{HEARD}\nother = asyncio.create_task(client.aclose())\n{TURN}",
    ),
}


@pytest.mark.parametrize(("behave", "main"), LEFT.values(), ids=LEFT)
async def test_a_loop_that_ends_without_closing_leaves_no_word(behave: Any, main: str) -> None:
    """asyncio.run may end whatever is under way: no warning, no lost exception, nothing on stderr."""
    async with RawServer(behave()) as server:
        assert await run_fresh(main, server.url) == ("sent\n", "")


ONCE = "await client.send(flow)"
CONNECTED = {  # a handshake that is cut off has uvloop itself complain of aiohttp
    "never closed": ONCE,
    "closed": f"{ONCE}\nawait client.aclose()",
    "an answer is due": f"{ONCE}\ntask = asyncio.create_task(client.send(flow))\n{TURN}\n{TURN}",
}


@pytest.mark.parametrize("main", CONNECTED.values(), ids=CONNECTED)
@pytest.mark.parametrize("run", ["asyncio.run", "uvloop.run"])
async def test_nor_does_one_with_tls(main: str, run: str, tmp_path: Path) -> None:
    """The same for connections with TLS, which take longer to close, in either loop."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusted = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    prelude = "import uvloop" if run == "uvloop.run" else ""
    async with RawServer(PausableHandler(), context) as server:
        assert await run_fresh(main, server.url, prelude=prelude, run=run, **trusted) == ("sent\n", "")
        assert server.connections == 3
