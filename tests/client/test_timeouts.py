"""How long and how much a client waits for, and what it proves when that is over."""

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

from .fake_routee import FakeRoutee, Seen, always, until
from .rendered_errors import shown
from .sample_flows import CANARIES, otp, sms

SOON = timedelta(milliseconds=400)
NOWHERE = "http://127.0.0.1:1"


async def _hang(_seen: Seen) -> web.StreamResponse:
    await asyncio.sleep(3600)
    raise AssertionError


async def test_no_answer_in_time_is_unknown_and_sent_once() -> None:
    """A server that reads a message and never answers may have accepted it: it is not sent again."""
    async with FakeRoutee(_hang) as server, RouteeClient(server.config(total_timeout=SOON)) as client:
        with pytest.raises(DeliveryUnknown, match="must not be sent again") as caught:
            await client.send(otp())
        assert len(server.requests) == 1
    assert caught.value.reason == "no response within total_timeout"
    printed = shown(caught.value)
    assert [text for text in (*CANARIES, "token-1") if text in printed] == []


@pytest.mark.parametrize("status", [500, 501, 502, 504, 520, 524])
async def test_a_server_error_is_unknown_and_sent_once(status: int) -> None:
    """A 5xx may come after the message was accepted: it is not sent again."""
    async with FakeRoutee(always(status, Retry_After="1")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown, match=f"Routee answered {status}"):
            await client.send(sms())
        assert len(server.requests) == 1


