"""`should_send` is the last check: a withdrawn message has sent no byte, by the server's own count."""

import pytest

from routee_failover import RouteeClient, Withdrawn

from .faults import ERROR_STATUSES
from .faulty_server import FaultyServer, first
from .sample_flows import otp

_RECIPIENT = "+306912345678"


async def test_should_send_false_before_the_first_byte_sends_nothing(server: FaultyServer) -> None:
    """Called right before the first byte, False leaves the message unsent; the connection serves the next one."""
    async with RouteeClient(server.config()) as routee:
        await routee.send(otp(_RECIPIENT))
        with pytest.raises(Withdrawn, match="nothing was sent"):
            await routee.send(otp("+306912345679"), should_send=lambda: False)
        await routee.send(otp("+306912345670"), should_send=lambda: True)
    await server.drained()
    assert server.request_counts == {_RECIPIENT: 1, "+306912345670": 1}


async def test_should_send_is_called_once_right_before_the_bytes_are_written(server: FaultyServer) -> None:
    """Between the call and the first byte nothing is awaited: one call an attempt is enough."""
    answers = [True]
    async with RouteeClient(server.config()) as routee:
        await routee.send(otp(_RECIPIENT), should_send=lambda: answers.pop(0))
    await server.drained()
    assert (server.accepted, answers) == ({_RECIPIENT: 1}, [])


async def test_should_send_is_called_for_every_attempt(server: FaultyServer) -> None:
    """A message that Routee throttled is not retried once `should_send` returns False."""
    calls = list[bool]()

    def should_send() -> bool:
        calls.append(True)
        return len(calls) < 2

    server.next_fault = first(ERROR_STATUSES[429])
    async with RouteeClient(server.config()) as routee:
        with pytest.raises(Withdrawn):
            await routee.send(otp(_RECIPIENT), should_send=should_send)
    await server.drained()
    assert (server.request_counts[_RECIPIENT], server.accepted[_RECIPIENT]) == (1, 0)
