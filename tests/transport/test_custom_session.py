"""Custom sessions: what they may add, and that they never cause a wrong outcome."""

import functools
import gc
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from routee_failover import NotSent, Outcome, RouteeClient
from routee_failover.outcomes import outcome_of
from tests.client.rendered_errors import shown
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .raw_server import KEY, PIN, RawServer, Reader, Writer, after_token, attempt_runner, http, responding
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
        kwargs["trace_configs"].append(trace)
        sessions.append(aiohttp.ClientSession(middlewares=[add_header], **kwargs))
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


def _session_without(name: str) -> Callable[..., aiohttp.ClientSession]:
    return lambda **kwargs: aiohttp.ClientSession(**{key: value for key, value in kwargs.items() if key != name})


FACTORIES: dict[str, Callable[..., aiohttp.ClientSession]] = {
    "passes all on": aiohttp.ClientSession,
    "adds to the trace configs": lambda *, trace_configs, **kwargs: aiohttp.ClientSession(
        trace_configs=[*trace_configs, aiohttp.TraceConfig()], **kwargs
    ),
    "has trace configs of its own": functools.partial(aiohttp.ClientSession, trace_configs=[aiohttp.TraceConfig()]),
    "drops the trace configs": _session_without("trace_configs"),
}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
@on_every_loop
async def test_every_usual_factory_proves_what_was_sent(factory: Callable[..., aiohttp.ClientSession]) -> None:
    """However a factory treats the trace configs, a refused connection is NOT_SENT and a lost response UNKNOWN."""
    seen: list[bytes] = []
    async with (
        RawServer(after_token(seen, _close)) as server,
        attempt_runner(server.config(session_factory=factory)) as runner,
    ):
        sent = await runner.run(server.url)
        refused = await runner.run("http://127.0.0.1:1/")
    assert (outcome_of(sent), outcome_of(refused), len(seen)) == (Outcome.UNKNOWN, Outcome.NOT_SENT, 1)


async def _close(_reader: Reader, writer: Writer) -> None:
    writer.close()


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
    "on_request_headers_sent": Outcome.UNKNOWN,
    "on_request_chunk_sent": Outcome.UNKNOWN,
    "on_response_chunk_received": Outcome.UNKNOWN,
    "on_request_end": Outcome.UNKNOWN,
}


@pytest.mark.parametrize(("hook", "outcome"), HOOKS.items(), ids=HOOKS)
@on_every_loop
async def test_trace_that_raises_causes_no_wrong_outcome(hook: str, outcome: Outcome) -> None:
    """Before there is a connection the outcome is NOT_SENT and the server sees nothing; from then on it is UNKNOWN."""

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
