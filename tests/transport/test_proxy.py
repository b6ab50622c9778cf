"""Through a proxy: what it sees and what it does not, and what its refusals prove."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import Outcome, RouteeClient, TokenUnavailable
from routee_failover._transport import ApiRequest, Transport
from routee_failover.outcomes import outcome_of
from routee_failover.secret import SecretBytes
from tests.client.rendered_errors import shown
from tests.client.sample_flows import sms

from .event_loops import on_every_loop
from .proxies import Proxy
from .raw_server import (
    BODY,
    KEY,
    PIN,
    Handler,
    RawServer,
    Reader,
    Writer,
    attempt_runner,
    http,
    never_respond,
    read_request,
    reset,
    responding,
)
from .tls_server import client_context, server_context

ACCEPTED = http("200 OK", b'{"trackingId":"t"}')
POST = ApiRequest("POST", "/failover", SecretBytes(BODY))
FOR_PROXY, FOR_ROUTEE = "canary-for-proxy", "canary-for-routee"
ANSWER = "canary-answer"
SECRETS = (FOR_PROXY, FOR_ROUTEE, "canary-key", KEY, PIN)


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 0.0)


def _through(proxy: RawServer, **settings: Any) -> dict[str, Any]:
    """Settings that go through a proxy, with secrets for either side."""
    return {
        "proxy": proxy.url,
        "proxy_headers": {"Proxy-Authorization": FOR_PROXY},
        "headers": {"X-Gateway": FOR_ROUTEE},
        "tls": client_context(),
    } | settings


async def _called(server: RawServer, calls: int = 1, **settings: Any) -> list[Outcome]:
    """What becomes of a message that is sent some times."""
    transport = Transport(server.config(**settings))
    try:
        return [(await transport.send_request(POST))[0] for _ in range(calls)]
    finally:
        await transport.aclose()


def _no_secret_in(*texts: str) -> None:
    assert not any(secret in text for text in texts for secret in (*SECRETS, ANSWER))


@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
@on_every_loop
async def test_a_proxy_tunnels_to_https(secured: bool) -> None:
    """Token and messages go through one tunnel, of which the proxy reads the address and its own headers only."""
    seen: list[bytes] = []
    async with (
        RawServer(responding(ACCEPTED, seen=seen), server_context()) as server,
        Proxy(tls=server_context() if secured else None) as proxy,
    ):
        assert await _called(server, 2, **_through(proxy)) == [Outcome.ACCEPTED] * 2
    port = server.url.rpartition(":")[2]
    assert proxy.request_lines == [f"CONNECT localhost:{port} HTTP/1.1"]
    assert f"Proxy-Authorization: {FOR_PROXY}".encode() in proxy.requests[0]
    assert not any(text.encode() in proxy.readable for text in SECRETS if text != FOR_PROXY)
    assert len(seen) == 2
    for request in seen:
        assert FOR_PROXY.encode() not in request
        assert FOR_ROUTEE.encode() in request
        assert request.startswith(b"POST /failover HTTP/1.1\r\n")


@on_every_loop
async def test_a_proxy_forwards_http() -> None:
    """Where the address is http, each request names it whole, and carries what the proxy asks for."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, Proxy() as proxy:
        assert await _called(server, 2, **_through(proxy)) == [Outcome.ACCEPTED] * 2
    assert proxy.request_lines == [
        f"POST {server.url}{path} HTTP/1.1" for path in ("/oauth/token", "/failover", "/failover")
    ]
    assert all(f"Proxy-Authorization: {FOR_PROXY}".encode() in head for head in proxy.requests)
    assert f"Authorization: Bearer {KEY}".encode() in seen[0]
    assert (len(seen), proxy.connections) == (2, 1)


@on_every_loop
async def test_a_proxy_needs_no_headers() -> None:
    """Without headers of its own, a proxy gets none of Routee's either."""
    async with RawServer(responding(ACCEPTED), server_context()) as server, Proxy() as proxy:
        assert await _called(server, **_through(proxy, proxy_headers={})) == [Outcome.ACCEPTED]
    assert FOR_ROUTEE.encode() not in proxy.requests[0]


@on_every_loop
async def test_a_tunnel_that_has_been_closed_costs_no_message() -> None:
    """A server that closes after each answer gets every message once, each through a tunnel of its own."""
    seen: list[bytes] = []
    server = RawServer(responding(ACCEPTED, seen=seen, after=Writer.close), server_context())
    async with server, Proxy() as proxy:
        found = await _called(server, 10, **_through(proxy))
    assert found == [Outcome.ACCEPTED] * 10
    assert len(seen) == 10


REFUSALS = {
    "forbidden": ("403 Forbidden", "the proxy refused the connection (403)", 1),
    "credentials": (
        "407 Proxy Authentication Required",
        "the proxy refused the connection (407): it asks for Proxy-Authorization, which belongs in proxy_headers",
        1,
    ),
    "throttled": ("429 Many", "the proxy refused the connection (429)", 3),
    "server down": ("502 Bad Gateway", "the proxy refused the connection (502)", 3),
    "redirect": ("302 Found", "the proxy refused the connection (302)", 3),
}


