"""A Routee that was there a moment ago."""

import pytest

from routee_failover import ConnectFailed, FlowReceipt, Outcome, RouteeClient
from routee_failover.errors import InvalidFlow
from routee_failover.sandbox import Sandbox

from .sample_flows import sms


async def test_a_server_that_went_away_gets_nothing() -> None:
    """With a token in hand and nobody listening any more, a send and a question end as not sent, and say so."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        receipt = await client.send(sms())
    async with client:
        with pytest.raises(ConnectFailed, match="nothing was sent") as refused:
            await client.send(sms())
        assert refused.value.outcome is Outcome.NOT_SENT
        assert isinstance(receipt, FlowReceipt)
        with pytest.raises(ConnectFailed, match="can be asked again"):
            await client.track(receipt)
        assert sandbox.counts.accepted == 1


async def test_an_endpoint_that_does_not_exist_is_named_before_anything_is_asked() -> None:
    """A wrong endpoint for an id is an error of our own that lists the right ones."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(InvalidFlow, match="standard, transactional, otp, viber-otp"):
            await client.track("some-id", "bogus")
        assert sandbox.counts.requests == 0
