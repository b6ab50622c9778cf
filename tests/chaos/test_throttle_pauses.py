"""Throttle pauses: a message that is rejected for now is retried after the requested pause, which holds all sends."""

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

THROTTLED = [ERROR_STATUSES[429], ERROR_STATUSES[503]]
RETRIED_ONCE = [ERROR_STATUSES[408], ERROR_STATUSES[425]]


@pytest.mark.parametrize("fault", [*THROTTLED, *RETRIED_ONCE], ids=lambda fault: fault.name)
async def test_message_rejected_for_now_is_retried_and_accepted_once(server: FaultyServer, fault: Fault) -> None:
    """On every endpoint a message that is rejected for now is read twice and accepted once."""
    server.next_fault = first(*[fault] * len(ENDPOINTS))
    async with RouteeClient(server.config()) as client:
        await server.hold()
        sending = [asyncio.create_task(send_and_report(client, new_flow(endpoint))) for endpoint in ENDPOINTS]
        await until(lambda: server.token_requests)
        await server.release()
        reports = await asyncio.gather(*sending)
    await server.drained()
    assert contradictions(reports, server.accepted) == []
    assert [(report.outcome, server.request_counts[report.number]) for report in reports] == [
        (Outcome.ACCEPTED, 2)
    ] * len(ENDPOINTS)


@pytest.mark.parametrize("fault", RETRIED_ONCE, ids=lambda fault: fault.name)
async def test_408_and_425_are_retried_only_once(server: FaultyServer, fault: Fault) -> None:
    """A message that gets 408 or 425 again is REJECTED after its second attempt."""
    server.next_fault = always(fault)
    async with RouteeClient(server.config()) as client:
        report = await send_and_report(client, new_flow())
    assert (report.outcome, server.request_counts[report.number], server.accepted.total()) == (Outcome.REJECTED, 2, 0)


@pytest.mark.parametrize("fault", THROTTLED, ids=lambda fault: fault.name)
async def test_max_attempts_of_one_rejects_without_a_retry(server: FaultyServer, fault: Fault) -> None:
    """With `max_attempts=1` a message that is rejected for now is REJECTED after one attempt."""
    server.next_fault = always(fault)
    async with RouteeClient(server.config(max_attempts=1)) as client:
        report = await send_and_report(client, new_flow())
    assert (report.outcome, server.request_counts[report.number], server.accepted.total()) == (Outcome.REJECTED, 1, 0)


async def _pause_seconds(server_loop: ServerLoop, code: int) -> float:
    """Return the seconds without requests after a rejection that asks for a pause of one second."""
    rejected, others = new_flow(), [new_flow() for _ in range(scaled(20, maximum=200))]
    async with FaultyServer(server_loop) as server:
        server.next_fault = first(status_fault(code, "Retry-After: 1", accepts=False))
        async with RouteeClient(server.config()) as client:
            sending = [asyncio.create_task(send_and_report(client, rejected))]
            await until(server.request_counts.total)
            await asyncio.sleep(0.05)
            sending += [asyncio.create_task(send_and_report(client, flow)) for flow in others]
            reports = await asyncio.gather(*sending)
        assert {report.outcome for report in reports} == {Outcome.ACCEPTED}
        assert contradictions(reports, server.accepted) == []
        first_arrival, next_arrival, *_ = sorted(
            arrival for arrivals in server.arrivals.values() for arrival in arrivals
        )
        return next_arrival - first_arrival


async def test_throttle_pause_holds_the_whole_client(server_loop: ServerLoop) -> None:
    """After a Retry-After of one second no request comes for a second: neither the rejected message nor any other."""
    assert min(await asyncio.gather(_pause_seconds(server_loop, 429), _pause_seconds(server_loop, 503))) >= 1


async def test_pause_is_limited_to_max_throttle_pause(server: FaultyServer) -> None:
    """A pause longer than max_throttle_pause is cut to that: the message is rejected, others continue after it."""
    server.next_fault = first(status_fault(429, "Retry-After: 86400", accepts=False))
    async with (
        asyncio.timeout(20),
        RouteeClient(server.config(max_throttle_pause=timedelta(milliseconds=100))) as client,
    ):
        before = await send_and_report(client, new_flow())
        after = await send_and_report(client, new_flow())
    assert after.outcome is Outcome.ACCEPTED
    assert contradictions([before, after], server.accepted) == []
    assert server.arrivals[after.number][0] - server.arrivals[before.number][0] >= 0.1
