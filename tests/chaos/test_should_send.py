"""`should_send` is the last gate: what is not wanted any more has left no byte, by the server's own count."""

import pytest

from routee_failover import RouteeClient, Withdrawn

from .faults import ERROR_STATUSES
from .faulty_server import FaultyServer, first
from .sample_flows import otp

_TO = "+306912345678"


async def test_what_is_not_wanted_any_more_does_not_leave(server: FaultyServer) -> None:
    """Asked right before the first byte, a no leaves the message unsent and says so; the connection serves the next."""
    async with RouteeClient(server.config()) as routee:
        await routee.send(otp(_TO))
        with pytest.raises(Withdrawn, match="nothing was sent"):
            await routee.send(otp("+306912345679"), should_send=lambda: False)
        await routee.send(otp("+306912345670"), should_send=lambda: True)
    await server.drained()
    assert server.request_counts == {_TO: 1, "+306912345670": 1}


async def test_what_is_withdrawn_between_the_gate_and_the_wire_does_not_leave(server: FaultyServer) -> None:
    """A process may be frozen after the gate was asked: it is asked again where the bytes are written."""
    answers = [True, False]
    async with RouteeClient(server.config()) as routee:
        with pytest.raises(Withdrawn):
            await routee.send(otp(_TO), should_send=lambda: answers.pop(0))
    await server.drained()
    assert not server.request_counts
    assert not answers


async def test_every_try_is_asked_about(server: FaultyServer) -> None:
    """A message that Routee refused for now is not tried again once it is not wanted any more."""
    asked = list[bool]()

    def once() -> bool:
        asked.append(True)
        return len(asked) < 3  # twice for the first try

    server.next_fault = first(ERROR_STATUSES[429])
    async with RouteeClient(server.config()) as routee:
        with pytest.raises(Withdrawn):
            await routee.send(otp(_TO), should_send=once)
    await server.drained()
    assert (server.request_counts[_TO], server.accepted[_TO]) == (1, 0)
