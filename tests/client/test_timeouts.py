"""Timeouts and size limits of a client, and what is proven when one is exceeded."""

import asyncio
import gzip
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import (
    ConnectFailed,
    DeliveryUnknown,
    InvalidConfig,
    Outcome,
    PoolTimeout,
    Rejected,
    RouteeClient,
    TokenUnavailable,
)

from .fake_routee import FakeRoutee, ReceivedRequest, always, until
from .rendered_errors import shown
from .sample_flows import CANARIES, otp, sms

SHORT = timedelta(milliseconds=400)
UNREACHABLE_URL = "http://127.0.0.1:1"


async def _hang(_request: ReceivedRequest) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def test_missing_response_is_unknown_and_not_retried() -> None:
    """A server that reads a message and never responds may have accepted it: it is not sent again."""
    async with FakeRoutee(_hang) as server, RouteeClient(server.config(total_timeout=SHORT)) as client:
        with pytest.raises(DeliveryUnknown, match="must not be sent again") as caught:
            await client.send(otp())
        assert len(server.requests) == 1
    assert caught.value.reason == "no response within total_timeout"
    rendered = shown(caught.value)
    assert [secret for secret in (*CANARIES, "token-1") if secret in rendered] == []


@pytest.mark.parametrize("status", [500, 501, 502, 504, 520, 524])
async def test_server_error_is_unknown_and_not_retried(status: int) -> None:
    """A 5xx may come after the message was accepted: it is not sent again."""
    async with FakeRoutee(always(status, Retry_After="1")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown, match=f"Routee answered {status}"):
            await client.send(sms())
        assert len(server.requests) == 1


