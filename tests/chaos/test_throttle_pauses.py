"""What Routee refuses for now is sent again when it may be: after the pause that it asks for, which holds everybody."""

import asyncio
from datetime import timedelta

import pytest

from routee_failover import Outcome, RouteeClient
from tests.client.fake_routee import until

from .consistency import contradictions, send_and_report
from .faults import ERROR_STATUSES, Fault, status_fault
from .faulty_server import FaultyServer, always, first
from .sample_flows import ENDPOINTS, new_flow
from .scale import scaled
from .server_loop import ServerLoop

PAUSING = [ERROR_STATUSES[429], ERROR_STATUSES[503]]
ONCE_MORE = [ERROR_STATUSES[408], ERROR_STATUSES[425]]


@pytest.mark.parametrize("fault", [*PAUSING, *ONCE_MORE], ids=lambda fault: fault.name)
async def test_what_is_refused_for_now_is_sent_again(server: FaultyServer, fault: Fault) -> None:
    """On every endpoint a message that is refused for now is read twice and taken once."""
    server.next_fault = first(*[fault] * len(ENDPOINTS))
    async with RouteeClient(server.config()) as client:
        await server.hold()
        sending = [asyncio.create_task(send_and_report(client, new_flow(endpoint))) for endpoint in ENDPOINTS]
        await until(lambda: server.token_requests)
        await server.release()
        all_told = await asyncio.gather(*sending)
    await server.drained()
    assert contradictions(all_told, server.accepted) == []
    assert [(each.outcome, server.request_counts[each.number]) for each in all_told] == [(Outcome.ACCEPTED, 2)] * len(
        ENDPOINTS
    )


@pytest.mark.parametrize("fault", ONCE_MORE, ids=lambda fault: fault.name)
async def test_once_more_is_once(server: FaultyServer, fault: Fault) -> None:
    """A message that is refused again for its time is REJECTED after its second try."""
    server.next_fault = always(fault)
    async with RouteeClient(server.config()) as client:
        each = await send_and_report(client, new_flow())
    assert (each.outcome, server.request_counts[each.number], server.accepted.total()) == (Outcome.REJECTED, 2, 0)


@pytest.mark.parametrize("fault", PAUSING, ids=lambda fault: fault.name)
async def test_tries_are_limited(server: FaultyServer, fault: Fault) -> None:
    """With one try a message that is refused for now is REJECTED after it."""
    server.next_fault = always(fault)
    async with RouteeClient(server.config(max_attempts=1)) as client:
        each = await send_and_report(client, new_flow())
    assert (each.outcome, server.request_counts[each.number], server.accepted.total()) == (Outcome.REJECTED, 1, 0)


async def _held(server_loop: ServerLoop, code: int) -> float:
    """For how long nothing comes after a refusal that asks for a pause of one second, with much to send."""
    refused, others = new_flow(), [new_flow() for _ in range(scaled(20, maximum=200))]
    async with FaultyServer(server_loop) as server:
        server.next_fault = first(status_fault(code, "Retry-After: 1", takes=False))
        async with RouteeClient(server.config()) as client:
            sending = [asyncio.create_task(send_and_report(client, refused))]
            await until(server.request_counts.total)
            await asyncio.sleep(0.05)
            sending += [asyncio.create_task(send_and_report(client, flow)) for flow in others]
            all_told = await asyncio.gather(*sending)
        assert {each.outcome for each in all_told} == {Outcome.ACCEPTED}
        assert contradictions(all_told, server.accepted) == []
        began, then, *_ = sorted(moment for moments in server.arrivals.values() for moment in moments)
        return then - began


async def test_a_pause_holds_the_whole_client(server_loop: ServerLoop) -> None:
    """After a Retry-After of one second nothing comes for a second: neither the refused message nor any other."""
    assert min(await asyncio.gather(_held(server_loop, 429), _held(server_loop, 503))) >= 1


async def test_a_pause_longer_than_the_longest_is_told(server: FaultyServer) -> None:
    """A pause that is longer than max_throttle_pause holds nobody for ever: the message is refused, others go on later."""
    server.next_fault = first(status_fault(429, "Retry-After: 86400", takes=False))
    async with (
        asyncio.timeout(20),
        RouteeClient(server.config(max_throttle_pause=timedelta(milliseconds=100))) as client,
    ):
        before = await send_and_report(client, new_flow())
        after = await send_and_report(client, new_flow())
    assert after.outcome is Outcome.ACCEPTED
    assert contradictions([before, after], server.accepted) == []
    assert server.arrivals[after.number][0] - server.arrivals[before.number][0] >= 0.1
