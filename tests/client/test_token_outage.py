"""The token service fails: how often it is asked, and what becomes of the messages that need it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import RouteeClient, TokenUnavailable

from .fake_routee import FakeRoutee, Seen, accepted, always, token
from .sample_flows import sms


async def test_an_outage_of_the_token_service_is_not_made_worse() -> None:
    """200 sends one after another, of which none can have a token: at most 1.2 times as many token requests."""

    async def down(_seen: Seen) -> web.StreamResponse:
        return web.json_response({}, status=500)

    async with FakeRoutee(token=down) as server, RouteeClient(server.config()) as client:
        for _ in range(200):
            with pytest.raises(TokenUnavailable, match="answered 500; nothing was sent"):
                await client.send(sms())
    assert 200 <= server.token_requests <= 240
    assert server.requests == []


async def test_a_renewal_that_fails_says_that_the_message_was_refused() -> None:
    """A message whose token was refused, and for which no other can be had, was not accepted: that is what is said."""
    tokens = iter([token("first")])

    async def once(_seen: Seen) -> web.StreamResponse:
        return next(tokens, None) or web.json_response({}, status=403)

    async with FakeRoutee(always(401, {}), token=once) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable) as caught:
            await client.send(sms())
    assert str(caught.value) == (
        "Routee rejected the token of the message, and Routee's token service answered 403; "
        "the message was not accepted"
    )
    assert len(server.requests) == 1


async def test_a_message_that_waited_long_is_mended_all_the_same() -> None:
    """A message that waited for its turn for longer than total_timeout has its token renewed like any other."""
    refused = iter([False, True])

    async def answer(_seen: Seen) -> web.StreamResponse:
        return web.json_response({}, status=401) if next(refused, False) else accepted()

    settings: dict[str, Any] = {"rate": 2, "total_timeout": timedelta(seconds=0.3)}
    async with FakeRoutee(answer) as server, RouteeClient(server.config(**settings)) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(2)))
    assert (len(server.requests), server.token_requests) == (3, 2)
