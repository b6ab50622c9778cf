"""Custom sessions send a message at most once: middlewares that retry, and what they may do instead."""

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
from routee_failover._transport import Transport
from routee_failover._transport.session_executor import SessionExecutor
from routee_failover.outcomes import outcome_of
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import (
    BODY,
    KEY,
    PIN,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    AttemptRunner,
    Handler,
    PausableHandler,
    RawServer,
    Reader,
    Writer,
    attempt_runner,
    http,
    read_request,
    reset,
    responding,
)
from .test_resolver import RecordingResolver

Middleware: TypeAlias = Callable[[ClientRequest, ClientHandlerType], Awaitable[ClientResponse]]


def _with(*middlewares: Middleware) -> Callable[..., aiohttp.ClientSession]:
    return functools.partial(aiohttp.ClientSession, middlewares=middlewares)


@asynccontextmanager
async def _serve(serve: Handler, factory: Any, **settings: Any) -> AsyncIterator[tuple[RawServer, AttemptRunner]]:
    """Open a server, and an attempt runner whose session comes from a factory."""
    async with (
        RawServer(serve) as server,
        attempt_runner(server.config(session_factory=factory, **settings)) as runner,
    ):
        yield server, runner


def _disconnecting(seen: list[bytes], disconnect: Callable[[Writer], None] = Writer.close) -> Handler:
    """Read each complete message and close the connection instead of responding."""

    async def serve(reader: Reader, writer: Writer) -> None:
        if request := await read_request(reader):
            seen.append(request)
            disconnect(writer)

    return serve


