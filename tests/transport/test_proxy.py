"""Proxies: what they can read, and what their failures prove."""

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
RESPONSE = "canary-answer"
SECRETS = (FOR_PROXY, FOR_ROUTEE, "canary-key", KEY, PIN)


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every backoff delay zero."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.0)


def _proxy_settings(proxy: RawServer, **settings: Any) -> dict[str, Any]:
    """Return settings for a proxy, with secrets for the proxy and for Routee."""
    return {
        "proxy": proxy.url,
        "proxy_headers": {"Proxy-Authorization": FOR_PROXY},
        "headers": {"X-Gateway": FOR_ROUTEE},
        "tls": client_context(),
    } | settings


async def _send(server: RawServer, times: int = 1, **settings: Any) -> list[Outcome]:
    """Send a message this many times, and return the outcomes."""
    transport = Transport(server.config(**settings))
    try:
        return [(await transport.send_request(POST))[0] for _ in range(times)]
    finally:
        await transport.aclose()


def _assert_no_secret_in(*texts: str) -> None:
    assert not any(secret in text for text in texts for secret in (*SECRETS, RESPONSE))


@pytest.mark.parametrize("secured", [False, True], ids=["http proxy", "https proxy"])
@on_every_loop
async def test_https_goes_through_a_tunnel_the_proxy_cannot_read(secured: bool) -> None:
    """Token request and messages use one tunnel, of which the proxy reads only the address and its own headers."""
    seen: list[bytes] = []
    async with (
        RawServer(responding(ACCEPTED, seen=seen), server_context()) as server,
        Proxy(tls=server_context() if secured else None) as proxy,
    ):
        assert await _send(server, 2, **_proxy_settings(proxy)) == [Outcome.ACCEPTED] * 2
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
async def test_http_is_forwarded_with_the_proxy_headers() -> None:
    """With http each request has the absolute URL and the headers for the proxy."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, Proxy() as proxy:
        assert await _send(server, 2, **_proxy_settings(proxy)) == [Outcome.ACCEPTED] * 2
    assert proxy.request_lines == [
        f"POST {server.url}{path} HTTP/1.1" for path in ("/oauth/token", "/failover", "/failover")
    ]
    assert all(f"Proxy-Authorization: {FOR_PROXY}".encode() in head for head in proxy.requests)
    assert f"Authorization: Bearer {KEY}".encode() in seen[0]
    assert (len(seen), proxy.connections) == (2, 1)


@on_every_loop
async def test_proxy_without_headers_gets_none_of_the_session() -> None:
    """Without proxy_headers, a proxy does not get the headers for Routee either."""
    async with RawServer(responding(ACCEPTED), server_context()) as server, Proxy() as proxy:
        assert await _send(server, **_proxy_settings(proxy, proxy_headers={})) == [Outcome.ACCEPTED]
    assert FOR_ROUTEE.encode() not in proxy.requests[0]


@on_every_loop
async def test_closed_tunnels_lose_no_message() -> None:
    """A server that closes after each response gets every message once, each through a new tunnel."""
    seen: list[bytes] = []
    server = RawServer(responding(ACCEPTED, seen=seen, after=Writer.close), server_context())
    async with server, Proxy() as proxy:
        outcomes = await _send(server, 10, **_proxy_settings(proxy))
    assert outcomes == [Outcome.ACCEPTED] * 10
    assert len(seen) == 10


REJECTIONS = {
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


@pytest.mark.parametrize(("status", "reason", "attempts"), REJECTIONS.values(), ids=REJECTIONS)
@on_every_loop
async def test_rejected_tunnel_sends_nothing(
    status: str, reason: str, attempts: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that opens no tunnel proves that nothing was sent; a permanent rejection is not retried."""
    caplog.set_level(logging.DEBUG)
    async with RawServer(never_respond, server_context()) as server, Proxy(http(status, RESPONSE.encode())) as proxy:
        config = server.config(**_proxy_settings(proxy))
        async with RouteeClient(config) as client:
            with pytest.raises(TokenUnavailable) as caught:
                await client.send(sms())
        assert len(proxy.requests) == attempts
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert server.connections == 0
    assert str(caught.value) == f"no access token could be obtained: {reason}; nothing was sent"
    assert (outcome_of(result), result.reason, result.permanent) == (Outcome.NOT_SENT, reason, attempts == 1)
    _assert_no_secret_in(shown(caught.value), repr(result), caplog.text)


