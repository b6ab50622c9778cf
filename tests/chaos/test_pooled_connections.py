"""Faults of connections in the pool: they are closed, or unsolicited data arrives on them."""

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


def _row_name(row: ExpectedOutcome) -> str:
    return row.name


async def _assert_all_recovered(server: FaultyServer, row: ExpectedOutcome, count: int, *, busy: bool) -> None:
    assert row.fault is not None
    server.next_fault = always(row.fault)
    reports = []
    async with RouteeClient(server.config()) as client:
        for flow in new_flows(count):
            reports.append(await send_and_report(client, flow))
            server.resume()
            while server.api.connection_count:
                if busy:
                    time.sleep(0.0005)  # noqa: ASYNC251  # the point is a loop that has not processed it
                else:
                    await asyncio.sleep(0.0005)
            for _ in range(0 if busy else 10):
                await asyncio.sleep(0)  # an idle loop has enough iterations to process everything
    await server.drained()
    assert contradictions(reports, server.accepted) == []
    assert [report for report in reports if report.outcome not in row.outcomes] == []
    assert server.accepted.total() == server.api.accepted == count


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE_CONNECTION_ROWS, ids=_row_name)
async def test_connection_closed_in_the_pool_loses_no_message(
    server: FaultyServer, row: ExpectedOutcome, busy: bool
) -> None:
    """Each message that gets a connection which the server has closed is accepted, once, over another one."""
    count = 20 if busy else 200 if row is STALE_CONNECTION_ROWS[0] else 50
    await _assert_all_recovered(server, row, scaled(count), busy=busy)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE_CONNECTION_ROWS, ids=_row_name)
async def test_tls_connection_closed_in_the_pool_loses_no_message(
    server_loop: ServerLoop, server_tls: ServerTls, row: ExpectedOutcome, busy: bool
) -> None:
    """The same over TLS, with a close_notify, without one, and with a RST."""
    async with FaultyServer(server_loop, server_tls.context) as server:
        await _assert_all_recovered(server, row, scaled(20), busy=busy)


async def test_closing_the_whole_pool_loses_no_message(server: FaultyServer) -> None:
    """Where the server restarts and every pooled connection is dead, each of as many messages is accepted once."""
    count = 50
    async with RouteeClient(server.config(pool_size=2 * count)) as client:
        await client.otp_templates()
        for _ in range(scaled(5)):
            await server.hold()
            sending = [asyncio.create_task(send_and_report(client, flow)) for flow in new_flows(count)]
            await until(lambda: server.accepted.total() == count)
            await server.release()
            reports = await asyncio.gather(*sending)
            assert {report.outcome for report in reports} == {Outcome.ACCEPTED}
            assert contradictions(reports, server.accepted) == []
            server.reset_counts()
            await server.drop_connections()


async def _send_after_stray_data(server: FaultyServer, stray: bytes, then: Fault, *, busy: bool) -> SendReport:
    """Send a message after unsolicited data has come on the pooled connection."""
    async with RouteeClient(server.config()) as client:
        server.next_fault = always(Fault("an unsolicited response", waits_for_resume=True, stray_data=stray))
        await client.send(new_flow())
        server.resume()
        if busy:
            while not server.stray_count:
                time.sleep(0.0005)  # noqa: ASYNC251  # the data stays unread
        else:
            await until(lambda: server.stray_count)
            await asyncio.sleep(0.02)
        server.next_fault = always(then)
        report = await send_and_report(client, new_flow())
    await server.drained()
    assert contradictions([report], server.accepted) == []
    return report


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STRAY_DATA_ROWS, ids=_row_name)
async def test_unsolicited_response_is_not_taken_for_the_next_message(
    server: FaultyServer, row: ExpectedOutcome, busy: bool
) -> None:
    """A response that came before a message was sent says nothing of it: the message uses another connection."""
    assert row.fault is not None
    harmless = b"trackingId" not in row.fault.stray_data
    report = await _send_after_stray_data(
        server, row.fault.stray_data, NO_FAULT if harmless else ERROR_STATUSES[422], busy=busy
    )
    assert report.outcome is (Outcome.ACCEPTED if harmless else Outcome.REJECTED)
    assert server.request_counts[report.number] == 1


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
async def test_unsolicited_blank_line_does_not_harm_the_next_message(server: FaultyServer, busy: bool) -> None:
    """A blank line that came before a message was sent costs the connection at most."""
    assert (await _send_after_stray_data(server, b"\r\n", NO_FAULT, busy=busy)).outcome is Outcome.ACCEPTED


async def test_first_of_two_responses_counts_and_the_connection_is_closed(server: FaultyServer) -> None:
    """Of two responses that come together the first counts, and the connection is not used again."""
    server.next_fault = always(
        Fault("two responses at once", response=lambda request: http("400 No") + http("200 OK", b"{}"))
    )
    async with RouteeClient(server.config()) as client:
        reports = [await send_and_report(client, flow) for flow in new_flows(2)]
    assert {report.outcome for report in reports} == {Outcome.REJECTED}
    assert server.api.accepted == 2
