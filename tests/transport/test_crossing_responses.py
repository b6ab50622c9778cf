"""Responses that a server sends while a message is on its way: they may be about an earlier message, or about none."""

from collections import Counter

import pytest

from routee_failover import RouteeClient, RouteeError
from tests.client.sample_flows import standard

from .raw_server import ACCEPTED, TOKEN_PATH, TOKEN_RESPONSE, RawServer, Reader, Writer, http


class CrossingServer:
    """Server that accepts every message, and sends a response of its own while it reads the second one."""

    def __init__(self, crossing: bytes) -> None:
        self._crossing = crossing
        self.accepted = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            if self.accepted == 1 and self._crossing:
                writer.write(self._crossing)
                self._crossing = b""
                await writer.drain()
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
            if TOKEN_PATH in head:
                writer.write(TOKEN_RESPONSE)
                continue
            self.accepted += 1
            writer.write(ACCEPTED)


async def _outcomes(crossing: bytes) -> tuple[Counter[str], int]:
    """Return the outcomes of two sends and the number of messages that the server accepted."""
    handler, outcomes = CrossingServer(crossing), Counter[str]()
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        for _ in range(2):
            try:
                await client.send(standard())
                outcomes["ACCEPTED"] += 1
            except RouteeError as error:
                outcomes[str(error.outcome)] += 1
    return outcomes, handler.accepted


@pytest.mark.parametrize("status", ["408 Request Timeout", "425 Too Early"])
async def test_408_or_425_that_crosses_a_message_does_not_send_it_twice(status: str) -> None:
    """The server reads on after it, and accepts the message: the outcome is UNKNOWN, and no second one is sent."""
    assert await _outcomes(http(status)) == ({"ACCEPTED": 1, "UNKNOWN": 1}, 2)


@pytest.mark.parametrize(("status", "outcome"), [("400 Bad Request", "REJECTED"), ("502 Bad Gateway", "UNKNOWN")])
async def test_other_response_that_crosses_a_message_is_taken_for_its_own(status: str, outcome: str) -> None:
    """HTTP/1.1 cannot tell the two apart; neither leads to a second send."""
    assert await _outcomes(http(status)) == ({"ACCEPTED": 1, outcome: 1}, 2)
