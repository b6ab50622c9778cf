"""A session of one's own cannot send a message twice: middlewares that try again, and what they may do instead."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from routee_failover import Outcome, RouteeClient
from routee_failover._transport import attempt as attempt_module
from routee_failover.outcomes import outcome_of
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import (
    BODY,
    KEY,
    PIN,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    AttemptRunner,
    Handler,
    RawServer,
    Reader,
    Writer,
    attempt_runner,
    http,
    read_request,
    reset,
    responding,
)
from .test_resolver import Book

Middleware: TypeAlias = Callable[[ClientRequest, ClientHandlerType], Awaitable[ClientResponse]]


def _with(*middlewares: Middleware) -> Callable[..., aiohttp.ClientSession]:
    return functools.partial(aiohttp.ClientSession, middlewares=middlewares)


@asynccontextmanager
async def _served(behave: Handler, factory: Any, **settings: Any) -> AsyncIterator[tuple[RawServer, AttemptRunner]]:
    """A server and a pool whose session comes from a factory."""
    async with (
        RawServer(behave) as server,
        attempt_runner(server.config(session_factory=factory, **settings)) as runner,
    ):
        yield server, runner


def _breaking(seen: list[bytes], how: Callable[[Writer], None] = Writer.close) -> Handler:
    """Read each message whole and break the connection instead of answering."""

    async def behave(reader: Reader, writer: Writer) -> None:
        if request := await read_request(reader):
            seen.append(request)
            how(writer)

    return behave


async def _again(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Try again after any failure."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await handler(req)


async def _once_more(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send twice, whatever came of the first."""
    with suppress(aiohttp.ClientError):
        (await handler(req)).close()
    return await handler(req)


async def _side_by_side(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send twice at once, and take the first answer."""
    return (await asyncio.gather(handler(req), handler(req)))[0]


async def _by_the_session(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Try again by another request of the same session."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await req.session.post(req.url, data=BODY, middlewares=())


async def _by_a_request_of_its_own(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Try again by a request made by hand."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await handler(ClientRequest(req.method, req.url, data=BODY, loop=req.loop, session=req.session))


DOUBLING = [_again, _once_more, _side_by_side, _by_the_session, _by_a_request_of_its_own]


@pytest.mark.parametrize("how", [Writer.close, reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("middleware", DOUBLING)
@on_every_loop
async def test_a_middleware_that_sends_twice_is_refused(middleware: Middleware, how: Callable[[Writer], None]) -> None:
    """A message that has begun to leave is not sent again, whichever way a middleware tries: UNKNOWN, and seen once."""
    seen: list[bytes] = []
    async with _served(_breaking(seen, how), _with(middleware)) as (server, runner):
        evidence = await runner.run(server.url)
        await until(lambda: seen)
    assert (outcome_of(evidence), len(seen)) == (Outcome.UNKNOWN, 1)
    assert not any(text in repr(evidence) for text in (PIN, KEY))


@pytest.mark.parametrize("status", ["200 OK", "502 Bad Gateway"])
@on_every_loop
async def test_an_answer_that_a_middleware_drops_proves_nothing(status: str) -> None:
    """A middleware that asks again in spite of an answer loses it: the first may have been accepted."""
    seen: list[bytes] = []
    async with _served(responding(http(status), seen=seen), _with(_once_more)) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), len(seen)) == (Outcome.UNKNOWN, 1)
    assert evidence.reason == "a middleware of session_factory tried to send the message twice"
    assert not evidence.permanent


@on_every_loop
async def test_a_session_class_that_tries_again_is_refused() -> None:
    """A class derived from aiohttp's session may make a second request for the message; it does not leave."""

    async def twice(self: aiohttp.ClientSession, *args: Any, **named: Any) -> ClientResponse:
        try:
            return await aiohttp.ClientSession._request(self, *args, **named)
        except aiohttp.ClientError:
            return await aiohttp.ClientSession._request(self, *args, **named)

    with pytest.warns(DeprecationWarning, match="Inheritance"):
        session_class = type("TwiceSession", (aiohttp.ClientSession,), {"_request": twice})
    seen: list[bytes] = []
    async with _served(_breaking(seen), session_class) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), len(seen)) == (Outcome.UNKNOWN, 1)


