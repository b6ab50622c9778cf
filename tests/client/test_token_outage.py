"""An outage of the token service: how many requests it gets, and how messages that need a token end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import RouteeClient, TokenUnavailable

from .fake_routee import FakeRoutee, ReceivedRequest, accepted_response, always, token_response
from .sample_flows import sms


async def test_token_outage_is_limited_by_the_retry_budget() -> None:
    """200 sends one after another, none of which gets a token: at most 1.2 times as many token requests."""

    async def down(_request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response({}, status=500)

    async with FakeRoutee(token=down) as server, RouteeClient(server.config()) as client:
        for _ in range(200):
            with pytest.raises(TokenUnavailable, match="answered 500; nothing was sent"):
                await client.send(sms())
    assert 200 <= server.token_requests <= 240
    assert server.requests == []


async def test_failed_renewal_error_says_that_the_message_was_not_accepted() -> None:
    """A message whose token was rejected, and that gets no other, was not accepted: the error says so."""
    tokens = iter([token_response("first")])

    async def once(_request: ReceivedRequest) -> web.StreamResponse:
        return next(tokens, None) or web.json_response({}, status=403)

    async with FakeRoutee(always(401, {}), token=once) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable) as caught:
            await client.send(sms())
    assert str(caught.value) == (
        "Routee rejected the token of the message, and Routee's token service answered 403; "
        "the message was not accepted"
    )
    assert len(server.requests) == 1


async def test_token_is_renewed_for_a_message_that_waited_longer_than_total_timeout() -> None:
    """A message that waited for the rate limit longer than total_timeout has its token renewed like any other."""
    rejections = iter([False, True])

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response({}, status=401) if next(rejections, False) else accepted_response()

    settings: dict[str, Any] = {"rate": 2, "total_timeout": timedelta(seconds=0.3)}
    async with FakeRoutee(respond) as server, RouteeClient(server.config(**settings)) as client:
        await asyncio.gather(*(client.send(sms()) for _ in range(2)))
    assert (len(server.requests), server.token_requests) == (3, 2)