@pytest.mark.parametrize(("status", "cause", "attempts"), REFUSALS.values(), ids=REFUSALS)
@on_every_loop
async def test_a_refused_tunnel_sends_nothing(
    status: str, cause: str, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that opens no tunnel proves that nothing was sent; what is its last word is not asked for again."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(never_respond, server_context()) as server, Proxy(http(status, ANSWER.encode())) as proxy:
        config = server.config(**_through(proxy))
        async with RouteeClient(config) as client:
            with pytest.raises(TokenUnavailable) as refused:
                await client.send(sms())
        assert len(proxy.requests) == attempts
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert server.connections == 0
    assert str(refused.value) == f"no access token could be obtained: {cause}; nothing was sent"
    assert (outcome_of(result), result.reason, result.permanent) == (Outcome.NOT_SENT, cause, attempts == 1)
    _no_secret_in(shown(refused.value), repr(result), caplog.text)


async def _fin(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def _rst(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    reset(writer)


async def _garbage(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(ANSWER.encode() + b"\r\n\r\n")
    await writer.drain()


async def _half(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 Conn")
    await writer.drain()


async def _no_tls(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await read_request(reader)


CLOSED = "the proxy closed the connection instead of opening a tunnel"
SLOW = "no connection could be made within connect_timeout"
BROKEN = {
    "FIN": (_fin, CLOSED),
    "RST": (_rst, CLOSED),
    "half a status line": (_half, CLOSED),
    "garbage": (_garbage, "the response of the proxy is not valid HTTP"),
    "hangs": (never_respond, SLOW),
    "hangs in the tunnel": (_no_tls, SLOW),
}


@pytest.mark.parametrize(("handler", "cause"), BROKEN.values(), ids=BROKEN)
@on_every_loop
async def test_a_proxy_that_breaks_off_sends_nothing(handler: Handler, cause: str) -> None:
    """Whatever ends the making of a tunnel, no byte of the message has left."""
    async with RawServer(never_respond, server_context()) as server, RawServer(handler) as proxy:
        config = server.config(**_through(proxy, connect_timeout=timedelta(milliseconds=200)))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), result.permanent, result.reason) == (Outcome.NOT_SENT, False, cause)
    _no_secret_in(repr(result))


@on_every_loop
async def test_a_proxy_that_is_down_sends_nothing() -> None:
    """Where no proxy listens, the cause says that it is the proxy which is missing."""
    async with RawServer(never_respond, server_context()) as server:
        async with Proxy() as proxy:
            config = server.config(**_through(proxy))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    where = proxy.url.removeprefix("http://")
    assert result.reason == f"no connection to the proxy {where} could be made (Connection refused)"


@pytest.mark.parametrize("side", ["proxy", "server"])
@on_every_loop
async def test_both_ends_of_a_tunnel_are_verified(side: str) -> None:
    """A proxy or a server whose certificate is not trusted gets nothing, whichever of the two it is."""
    strange = server_context(trusted=False)
    async with (
        RawServer(never_respond, strange if side == "server" else server_context()) as server,
        Proxy(tls=strange if side == "proxy" else None) as proxy,
        attempt_runner(server.config(**_through(proxy))) as runner,
    ):
        result = await runner.run(server.url)
    assert (outcome_of(result), result.permanent) == (Outcome.NOT_SENT, True)
    assert result.reason == "the certificate of localhost is not trusted"
    assert len(proxy.requests) == (1 if side == "server" else 0)


@pytest.mark.parametrize("breaks", [_fin, _rst, never_respond], ids=["FIN", "RST", "hangs"])
@on_every_loop
async def test_a_message_that_left_through_a_tunnel_is_not_repeated(breaks: Handler) -> None:
    """Once the message has begun, the tunnel proves as little as any connection does: UNKNOWN, once."""
    async with RawServer(breaks, server_context()) as server, Proxy() as proxy:
        config = server.config(**_through(proxy, total_timeout=timedelta(milliseconds=500)))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), server.connections) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("407 Proxy Authentication Required", Outcome.REJECTED), ("502 Bad Gateway", Outcome.UNKNOWN)],
)
@on_every_loop
async def test_an_answer_of_the_proxy_to_a_forwarded_request_is_an_answer(status: str, outcome: Outcome) -> None:
    """Where a proxy reads the request itself, what it answers proves what its status says."""
    async with (
        RawServer(never_respond) as server,
        Proxy(http(status)) as proxy,
        attempt_runner(server.config(**_through(proxy))) as runner,
    ):
        result = await runner.run(server.url)
    assert result.response is not None
    assert result.response.status == int(status[:3])
    assert (outcome_of(result), server.connections) == (outcome, 0)
