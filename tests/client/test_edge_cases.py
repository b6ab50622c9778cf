"""Regression tests of edge cases that reviews have found."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import attrs
import pytest
from aiohttp import web

from routee_failover import (
    Callback,
    ConnectFailed,
    OtpFlow,
    OtpReceipt,
    OtpSmsStep,
    Outcome,
    RouteeClient,
    SmsMessage,
    TokenUnavailable,
    Unprocessable,
)
from routee_failover.errors import InvalidFlow
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest
from .rendered_errors import shown
from .sample_flows import otp, sms

PIN = "598314"


async def test_hanging_resolver_ends_within_connect_and_total_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose resolver hangs ends within its timeouts, with all retries, and the error names the timeout."""

    async def hang(*_: object, **__: object) -> list[Any]:
        await asyncio.sleep(30)
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    async with FakeRoutee() as server:
        settings = {"connect_timeout": timedelta(seconds=0.1), "total_timeout": timedelta(seconds=0.25)}
        config = server.config(auth_url="http://routee.localhost", **settings)
        async with RouteeClient(config) as client:
            started = time.monotonic()
            with pytest.raises(TokenUnavailable, match="no connection could be made within connect_timeout"):
                await client.send(sms())
            assert time.monotonic() - started < 2
        assert server.requests == []


async def test_rejection_that_quotes_part_of_the_text_masks_the_code() -> None:
    """A rejection that quotes only the part of an SMS that holds the code does not show the code."""

    async def quote(_request: ReceivedRequest) -> web.StreamResponse:
        detail = [{"loc": ["body", "flow", 0], "msg": f"text 'code is {PIN}' has 3 words", "type": "x"}]
        return web.json_response({"detail": detail}, status=422)

    flow = OtpFlow(
        steps=[OtpSmsStep(to="+306912345678", message=f"Your code is {PIN}.", ttl=timedelta(minutes=1))],
    )
    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as caught:
            await client.send(flow)
    assert "has 3 words" in str(caught.value)
    assert PIN not in shown(caught.value)


async def test_receipt_attributes_and_asdict_hide_the_pin() -> None:
    """Neither the attributes nor attrs' dictionary of a receipt show the PIN that Routee echoes."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        flow = otp()
        pin = flow.steps[0].pin.reveal()  # type: ignore[union-attr]
        receipt = await client.send(flow)
    assert isinstance(receipt, OtpReceipt)
    assert pin not in repr(vars(receipt)) + repr(attrs.asdict(receipt)) + repr(receipt.raw)


async def test_message_above_one_mebibyte_is_sent_without_a_warning() -> None:
    """A body of more than a mebibyte is sent like any other, though aiohttp warns of so many bytes at once."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        receipt = await client.send(sms(text="x" * 2**21))
        assert receipt.tracking_id
        assert len(server.requests[0].body) > 2**21


@pytest.mark.parametrize("tracking_id", ["\ud800", "a\nb", "\x00"], ids=["surrogate", "newline", "null"])
async def test_unprintable_id_is_refused_before_any_request(tracking_id: str) -> None:
    """An id that cannot be part of a URL is refused before any request is made."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidFlow):
            await client.track(tracking_id)
        with pytest.raises(InvalidFlow):
            await client.track("x", [])  # type: ignore[call-overload]
        assert server.token_requests == 0


@pytest.mark.parametrize("url", ["https://a:99999/b", "https://a/\x00b", "https://a:x/", "https://a/\x7f"])
def test_malformed_callback_url_is_refused(url: str) -> None:
    """A port out of range and a control character make a URL invalid."""
    with pytest.raises(InvalidFlow, match="url"):
        Callback(url=url)


def test_recursive_extra_is_refused() -> None:
    """A list within itself is not JSON, and detecting it takes a bounded time."""
    recursive: list[Any] = []
    recursive += [recursive, recursive]
    with pytest.raises(InvalidFlow, match="must not be nested more than 64 deep"):
        SmsMessage(body="x", extra={"ring": recursive})


async def test_retries_end_with_the_total_timeout() -> None:
    """If no server listens, attempts end with the total timeout, and nothing was sent."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config(total_timeout=timedelta(milliseconds=60)))
        await client.send(sms())
    async with client:
        with pytest.raises(ConnectFailed) as caught:
            await client.send(sms())
    assert caught.value.outcome is Outcome.NOT_SENT


async def test_with_options_returns_an_independent_client() -> None:
    """with_options() returns a client with some settings changed; the first one keeps its own, and its connections."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        async with client.with_options(pool_size=3) as other:
            assert (client.config.pool_size, other.config) == (100, attrs.evolve(client.config, pool_size=3))
            await other.send(sms())
        await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 2)