async def test_503_is_a_refusal_only_when_it_says_when_to_come_back() -> None:
    """A 503 with Retry-After has not taken the message; one without it may have."""
    async with FakeRoutee(always(503, Retry_After="2")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(sms())
    assert (caught.value.status, caught.value.retry_after) == (503, 2)
    async with FakeRoutee(always(503)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown):
            await client.send(sms())


async def test_no_server_means_nothing_was_sent() -> None:
    """Where nobody listens, the send says that nothing was sent, and where it had tried."""
    async with FakeRoutee() as server, RouteeClient(server.config(api_url=NOWHERE)) as client:
        with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:1 could be made .*nothing was sent") as caught:
            await client.send(otp())
        assert caught.value.outcome is Outcome.NOT_SENT
        assert server.token_requests == 1
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_no_token_service_means_nothing_was_sent() -> None:
    """Where no token can be had, the API is not asked at all."""
    async with FakeRoutee() as server, RouteeClient(server.config(auth_url=NOWHERE)) as client:
        with pytest.raises(TokenUnavailable, match="nothing was sent") as caught:
            await client.send(sms())
        assert server.requests == []
    assert caught.value.status is None


@pytest.mark.parametrize("address", ["http://connect.routee.net", "http://10.0.0.1", "http://localhost.example.com"])
@pytest.mark.parametrize("name", ["api_url", "auth_url"])
def test_plain_http_is_refused_but_for_this_machine(name: str, address: str) -> None:
    """A key or a PIN never travels readable: plain http is refused before there is a client."""
    settings: dict[str, Any] = {name: address}
    with pytest.raises(InvalidConfig, match=f"{name} must be https"):
        RouteeClient.from_env({"ROUTEE_APPLICATION_ID": "a", "ROUTEE_APPLICATION_SECRET": "s"}, **settings)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    """A redirect is a refusal that names the address as the thing to check: the message is not sent a second time."""
    async with FakeRoutee() as other, FakeRoutee(always(status, Location=f"{other.url}/failover")) as server:
        async with RouteeClient(server.config()) as client:
            with pytest.raises(Rejected, match="check the configured address"):
                await client.send(sms())
        assert (len(server.requests), len(other.requests)) == (1, 0)


async def test_a_redirected_token_request_is_never_followed() -> None:
    """The key is sent to the configured token service and to nobody whom it names."""
    async with FakeRoutee() as other, FakeRoutee(token=always(307, Location=f"{other.url}/oauth/token")) as server:
        async with RouteeClient(server.config()) as client:
            with pytest.raises(TokenUnavailable, match="answered 307"):
                await client.send(sms())
        assert (server.token_requests, other.token_requests) == (1, 0)


async def test_a_long_answer_is_not_read_to_its_end() -> None:
    """More bytes than max_response_size end the reading; whether the message was accepted is then unknown."""
    async with (
        FakeRoutee(always(200, "x" * 5_000)) as server,
        RouteeClient(server.config(max_response_size=4_000)) as client,
    ):
        with pytest.raises(DeliveryUnknown, match="longer than max_response_size"):
            await client.send(sms())
        assert len(server.requests) == 1


async def test_an_answer_within_its_limit_is_read_whole() -> None:
    """An answer of exactly max_response_size bytes is read, in however many pieces it comes."""
    body = b'{"trackingId":"t"}'.ljust(300_000)

    async def answer(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=body)

    async with FakeRoutee(answer) as server, RouteeClient(server.config(max_response_size=len(body))) as client:
        assert (await client.send(sms())).tracking_id == "t"


async def test_a_bomb_is_not_blown_up() -> None:
    """A small gzip answer that unpacks to 256 MiB costs a few MiB."""
    bomb = gzip.compress(bytes(2**28), 1)

    async def answer(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with FakeRoutee(answer) as server, RouteeClient(server.config(max_response_size=2**20)) as client:
        tracemalloc.start()
        try:
            with pytest.raises(DeliveryUnknown, match="longer than max_response_size"):
                await client.send(sms())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 2**25


async def test_a_full_pool_says_how_large_it_is() -> None:
    """A send that gets no connection in time says which settings decide that, and was not sent."""
    async with FakeRoutee(_hang) as server:
        config = server.config(pool_size=1, pool_timeout=SOON / 3, total_timeout=SOON)
        async with RouteeClient(config) as client:
            first = asyncio.create_task(client.send(sms()))
            await until(lambda: server.requests)
            with pytest.raises(PoolTimeout, match=r"all 1 connections .* nothing was sent. Raise pool_size") as caught:
                await client.send(sms())
            assert caught.value.outcome is Outcome.NOT_SENT
            with pytest.raises(DeliveryUnknown):
                await first
        assert len(server.requests) == 1


async def test_waiting_for_a_connection_takes_no_time_from_the_request() -> None:
    """total_timeout begins when the connection's turn has come."""
    async with FakeRoutee() as server:
        server.pause = 0.08
        async with RouteeClient(server.config(pool_size=1, total_timeout=timedelta(milliseconds=160))) as client:
            receipts = await asyncio.gather(*(client.send(sms()) for _ in range(4)))
    assert len(receipts) == 4


async def test_a_turn_comes_back_after_every_kind_of_end() -> None:
    """Refused, timed out and cancelled sends leave the pool as wide as it was."""
    async with FakeRoutee(_hang) as server:
        config = server.config(pool_size=1, total_timeout=SOON / 3)
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


async def test_headers_of_ones_own_go_with_every_request() -> None:
    """The headers of the settings are on token requests and sends."""
    seen: list[Seen] = []

    async def note(request: Seen) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"access_token": "t", "trackingId": "t"})

    async with (
        FakeRoutee(note, token=note) as server,
        RouteeClient(server.config(headers={"User-Agent": "shop/1"})) as client,
    ):
        await client.send(sms())
    assert [request.headers["User-Agent"] for request in seen] == ["shop/1", "shop/1"]


async def test_cookies_are_not_kept() -> None:
    """What a server sets in one answer is not carried into another request."""
    async with FakeRoutee(always(404, Set_Cookie="a=b")) as server, RouteeClient(server.config()) as client:
        for _ in range(2):
            with pytest.raises(Rejected):
                await client.send(sms())
        assert all("Cookie" not in seen.headers for seen in server.requests)
