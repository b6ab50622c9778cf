"""What a second pair of eyes found at the edges, held for good."""

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

from .fake_routee import FakeRoutee, Seen
from .rendered_errors import shown
from .sample_flows import otp, sms

PIN = "598314"


async def test_looking_up_a_host_counts_as_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs ends the call within its timeouts, however often it is tried, and says what took long."""

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


async def test_a_part_of_a_text_that_holds_the_code_is_masked() -> None:
    """A refusal that quotes only the part of an SMS that holds the code does not show the code."""

    async def quote(_seen: Seen) -> web.StreamResponse:
        detail = [{"loc": ["body", "flow", 0], "msg": f"text 'code is {PIN}' has 3 words", "type": "x"}]
        return web.json_response({"detail": detail}, status=422)

    flow = OtpFlow(
        steps=[OtpSmsStep(to="+306912345678", message=f"Your code is {PIN}.", ttl=timedelta(minutes=1))],
    )
    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as refused:
            await client.send(flow)
    assert "has 3 words" in str(refused.value)
    assert PIN not in shown(refused.value)


async def test_a_receipt_taken_apart_shows_no_pin() -> None:
    """Neither its attributes nor attrs' dictionary of a receipt show the PIN that Routee echoes."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        flow = otp()
        pin = flow.steps[0].pin.reveal()  # type: ignore[union-attr]
        receipt = await client.send(flow)
    assert isinstance(receipt, OtpReceipt)
    assert pin not in repr(vars(receipt)) + repr(attrs.asdict(receipt)) + repr(receipt.raw)


async def test_a_large_message_is_sent_without_a_warning() -> None:
    """A body of more than a mebibyte goes out like any other, though aiohttp warns of so many bytes at once."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        receipt = await client.send(sms(words="x" * 2**21))
        assert receipt.tracking_id
        assert len(server.requests[0].body) > 2**21


@pytest.mark.parametrize("identity", ["\ud800", "a\nb", "\x00"], ids=["surrogate", "newline", "null"])
async def test_an_id_that_no_receipt_has_is_refused(identity: str) -> None:
    """What cannot stand in an address is refused before anything is asked."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidFlow):
            await client.track(identity)
        with pytest.raises(InvalidFlow):
            await client.track("x", [])  # type: ignore[call-overload]
        assert server.token_requests == 0


@pytest.mark.parametrize("url", ["https://a:99999/b", "https://a/\x00b", "https://a:x/", "https://a/\x7f"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """A port that cannot be and a control character make no URL."""
    with pytest.raises(InvalidFlow, match="url"):
        Callback(url=url)


def test_extra_that_holds_itself_is_refused() -> None:
    """A list within itself is no JSON, and finding out does not take for ever."""
    ring: list[Any] = []
    ring += [ring, ring]
    with pytest.raises(InvalidFlow, match="must not be nested more than 64 deep"):
        SmsMessage(body="x", extra={"ring": ring})


async def test_nothing_is_tried_again_past_the_total_timeout() -> None:
    """Where nobody listens, the tries end with the total timeout, and nothing was sent."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config(total_timeout=timedelta(milliseconds=60)))
        await client.send(sms())
    async with client:
        with pytest.raises(ConnectFailed) as failed:
            await client.send(sms())
    assert failed.value.outcome is Outcome.NOT_SENT


async def test_other_options_make_another_client() -> None:
    """with_options() gives a client with some settings changed; the first one keeps its own, and its connections."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        async with client.with_options(pool_size=3) as other:
            assert (client.config.pool_size, other.config) == (100, attrs.evolve(client.config, pool_size=3))
            await other.send(sms())
        await client.send(sms())
        assert (server.token_requests, len(server.requests)) == (2, 2)
