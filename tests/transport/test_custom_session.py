"""Custom sessions: what they may add, and that they never cause a wrong outcome."""

import functools
import gc
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from routee_failover import NotSent, Outcome, RouteeClient, TokenUnavailable
from routee_failover._transport.attempt import TrackedRequest
from routee_failover.outcomes import outcome_of
from tests.client.rendered_errors import shown
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import KEY, PIN, RawServer, attempt_runner, http, responding
from .test_resolver import RecordingResolver

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')


@on_every_loop
async def test_custom_session_sends_and_is_closed() -> None:
    """Middlewares and traces see every request, token requests included; the session is closed with the client."""
    sessions: list[aiohttp.ClientSession] = []
    calls: list[str] = []
    trace = aiohttp.TraceConfig()

    async def trace_request(_session: object, _context: object, params: aiohttp.TraceRequestEndParams) -> None:
        calls.append(f"trace {params.url.path}")

    async def add_header(req: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        req.headers["X-Mark"] = "mine"
        calls.append(f"middleware {req.url.path}")
        return await handler(req)

    def factory(**kwargs: Any) -> aiohttp.ClientSession:
        sessions.append(aiohttp.ClientSession(trace_configs=[trace], middlewares=[add_header], **kwargs))
        return sessions[-1]

    trace.on_request_end.append(trace_request)
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server:
        config = server.config(session_factory=factory, headers={"X-Theirs": "kept"})
        async with RouteeClient(config) as client:
            assert (await client.send(sms())).tracking_id == "t"
    path = "/failover"
    assert calls == ["middleware /oauth/token", "trace /oauth/token", f"middleware {path}", f"trace {path}"]
    assert all(text in seen[0] for text in (b"X-Mark: mine", b"X-Theirs: kept", b"Bearer " + KEY.encode()))
    assert [session.closed for session in sessions] == [True]


async def test_without_session_factory_nothing_is_instrumented() -> None:
    """What only custom sessions need costs other clients nothing: aiohttp's connector and the plain request class."""
    async with RawServer(responding(ACCEPTED)) as server, attempt_runner(server.config()) as runner:
        assert type(runner.session.connector) is aiohttp.TCPConnector
        assert runner.session._request_class is TrackedRequest


def _session_without(name: str) -> Callable[..., aiohttp.ClientSession]:
    return lambda **kwargs: aiohttp.ClientSession(**{key: value for key, value in kwargs.items() if key != name})


@on_every_loop
async def test_session_without_the_request_class_sends_nothing() -> None:
    """Without the request class nothing could be proven, so no connection is made either."""
    async with RawServer(responding(ACCEPTED)) as server:
        config = server.config(session_factory=_session_without("request_class"))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
        async with RouteeClient(config) as client:
            with pytest.raises(TokenUnavailable, match=r"must pass the request_class on as it is given; nothing was"):
                await client.send(sms())
    assert (outcome_of(result), result.permanent) == (Outcome.NOT_SENT, True)
    assert server.connections == 0


@on_every_loop
async def test_subclass_of_the_request_class_sends_nothing() -> None:
    """A subclass of ours proves nothing either: it might send in a different way."""

    def factory(**kwargs: Any) -> aiohttp.ClientSession:
        subclass = type("OwnRequest", (kwargs.pop("request_class"),), {})
        return aiohttp.ClientSession(request_class=subclass, **kwargs)

    async with (
        RawServer(responding(ACCEPTED)) as server,
        attempt_runner(server.config(session_factory=factory)) as runner,
    ):
        result = await runner.run(server.url)
    assert (outcome_of(result), server.connections) == (Outcome.NOT_SENT, 0)


def _raises(**_kwargs: Any) -> aiohttp.ClientSession:
    raise LookupError("canary")


UNUSABLE: dict[str, tuple[Callable[..., Any], str]] = {
    "raises": (_raises, "session_factory raised LookupError"),
    "no session": (lambda **_kwargs: "canary", "session_factory must make an aiohttp.ClientSession, not str"),
    "no connector": (_session_without("connector"), "session_factory must pass the connector on as it is given"),
    "raise_for_status": (
        functools.partial(aiohttp.ClientSession, raise_for_status=True),
        "session_factory must leave raise_for_status at False",
    ),
    "auto_decompress": (
        functools.partial(aiohttp.ClientSession, auto_decompress=False),
        "session_factory must leave auto_decompress at True",
    ),
    "connector_owner": (
        functools.partial(aiohttp.ClientSession, connector_owner=False),
        "session_factory must leave connector_owner at True",
    ),
}


@pytest.mark.parametrize(("factory", "text"), UNUSABLE.values(), ids=UNUSABLE)
@on_every_loop
async def test_unusable_session_sends_nothing(factory: Callable[..., Any], text: str) -> None:
    """Each send raises the problem of the session before anything is sent, and the error quotes nothing."""
    sessions: list[Any] = []

    def recording_factory(**kwargs: Any) -> Any:
        sessions.append(factory(**kwargs))
        return sessions[-1]

    async with (
        RawServer(responding(ACCEPTED)) as server,
        RouteeClient(server.config(session_factory=recording_factory, resolver=RecordingResolver)) as client,
    ):
        for _ in range(2):
            with pytest.raises(NotSent) as caught:
                await client.send(sms())
            assert type(caught.value) is NotSent
            assert str(caught.value) == f"{text}; nothing was sent"
    assert server.connections == 0
    assert not any(secret in shown(caught.value) for secret in (PIN, KEY, "canary-key"))
    for session in sessions:
        if isinstance(session, aiohttp.ClientSession):
            await session.close()
    sessions.clear()
    gc.collect()


HOOKS = {
    "on_request_start": Outcome.NOT_SENT,
    "on_connection_create_start": Outcome.NOT_SENT,
    "on_dns_resolvehost_start": Outcome.NOT_SENT,
    "on_request_headers_sent": Outcome.NOT_SENT,
    "on_request_chunk_sent": Outcome.UNKNOWN,
    "on_response_chunk_received": Outcome.UNKNOWN,
    "on_request_end": Outcome.UNKNOWN,
}


@pytest.mark.parametrize(("hook", "outcome"), HOOKS.items(), ids=HOOKS)
@on_every_loop
async def test_trace_that_raises_causes_no_wrong_outcome(hook: str, outcome: Outcome) -> None:
    """Before the first byte the outcome is NOT_SENT and the server sees nothing; from then on it is UNKNOWN."""

    async def fail(*_args: object) -> None:
        raise ValueError("canary")

    trace = aiohttp.TraceConfig()
    getattr(trace, hook).append(fail)
    factory = functools.partial(aiohttp.ClientSession, trace_configs=[trace])
    seen: list[bytes] = []
    async with (
        RawServer(responding(ACCEPTED, seen=seen)) as server,
        attempt_runner(server.config(session_factory=factory)) as runner,
    ):
        result = await runner.run(server.url)
    assert (outcome_of(result), result.response) == (outcome, None)
    assert len(seen) <= (0 if outcome is Outcome.NOT_SENT else 1)
    assert not any(text in repr(result) for text in (PIN, KEY, "canary"))


@on_every_loop
async def test_trace_that_raises_on_a_failure_keeps_its_outcome() -> None:
    """A trace that raises while it handles a failure does not change what the failure proves."""

    async def fail(*_args: object) -> None:
        raise ValueError("canary")

    trace = aiohttp.TraceConfig()
    trace.on_request_exception.append(fail)
    factory = functools.partial(aiohttp.ClientSession, trace_configs=[trace])
    async with (
        RawServer(responding(b"nonsense\r\n\r\n")) as server,
        attempt_runner(server.config(session_factory=factory)) as runner,
    ):
        sent = await runner.run(server.url)
        not_connected = await runner.run("http://127.0.0.1:1/")
    assert (outcome_of(sent), outcome_of(not_connected)) == (Outcome.UNKNOWN, Outcome.NOT_SENT)
