"""The balance of the account."""

import pytest
from aiohttp import web

from routee_failover import Balance, NoResponse, RouteeClient
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest


async def test_balance_has_amount_currency_and_raw_json() -> None:
    """The balance is read over the wire as the contract's response has it, with all of it in `raw`."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        balance = await client.balance()
    assert isinstance(balance, Balance)
    assert balance.amount is not None
    assert balance.amount > 0
    assert balance.currency == balance.raw["currency"]["code"]


async def test_unreadable_balance_raises_no_response() -> None:
    """A response that is not an object raises `NoResponse`; the call changed nothing and can be repeated."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response([])

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="is not a JSON object"):
            await client.balance()
