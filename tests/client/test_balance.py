"""What the account holds."""

import pytest
from aiohttp import web

from routee_failover import Balance, NoResponse, RouteeClient
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, Seen


async def test_balance_is_a_number_and_a_currency() -> None:
    """The balance is read over the wire as the contract's answer has it, with all of it in `raw`."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        balance = await client.balance()
    assert isinstance(balance, Balance)
    assert balance.amount is not None
    assert balance.amount > 0
    assert balance.currency == balance.raw["currency"]["code"]


async def test_a_balance_that_cannot_be_read_is_no_answer() -> None:
    """An answer that is no object changes nothing and can be asked for again."""

    async def odd(_seen: Seen) -> web.StreamResponse:
        return web.json_response([])

    async with FakeRoutee(odd) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="is not a JSON object"):
            await client.balance()