async def _fin(reader: Reader, writer: Writer) -> None:
    await read_request(reader)


async def _rst(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    reset(writer)


async def _garbage(reader: Reader, writer: Writer) -> None:
    await read_request(reader)
    writer.write(RESPONSE.encode() + b"\r\n\r\n")
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
TIMED_OUT = "no connection could be made within connect_timeout"
FAILURES = {
    "FIN": (_fin, CLOSED),
    "RST": (_rst, CLOSED),
    "half a status line": (_half, CLOSED),
    "garbage": (_garbage, "the response of the proxy is not valid HTTP"),
    "hangs": (never_respond, TIMED_OUT),
    "hangs in the tunnel": (_no_tls, TIMED_OUT),
}


@pytest.mark.parametrize(("handler", "reason"), FAILURES.values(), ids=FAILURES)
@on_every_loop
async def test_proxy_failure_before_the_tunnel_sends_nothing(handler: Handler, reason: str) -> None:
    """Whatever fails before the tunnel is open, no byte of the message was sent."""
    async with RawServer(never_respond, server_context()) as server, RawServer(handler) as proxy:
        config = server.config(**_proxy_settings(proxy, connect_timeout=timedelta(milliseconds=200)))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), result.permanent, result.reason) == (Outcome.NOT_SENT, False, reason)
    _assert_no_secret_in(repr(result))


@on_every_loop
async def test_unreachable_proxy_sends_nothing_and_is_named() -> None:
    """Without a listening proxy, the reason says that the proxy is unreachable."""
    async with RawServer(never_respond, server_context()) as server:
        async with Proxy() as proxy:
            config = server.config(**_proxy_settings(proxy))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert outcome_of(result) is Outcome.NOT_SENT
    address = proxy.url.removeprefix("http://")
    assert result.reason == f"no connection to the proxy {address} could be made (Connection refused)"


@pytest.mark.parametrize("side", ["proxy", "server"])
@on_every_loop
async def test_certificates_of_proxy_and_server_are_verified(side: str) -> None:
    """Neither a proxy nor a server with an untrusted certificate gets anything."""
    untrusted = server_context(trusted=False)
    async with (
        RawServer(never_respond, untrusted if side == "server" else server_context()) as server,
        Proxy(tls=untrusted if side == "proxy" else None) as proxy,
        attempt_runner(server.config(**_proxy_settings(proxy))) as runner,
    ):
        result = await runner.run(server.url)
    assert (outcome_of(result), result.permanent) == (Outcome.NOT_SENT, True)
    assert result.reason == "the certificate of localhost is not trusted"
    assert len(proxy.requests) == (1 if side == "server" else 0)


@pytest.mark.parametrize("failure", [_fin, _rst, never_respond], ids=["FIN", "RST", "hangs"])
@on_every_loop
async def test_message_sent_through_a_tunnel_is_not_retried(failure: Handler) -> None:
    """Once the message may have been sent, a failed tunnel proves as little as a failed connection: UNKNOWN, once."""
    async with RawServer(failure, server_context()) as server, Proxy() as proxy:
        config = server.config(**_proxy_settings(proxy, total_timeout=timedelta(milliseconds=500)))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url)
    assert (outcome_of(result), server.connections) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("407 Proxy Authentication Required", Outcome.REJECTED), ("502 Bad Gateway", Outcome.UNKNOWN)],
)
@on_every_loop
async def test_proxy_response_to_a_forwarded_request_counts_as_the_response(status: str, outcome: Outcome) -> None:
    """If a proxy handles the request itself, its response proves what its status says."""
    async with (
        RawServer(never_respond) as server,
        Proxy(http(status)) as proxy,
        attempt_runner(server.config(**_proxy_settings(proxy))) as runner,
    ):
        result = await runner.run(server.url)
    assert result.response is not None
    assert result.response.status == int(status[:3])
    assert (outcome_of(result), server.connections) == (outcome, 0)