async def _retry(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Retry after any failure."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await handler(req)


async def _send_twice(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send twice, whatever the first result."""
    with suppress(aiohttp.ClientError):
        (await handler(req)).close()
    return await handler(req)


async def _send_twice_concurrently(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send twice at the same time, and return the first response."""
    return (await asyncio.gather(handler(req), handler(req)))[0]


async def _retry_through_the_session(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Retry with another request of the same session."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await req.session.post(req.url, data=BODY, middlewares=())


async def _retry_with_its_own_request(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Retry with a request object of its own."""
    try:
        return await handler(req)
    except aiohttp.ClientError:
        return await handler(ClientRequest(req.method, req.url, data=BODY, loop=req.loop, session=req.session))


RESENDING = [_retry, _send_twice, _send_twice_concurrently, _retry_through_the_session, _retry_with_its_own_request]


@pytest.mark.parametrize("disconnect", [Writer.close, reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("middleware", RESENDING)
@on_every_loop
async def test_middleware_that_resends_is_rejected(
    middleware: Middleware, disconnect: Callable[[Writer], None]
) -> None:
    """A message that may have been sent is not sent again, however a middleware tries: UNKNOWN, and seen once."""
    seen: list[bytes] = []
    async with _serve(_disconnecting(seen, disconnect), _with(middleware)) as (server, runner):
        result = await runner.run(server.url)
        await until(lambda: seen)
    assert (outcome_of(result), len(seen)) == (Outcome.UNKNOWN, 1)
    assert not any(text in repr(result) for text in (PIN, KEY))


@pytest.mark.parametrize("status", ["200 OK", "502 Bad Gateway"])
@on_every_loop
async def test_response_dropped_by_a_resending_middleware_is_unknown(status: str) -> None:
    """A middleware that resends despite a response loses it: the first message may have been accepted."""
    seen: list[bytes] = []
    async with _serve(responding(http(status), seen=seen), _with(_send_twice)) as (server, runner):
        result = await runner.run(server.url)
    assert (outcome_of(result), len(seen)) == (Outcome.UNKNOWN, 1)
    assert result.reason == "a middleware of session_factory tried to send the message twice"
    assert not result.permanent


@on_every_loop
async def test_session_class_that_retries_is_rejected() -> None:
    """The second request for a message by a subclass of aiohttp's session is not sent."""

    async def retrying_request(self: aiohttp.ClientSession, *args: Any, **named: Any) -> ClientResponse:
        try:
            return await aiohttp.ClientSession._request(self, *args, **named)
        except aiohttp.ClientError:
            return await aiohttp.ClientSession._request(self, *args, **named)

    with pytest.warns(DeprecationWarning, match="Inheritance"):
        session_class = type("RetryingSession", (aiohttp.ClientSession,), {"_request": retrying_request})
    seen: list[bytes] = []
    async with _serve(_disconnecting(seen), session_class) as (server, runner):
        result = await runner.run(server.url)
    assert (outcome_of(result), len(seen)) == (Outcome.UNKNOWN, 1)


@on_every_loop
async def test_middleware_may_repeat_a_get() -> None:
    """A GET changes nothing: a middleware may repeat it as often as it wants, and aiohttp does so itself."""
    seen: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        seen.append(await read_request(reader))
        if len(seen) > 2:
            writer.write(http())

    async with _serve(serve, _with(_retry)) as (server, runner):
        result = await runner.run(server.url, method="GET")
    assert (outcome_of(result), len(seen)) == (Outcome.ACCEPTED, 3)


@on_every_loop
async def test_middleware_may_retry_while_nothing_was_sent() -> None:
    """As long as there was no connection, the message may be retried, and is accepted once."""
    seen: list[bytes] = []
    failures = iter([True])

    class FailingOnce(RecordingResolver):
        async def resolve(self, host: str, *args: Any, **named: Any) -> Any:
            if next(failures, False):
                raise OSError("not yet")
            return await super().resolve(host, *args, **named)

    async with _serve(responding(http(), seen=seen), _with(_retry), resolver=FailingOnce) as (server, runner):
        result = await runner.run(server.url)
    assert (outcome_of(result), len(seen)) == (Outcome.ACCEPTED, 1)


async def _request_own_token(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Request a token from a gateway first, with the same session."""
    if "/oauth/token" not in req.url.path:
        async with req.session.post(req.url.with_path("/oauth/token")) as response:
            req.headers["X-Gateway"] = (await response.json(content_type=None))["access_token"]
    return await handler(req)


@on_every_loop
async def test_middleware_may_request_its_own_token() -> None:
    """Another request of the same session is not the message, which is still sent exactly once."""
    seen: list[bytes] = []
    async with _serve(responding(http(), seen=seen), _with(_request_own_token)) as (server, runner):
        result = await runner.run(server.url)
    assert (outcome_of(result), len(seen)) == (Outcome.ACCEPTED, 1)
    assert b"X-Gateway: canary-token" in seen[0]


@on_every_loop
async def test_rebuilt_body_goes_to_the_message_only() -> None:
    """A body that is rebuilt right before the first byte goes to the message, and to no other request."""
    seen: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            seen.append(request)
            writer.write(TOKEN_RESPONSE)

    async with _serve(serve, _with(_request_own_token)) as (server, runner):
        attempt = runner.new_attempt(server.url)
        attempt.request.deadline = attempt.expires_at
        attempt.request.body_factory = lambda _remaining: SecretBytes(b"shorter")
        runner.in_flight.start(attempt)
        assert outcome_of(await attempt.result) is Outcome.ACCEPTED
    assert [request.partition(b"\r\n\r\n")[2] for request in seen] == [b"", b"shorter"]


@on_every_loop
async def test_failure_after_another_request_of_a_middleware_is_unknown() -> None:
    """The other request might have carried the message, so a failure after it is UNKNOWN."""

    async def serve(reader: Reader, writer: Writer) -> None:
        request = await read_request(reader)
        assert TOKEN_PATH in request
        writer.write(b"nonsense\r\n\r\n")

    async with _serve(serve, _with(_request_own_token)) as (server, runner):
        result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.UNKNOWN


@on_every_loop
async def test_rejected_resend_does_not_prevent_safe_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed token request is retried by the client itself, whatever a middleware tried in between."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.0)
    seen: list[bytes] = []
    failures = iter([True])

    async def serve(reader: Reader, writer: Writer) -> None:
        if next(failures, False):
            await _disconnecting(seen)(reader, writer)
        else:
            await responding(http("200 OK", b'{"trackingId":"t"}'), seen=seen)(reader, writer)

    async with (
        RawServer(serve) as server,
        RouteeClient(server.config(session_factory=_with(_retry))) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"
    assert [TOKEN_PATH in request for request in seen] == [True, False]


@on_every_loop
async def test_message_sent_by_another_task_belongs_to_its_attempt() -> None:
    """A middleware may pass the message to a task without the attempt's context; its failure is UNKNOWN as well."""
    work: asyncio.Queue[tuple[asyncio.Future[ClientResponse], ClientRequest, ClientHandlerType]] = asyncio.Queue()

    async def send_from_queue() -> None:
        while True:
            result, req, handler = await work.get()
            try:
                result.set_result(await handler(req))
            except aiohttp.ClientError as error:
                result.set_exception(error)

    async def enqueue(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        result: asyncio.Future[ClientResponse] = asyncio.get_running_loop().create_future()
        await work.put((result, req, handler))
        return await result

    worker = asyncio.create_task(send_from_queue())
    seen: list[bytes] = []
    async with _serve(_disconnecting(seen), _with(enqueue)) as (server, runner):
        result = await runner.run(server.url)
    worker.cancel()
    assert (outcome_of(result), len(seen)) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("hook", ["on_dns_resolvehost_start", "on_connection_create_start", "on_request_headers_sent"])
@on_every_loop
async def test_message_abandoned_by_a_middleware_is_not_sent_later(hook: str, method: str) -> None:
    """A request that still runs after its attempt has finished writes nothing: it is NOT_SENT and never arrives."""
    reached = asyncio.Event()
    abandoned: list[asyncio.Task[ClientResponse]] = []

    async def on_reached(*_args: object) -> None:
        reached.set()

    async def abandon(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        abandoned.append(asyncio.ensure_future(handler(req)))
        await reached.wait()
        raise aiohttp.ClientError("canary")

    trace = aiohttp.TraceConfig()
    getattr(trace, hook).append(on_reached)
    seen: list[bytes] = []
    factory = functools.partial(aiohttp.ClientSession, middlewares=[abandon], trace_configs=[trace])
    async with _serve(responding(http(), seen=seen), factory) as (server, runner):
        attempt = runner.new_attempt(server.url, method=method)
        attempt.body = attempt.body if method == "POST" else None
        runner.in_flight.start(attempt)
        result = await attempt.result
        await asyncio.wait(abandoned)
        if abandoned[0].exception() is None:
            abandoned[0].result().close()
        await asyncio.sleep(0.05)
    assert (outcome_of(result) is Outcome.NOT_SENT) == (seen == [])
    assert not result.permanent


@on_every_loop
async def test_middleware_that_suppresses_cancellation_sends_nothing() -> None:
    """A message whose timeout passed before it was sent is not sent, even if a middleware continues."""

    async def suppress_cancellation(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await handler(req)

    seen: list[bytes] = []
    settings = {"total_timeout": timedelta(milliseconds=50)}
    async with _serve(responding(http(), seen=seen), _with(suppress_cancellation), **settings) as (server, runner):
        result = await runner.run(server.url)
    assert (outcome_of(result), seen) == (Outcome.NOT_SENT, [])
    assert result.reason == "no connection within total_timeout"


@on_every_loop
async def test_request_of_the_program_itself_is_sent() -> None:
    """The program may use its session for requests of its own."""
    async with _serve(responding(http()), _with(_retry)) as (server, runner):
        assert isinstance(runner.executor, SessionExecutor)
        session = runner.executor.session
        async with session.post(server.url, data=BODY) as first, session.post(server.url, data=BODY) as second:
            assert (first.status, second.status) == (200, 200)


@on_every_loop
async def test_middleware_that_swallows_its_cancellation_does_not_keep_the_client_open() -> None:
    """A middleware that repeats whatever fails does not hold up aclose(), and sends nothing more."""
    handler, attempts, ended = PausableHandler(paused=True), 0, asyncio.Event()

    async def repeat(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        nonlocal attempts
        while not ended.is_set():
            attempts += 1
            with suppress(BaseException):
                return await handler(req)
            with suppress(BaseException):
                await asyncio.sleep(0.01)
        raise aiohttp.ClientError

    async with RawServer(handler) as server:
        config = server.config(session_factory=_with(repeat), shutdown_timeout=timedelta(milliseconds=50))
        transport = Transport(config)
        sending = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        closing = asyncio.create_task(transport.aclose())
        await asyncio.wait([closing], timeout=10)
        is_closed = closing.done()
        repeated = attempts
        await until(lambda: attempts > repeated)
        ended.set()
        assert ((await sending)[0], is_closed, len(handler.seen)) == (Outcome.UNKNOWN, True, 1)