async def test_503_is_rejected_with_retry_after_and_unknown_without() -> None:
    """A 503 with Retry-After has not accepted the message; one without it may have."""
    async with FakeRoutee(always(503, Retry_After="2")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(sms())
    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    async with FakeRoutee(always(503)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown):
            await client.send(sms())


async def test_unreachable_server_raises_connect_failed() -> None:
    """If no server listens, the send says that nothing was sent, and which address it tried."""
    async with FakeRoutee() as server, RouteeClient(server.config(api_url=UNREACHABLE_URL)) as client:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:1 could be made .*nothing was sent") as caught:
            await client.send(otp())
        assert caught.value.outcome is Outcome.NOT_SENT
        assert server.token_requests == 1
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_unreachable_token_service_raises_token_unavailable() -> None:
    """Without a token, no request is made to the API."""
    async with FakeRoutee() as server, RouteeClient(server.config(auth_url=UNREACHABLE_URL)) as client:
        with pytest.raises(TokenUnavailable, match="nothing was sent") as caught:
            await client.send(sms())
        assert server.requests == []
    assert caught.value.status is None


@pytest.mark.parametrize("address", ["http://connect.routee.net", "http://10.0.0.1", "http://localhost.example.com"])
@pytest.mark.parametrize("name", ["api_url", "auth_url"])
def test_plain_http_url_of_another_machine_is_refused(name: str, address: str) -> None:
    """A secret or a PIN is never sent in plain text: plain http is refused before there is a client."""
    settings: dict[str, Any] = {name: address}
    with pytest.raises(InvalidConfig, match=f"{name} must be https"):
        RouteeClient.from_env({"ROUTEE_APPLICATION_ID": "a", "ROUTEE_APPLICATION_SECRET": "s"}, **settings)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_rejected_and_not_followed(status: int) -> None:
    """A redirect is a rejection that advises to check the address: the message is not sent a second time."""
    async with FakeRoutee() as other, FakeRoutee(always(status, Location=f"{other.url}/failover")) as server:
        async with RouteeClient(server.config()) as client:
            with pytest.raises(Rejected, match="check the configured URL"):
                await client.send(sms())
        assert (len(server.requests), len(other.requests)) == (1, 0)


async def test_redirect_of_a_token_request_is_not_followed() -> None:
    """The secret is sent to the configured token service only, not to a server that it names."""
    async with FakeRoutee() as other, FakeRoutee(token=always(307, Location=f"{other.url}/oauth/token")) as server:
        async with RouteeClient(server.config()) as client:
            with pytest.raises(TokenUnavailable, match="answered 307"):
                await client.send(sms())
        assert (server.token_requests, other.token_requests) == (1, 0)


async def test_response_above_max_size_is_unknown() -> None:
    """A response longer than max_response_size is not read to its end; whether the message was accepted is unknown."""
    async with (
        FakeRoutee(always(200, "x" * 5_000)) as server,
        RouteeClient(server.config(max_response_size=4_000)) as client,
    ):
        with pytest.raises(DeliveryUnknown, match="longer than max_response_size"):
            await client.send(sms())
        assert len(server.requests) == 1


async def test_response_of_exactly_max_size_is_read() -> None:
    """A response of exactly max_response_size bytes is read, in however many pieces it comes."""
    body = b'{"trackingId":"t"}'.ljust(300_000)

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with FakeRoutee(respond) as server, RouteeClient(server.config(max_response_size=len(body))) as client:
        assert (await client.send(sms())).tracking_id == "t"


async def test_gzip_bomb_is_limited_by_max_response_size() -> None:
    """A small gzip response that unpacks to 256 MiB costs a few MiB."""
    bomb = gzip.compress(bytes(2**28), 1)

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with FakeRoutee(respond) as server, RouteeClient(server.config(max_response_size=2**20)) as client:
        tracemalloc.start()
        try:
            with pytest.raises(DeliveryUnknown, match="longer than max_response_size"):
                await client.send(sms())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2**25


async def test_pool_timeout_names_the_settings() -> None:
    """A send that gets no connection in time names the settings that limit it, and was not sent."""
    async with FakeRoutee(_hang) as server:
        config = server.config(pool_size=1, pool_timeout=SHORT / 3, total_timeout=SHORT)
        async with RouteeClient(config) as client:
            first = asyncio.create_task(client.send(sms()))
            await until(lambda: server.requests)
            with pytest.raises(PoolTimeout, match=r"all 1 connections .* nothing was sent. Raise pool_size") as caught:
                await client.send(sms())
            assert caught.value.outcome is Outcome.NOT_SENT
            with pytest.raises(DeliveryUnknown):
                await first
        assert len(server.requests) == 1


async def test_waiting_for_a_connection_does_not_count_towards_total_timeout() -> None:
    """total_timeout begins when the request is admitted."""
    async with FakeRoutee() as server:
        server.response_delay = 0.08
        async with RouteeClient(server.config(pool_size=1, total_timeout=timedelta(milliseconds=160))) as client:
            receipts = await asyncio.gather(*(client.send(sms()) for _ in range(4)))
    assert len(receipts) == 4


async def test_connection_slot_is_released_after_every_kind_of_end() -> None:
    """Rejected, timed out and cancelled sends leave the pool as large as it was."""
    async with FakeRoutee(_hang) as server:
        config = server.config(pool_size=1, total_timeout=SHORT / 3)
        async with RouteeClient(config) as client:
            for _ in range(2):
                with pytest.raises(DeliveryUnknown):
                    await client.send(sms())
            cancelled = asyncio.create_task(client.send(sms()))
            await until(lambda: len(server.requests) >= 3)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            with pytest.raises(DeliveryUnknown):
                await client.send(sms())


async def test_configured_headers_are_sent_with_every_request() -> None:
    """The headers of the settings are on token requests and sends."""
    received: list[ReceivedRequest] = []

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        received.append(request)
        return web.json_response({"access_token": "t", "trackingId": "t"})

    async with (
        FakeRoutee(respond, token=respond) as server,
        RouteeClient(server.config(headers={"User-Agent": "shop/1"})) as client,
    ):
        await client.send(sms())
    assert [request.headers["User-Agent"] for request in received] == ["shop/1", "shop/1"]


async def test_cookies_of_a_response_are_not_sent_back() -> None:
    """A cookie that a server sets in one response is not carried into another request."""
    async with FakeRoutee(always(404, Set_Cookie="a=b")) as server, RouteeClient(server.config()) as client:
        for _ in range(2):
            with pytest.raises(Rejected):
                await client.send(sms())
        assert all("Cookie" not in request.headers for request in server.requests)