@on_every_loop
async def test_a_question_may_be_asked_again() -> None:
    """A GET changes nothing: a middleware may ask as often as it wants to, and aiohttp does of itself."""
    seen: list[bytes] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        seen.append(await read_request(reader))
        if len(seen) > 2:
            writer.write(http())

    async with _served(behave, _with(_again)) as (server, runner):
        evidence = await runner.run(server.url, method="GET")
    assert (outcome_of(evidence), len(seen)) == (Outcome.ACCEPTED, 3)


@on_every_loop
async def test_a_middleware_may_try_again_while_nothing_has_left() -> None:
    """As long as no connection could be made, the message may be tried again, and is accepted once."""
    seen: list[bytes] = []
    failures = iter([True])

    class Late(Book):
        async def resolve(self, host: str, *args: Any, **named: Any) -> Any:
            if next(failures, False):
                raise OSError("not yet")
            return await super().resolve(host, *args, **named)

    async with _served(responding(http(), seen=seen), _with(_again), resolver=Late) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), len(seen)) == (Outcome.ACCEPTED, 1)


@on_every_loop
async def test_a_middleware_may_try_again_on_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that turned out to be closed took nothing of the message, which may so go by another one."""
    gone = iter([True])
    is_gone = attempt_module._is_gone
    monkeypatch.setattr(attempt_module, "_is_gone", lambda conn: next(gone, False) or is_gone(conn))
    seen: list[bytes] = []
    async with _served(responding(http(), seen=seen), _with(_again)) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), len(seen)) == (Outcome.ACCEPTED, 1)


async def _with_a_token_of_its_own(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Ask a gateway for a token first, by the same session."""
    if "/oauth/token" not in req.url.path:
        async with req.session.post(req.url.with_path("/oauth/token")) as response:
            req.headers["X-Gateway"] = (await response.json(content_type=None))["access_token"]
    return await handler(req)


@on_every_loop
async def test_a_middleware_may_ask_for_a_token_of_its_own() -> None:
    """Another request of the same session is none of the message, which is sent once and no less."""
    seen: list[bytes] = []
    async with _served(responding(http(), seen=seen), _with(_with_a_token_of_its_own)) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), len(seen)) == (Outcome.ACCEPTED, 1)
    assert b"X-Gateway: canary-token" in seen[0]


@on_every_loop
async def test_another_request_does_not_get_the_message() -> None:
    """A message whose times shrink at the last moment is written anew where it is sent, and nowhere else."""
    seen: list[bytes] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            seen.append(request)
            writer.write(TOKEN_RESPONSE)

    async with _served(behave, _with(_with_a_token_of_its_own)) as (server, runner):
        exchange = runner.new_attempt(server.url)
        exchange.request.deadline = exchange.expires_at
        exchange.request.body_factory = lambda _left: SecretBytes(b"shorter")
        runner.in_flight.start(exchange)
        assert outcome_of(await exchange.result) is Outcome.ACCEPTED
    assert [request.partition(b"\r\n\r\n")[2] for request in seen] == [b"", b"shorter"]


@on_every_loop
async def test_a_message_that_follows_another_request_is_never_a_wrong_not_sent() -> None:
    """Whether what a middleware sent was the message cannot be told, so that a failure after it is UNKNOWN."""

    async def behave(reader: Reader, writer: Writer) -> None:
        request = await read_request(reader)
        assert TOKEN_PATH in request
        writer.write(b"nonsense\r\n\r\n")

    async with _served(behave, _with(_with_a_token_of_its_own)) as (server, runner):
        evidence = await runner.run(server.url)
    assert outcome_of(evidence) is Outcome.UNKNOWN


