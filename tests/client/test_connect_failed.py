"""A Routee that is no longer reachable."""

import pytest

from routee_failover import ConnectFailed, FlowReceipt, Outcome, RouteeClient
from routee_failover.errors import InvalidFlow
from routee_failover.sandbox import Sandbox

from .sample_flows import sms


async def test_unreachable_server_raises_connect_failed_for_send_and_track() -> None:
    """With a token and no listening server, a send and a read call end as not sent, and say so."""
    async with Sandbox() as sandbox:
        client = RouteeClient(sandbox.config())
        receipt = await client.send(sms())
    async with client:
        with pytest.raises(ConnectFailed, match="nothing was sent") as caught:
            await client.send(sms())
        assert caught.value.outcome is Outcome.NOT_SENT
        assert isinstance(receipt, FlowReceipt)
        with pytest.raises(ConnectFailed, match="can be repeated"):
            await client.track(receipt)
        assert sandbox.counts.accepted == 1


async def test_unknown_endpoint_is_refused_before_any_request() -> None:
    """A wrong endpoint for an id is an error that lists the valid ones."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(InvalidFlow, match="standard, transactional, otp, viber-otp"):
            await client.track("some-id", "bogus")
        assert sandbox.counts.requests == 0
