"""Every fault against every endpoint: what the client says of a message and what the server counted agree."""

import asyncio
from datetime import timedelta

import pytest

from routee_failover import Outcome, RouteeClient

from .faults import ALL, WELL, WELL_AND_CLOSES
from .judge import Told, contradictions, told
from .messages import ENDPOINTS, new_flow
from .server import FaultyServer, always
from .table import ANSWERS, REFUSED, REQUESTS, Retried, Row

PATIENCE = timedelta(milliseconds=150)
ROWS = [*REQUESTS, *ANSWERS, *REFUSED]


async def _one_each(client: RouteeClient) -> list[Told]:
    return await asyncio.gather(*(told(client, new_flow(endpoint)) for endpoint in ENDPOINTS))


async def warmed(client: RouteeClient, server: FaultyServer, *, reused: bool) -> None:
    """Get a token, and have as many connections in the pool as there are endpoints, or none."""
    server.fate = always(WELL if reused else WELL_AND_CLOSES)
    async with asyncio.timeout(30):
        while {each.outcome for each in await _one_each(client)} != {Outcome.ACCEPTED}:
            pass


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_what_is_said_of_a_message_agrees_with_the_count(server: FaultyServer, row: Row, reused: bool) -> None:
    """On all four endpoints a fault leads to its outcome, and the server has taken the message as often as that says."""
    fault = row.fault
    assert fault is not None
    patience = {"total_timeout": PATIENCE} if fault.hangs else {}
    async with RouteeClient(server.config(**patience)) as client:
        await warmed(client, server, reused=reused)
        server.forget()
        server.fate = always(fault)
        all_told = await _one_each(client)
    await server.drained()
    assert contradictions(all_told, server.taken) == []
    assert {each.outcome for each in all_told} <= {*row.outcomes}, [each.error for each in all_told]
    for each in all_told:
        assert server.taken[each.number] == (0 if each.outcome is Outcome.NOT_SENT else fault.takes)
        if row.retried is Retried.NO:
            assert server.read[each.number] == (fault.reads == ALL)