@on_every_loop
async def test_a_refused_second_send_does_not_end_what_is_safe_to_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token request that failed is made again by the client itself, whatever a middleware tried in between."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 0.0)
    seen: list[bytes] = []
    broken = iter([True])

    async def behave(reader: Reader, writer: Writer) -> None:
        if next(broken, False):
            await _breaking(seen)(reader, writer)
        else:
            await responding(http("200 OK", b'{"trackingId":"t"}'), seen=seen)(reader, writer)

    async with (
        RawServer(behave) as server,
        RouteeClient(server.config(session_factory=_with(_again))) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert [TOKEN_PATH in request for request in seen] == [True, False]


@on_every_loop
async def test_a_message_that_is_sent_from_elsewhere_belongs_to_its_attempt() -> None:
    """A middleware may hand the message to a task that knows nothing of the attempt; it is UNKNOWN all the same."""
    work: asyncio.Queue[tuple[asyncio.Future[ClientResponse], ClientRequest, ClientHandlerType]] = asyncio.Queue()

    async def elsewhere() -> None:
        while True:
            result, req, handler = await work.get()
            try:
                result.set_result(await handler(req))
            except aiohttp.ClientError as error:
                result.set_exception(error)

    async def hand_over(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        result: asyncio.Future[ClientResponse] = asyncio.get_running_loop().create_future()
        await work.put((result, req, handler))
        return await result

    worker = asyncio.create_task(elsewhere())
    seen: list[bytes] = []
    async with _served(_breaking(seen), _with(hand_over)) as (server, runner):
        evidence = await runner.run(server.url)
    worker.cancel()
    assert (outcome_of(evidence), len(seen)) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("hook", ["on_dns_resolvehost_start", "on_connection_create_start", "on_request_headers_sent"])
@on_every_loop
async def test_a_message_that_a_middleware_gave_up_does_not_leave_later(hook: str, method: str) -> None:
    """What still runs when the attempt has ended writes nothing any more: NOT_SENT, and seen by nobody."""
    reached = asyncio.Event()
    left_behind: list[asyncio.Task[ClientResponse]] = []

    async def note(*_args: object) -> None:
        reached.set()

    async def give_up(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        left_behind.append(asyncio.ensure_future(handler(req)))
        await reached.wait()
        raise aiohttp.ClientError("canary")

    trace = aiohttp.TraceConfig()
    getattr(trace, hook).append(note)
    seen: list[bytes] = []
    factory = functools.partial(aiohttp.ClientSession, middlewares=[give_up], trace_configs=[trace])
    async with _served(responding(http(), seen=seen), factory) as (server, runner):
        exchange = runner.new_attempt(server.url, method=method)
        exchange.body = exchange.body if method == "POST" else None
        runner.in_flight.start(exchange)
        evidence = await exchange.result
        await asyncio.wait(left_behind)
        if left_behind[0].exception() is None:
            left_behind[0].result().close()
        await asyncio.sleep(0.05)
    assert (outcome_of(evidence) is Outcome.NOT_SENT) == (seen == [])
    assert not evidence.permanent


@on_every_loop
async def test_a_middleware_that_does_not_let_itself_be_cancelled_sends_nothing() -> None:
    """A message that ran out of time before it left stays, even if a middleware goes on with it."""

    async def stubborn(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await handler(req)

    seen: list[bytes] = []
    settings = {"total_timeout": timedelta(milliseconds=50)}
    async with _served(responding(http(), seen=seen), _with(stubborn), **settings) as (server, runner):
        evidence = await runner.run(server.url)
    assert (outcome_of(evidence), seen) == (Outcome.NOT_SENT, [])
    assert evidence.reason == "no connection within total_timeout"


@on_every_loop
async def test_a_request_outside_of_an_attempt_is_sent() -> None:
    """The session works for whoever uses it without an attempt."""
    async with (
        _served(responding(http()), _with(_again)) as (server, runner),
        runner.session.post(server.url, data=BODY) as first,
        runner.session.post(server.url, data=BODY) as second,
    ):
        assert (first.status, second.status) == (200, 200)
