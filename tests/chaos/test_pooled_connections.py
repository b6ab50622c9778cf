"""What happens to connections while they lie in the pool: they are closed, or something comes that nobody asked for."""

import asyncio
import time

import pytest

from routee_failover import Outcome, RouteeClient
from tests.client.fake_routee import until

from .connection_faults import ServerTls
from .consistency import SendReport, contradictions, send_and_report
from .expected_outcomes import STALE_CONNECTION_ROWS, STRAY_DATA_ROWS, ExpectedOutcome
from .faults import ERROR_STATUSES, NO_FAULT, Fault, http
from .faulty_server import FaultyServer, always
from .sample_flows import new_flow, new_flows
from .scale import scaled
from .server_loop import ServerLoop


def _named(row: ExpectedOutcome) -> str:
    return row.name


async def _all_recovered(server: FaultyServer, row: ExpectedOutcome, count: int, *, busy: bool) -> None:
    assert row.fault is not None
    server.next_fault = always(row.fault)
    all_told = []
    async with RouteeClient(server.config()) as client:
        for flow in new_flows(count):
            all_told.append(await send_and_report(client, flow))
            server.resume()
            while server.api.connection_count:
                if busy:
                    time.sleep(0.0005)  # noqa: ASYNC251  # a loop that does not hear of it is what this is about
                else:
                    await asyncio.sleep(0.0005)
            for _ in range(0 if busy else 10):
                await asyncio.sleep(0)  # an idle loop has turns enough to hear of anything
    await server.drained()
    assert contradictions(all_told, server.accepted) == []
    assert [each for each in all_told if each.outcome not in row.outcomes] == []
    assert server.accepted.total() == server.api.accepted == count


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE_CONNECTION_ROWS, ids=_named)
async def test_a_connection_that_is_closed_in_the_pool_costs_no_message(
    server: FaultyServer, row: ExpectedOutcome, busy: bool
) -> None:
    """Each message that meets a connection which the server has closed is accepted, once, over another one."""
    count = 20 if busy else 200 if row is STALE_CONNECTION_ROWS[0] else 50
    await _all_recovered(server, row, scaled(count), busy=busy)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE_CONNECTION_ROWS, ids=_named)
async def test_a_connection_over_tls_that_is_closed_in_the_pool_costs_no_message(
    server_loop: ServerLoop, server_tls: ServerTls, row: ExpectedOutcome, busy: bool
) -> None:
    """The same over TLS, with a goodbye, without one, and with a RST."""
    async with FaultyServer(server_loop, server_tls.context) as server:
        await _all_recovered(server, row, scaled(20), busy=busy)


async def test_a_whole_pool_that_is_closed_costs_no_message(server: FaultyServer) -> None:
    """Where the server restarts and every pooled connection is dead, each of as many messages is accepted once."""
    count = 50
    async with RouteeClient(server.config(pool_size=2 * count)) as client:
        await client.otp_templates()
        for _ in range(scaled(5)):
            await server.hold()
            sending = [asyncio.create_task(send_and_report(client, flow)) for flow in new_flows(count)]
            await until(lambda: server.accepted.total() == count)
            await server.release()
            all_told = await asyncio.gather(*sending)
            assert {each.outcome for each in all_told} == {Outcome.ACCEPTED}
            assert contradictions(all_told, server.accepted) == []
            server.reset_counts()
            await server.drop_connections()


async def _after(server: FaultyServer, stray: bytes, then: Fault, *, busy: bool) -> SendReport:
    """What becomes of a message before which something came that nobody had asked for."""
    async with RouteeClient(server.config()) as client:
        server.next_fault = always(Fault("an answer nobody asked for", waits_for_resume=True, stray_data=stray))
        await client.send(new_flow())
        server.resume()
        if busy:
            while not server.stray_count:
                time.sleep(0.0005)  # noqa: ASYNC251  # what comes stays unread
        else:
            await until(lambda: server.stray_count)
            await asyncio.sleep(0.02)
        server.next_fault = always(then)
        each = await send_and_report(client, new_flow())
    await server.drained()
    assert contradictions([each], server.accepted) == []
    return each


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STRAY_DATA_ROWS, ids=_named)
async def test_what_nobody_asked_for_is_nobodys_answer(server: FaultyServer, row: ExpectedOutcome, busy: bool) -> None:
    """An answer that came before a message was sent says nothing of it: the message goes over another connection."""
    assert row.fault is not None
    welcome = b"trackingId" not in row.fault.stray_data
    each = await _after(server, row.fault.stray_data, NO_FAULT if welcome else ERROR_STATUSES[422], busy=busy)
    assert each.outcome is (Outcome.ACCEPTED if welcome else Outcome.REJECTED)
    assert server.request_counts[each.number] == 1


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
async def test_half_an_answer_that_nobody_asked_for_is_none(server: FaultyServer, busy: bool) -> None:
    """What comes of an answer before a message was sent is not joined with what comes after it."""
    each = await _after(server, b"HTTP/1.1 400 Ba", NO_FAULT, busy=busy)
    assert each.outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN}


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("stray", [b"garbage\r\n\r\n", b"\r\n"], ids=["garbage", "a blank line"])
async def test_garbage_that_nobody_asked_for_is_no_answer(server: FaultyServer, stray: bytes, busy: bool) -> None:
    """Garbage that came before a message was sent costs it its proof at most."""
    assert (await _after(server, stray, NO_FAULT, busy=busy)).outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN}


async def test_two_answers_at_once_are_one(server: FaultyServer) -> None:
    """Of two answers that come together the first counts, and the connection is not used again."""
    server.next_fault = always(
        Fault("two answers at once", response=lambda request: http("400 No") + http("200 OK", b"{}"))
    )
    async with RouteeClient(server.config()) as client:
        all_told = [await send_and_report(client, flow) for flow in new_flows(2)]
    assert {each.outcome for each in all_told} == {Outcome.REJECTED}
    assert server.api.accepted == 2
