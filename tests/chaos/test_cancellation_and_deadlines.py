"""Cancelled callers and expired deadlines: sent messages are followed to their outcome, others are never sent."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import DeadlinePassed, Endpoint, Outcome, RouteeClient
from tests.client.fake_routee import until

from .connection_faults import handshake_listener
from .consistency import AttemptRecorder, SendReport, contradictions, count_outcomes, send_and_report
from .faults import ERROR_STATUSES, FAILED_FLOW, NO_FAULT, End, Fault, fixed_response, http, status_fault
from .faulty_server import FaultyServer, always, first
from .sample_flows import ENDPOINTS, new_call, new_flow, new_flows
from .scale import SEED, scaled
from .server_loop import ServerLoop

SOON, LATER = timedelta(milliseconds=50), timedelta(minutes=10)
UNREADABLE = Fault("200 without a receipt", response=fixed_response(http("200 OK", b"<html>")))
RST = Fault("RST instead of a response", response=fixed_response(b""), end=End.RST)


async def _cancel_all(sending: list[asyncio.Task[Any]]) -> None:
    for send in sending:
        send.cancel()
    await asyncio.wait(sending)
    assert all(send.cancelled() for send in sending)


async def _cancel_in_mid_send(client: RouteeClient, server: FaultyServer, count: int) -> None:
    """Cancel callers while all of their messages are accepted and none has a response."""
    await client.otp_templates()
    await server.hold()
    sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
    await until(lambda: server.request_counts.total() == count)
    await _cancel_all(sending)


async def test_callers_cancelled_in_mid_send_lose_no_outcome(server: FaultyServer) -> None:
    """200 callers are cancelled while they wait for responses: observers get 200 outcomes, all ACCEPTED."""
    recorder, count = AttemptRecorder(), 200
    async with RouteeClient(server.config(pool_size=2 * count, observers=(recorder,))) as client:
        await _cancel_in_mid_send(client, server, count)
        await server.release()
    await server.drained()
    assert recorder.abandoned == {Outcome.ACCEPTED: count}
    assert server.accepted.total() == count
    assert server.accepted_twice == []


async def test_observers_get_every_kind_of_outcome_of_cancelled_callers(server: FaultyServer) -> None:
    """The same where a third of the messages is rejected and a third loses its response: each outcome is right."""
    recorder, count = AttemptRecorder(), 60
    rng = random.Random(SEED)
    faults = [NO_FAULT, ERROR_STATUSES[422], RST] * (count // 3)
    rng.shuffle(faults)
    async with RouteeClient(server.config(pool_size=2 * count, observers=(recorder,))) as client:
        await client.otp_templates()
        await server.drop_connections()
        remaining = iter(faults)
        server.next_fault = lambda: next(remaining)
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
        await until(lambda: server.request_counts.total() == count)
        await _cancel_all(sending)
        await server.release()
    third = count // 3
    assert recorder.abandoned == {Outcome.ACCEPTED: third, Outcome.REJECTED: third, Outcome.UNKNOWN: third}
    assert server.accepted.total() == 2 * third


@pytest.mark.parametrize(
    ("fault", "outcome"), [(FAILED_FLOW, Outcome.REJECTED), (UNREADABLE, Outcome.UNKNOWN)], ids=lambda it: it.name
)
async def test_observer_gets_the_outcome_from_the_body_when_the_caller_is_cancelled(
    server: FaultyServer, fault: Fault, outcome: Outcome
) -> None:
    """The outcome of a send whose caller was cancelled comes from the response body too, not from its status alone."""
    recorder = AttemptRecorder()
    async with RouteeClient(server.config(observers=(recorder,))) as client:
        await client.otp_templates()
        server.next_fault = always(fault)
        assert (await send_and_report(client, new_flow(Endpoint.OTP))).outcome is outcome
        await server.hold()
        sending = asyncio.create_task(client.send(new_flow(Endpoint.OTP)))
        await until(lambda: server.request_counts.total() == 2)
        await _cancel_all([sending])
        await server.release()
    assert recorder.abandoned == {outcome: 1}


async def test_closing_waits_for_sent_messages_until_the_shutdown_timeout(server: FaultyServer) -> None:
    """aclose() stops waiting for responses after shutdown_timeout; observers get UNKNOWN for each of them."""
    recorder, count = AttemptRecorder(), 50
    timeouts = {"shutdown_timeout": timedelta(milliseconds=200), "total_timeout": timedelta(hours=1)}
    async with asyncio.timeout(30):
        async with RouteeClient(server.config(pool_size=2 * count, observers=(recorder,), **timeouts)) as client:
            await _cancel_in_mid_send(client, server, count)
    await server.release()
    assert recorder.abandoned == {Outcome.UNKNOWN: count}
    assert server.accepted.total() == count


async def test_caller_cancelled_at_any_loop_iteration_loses_no_acceptance(server: FaultyServer) -> None:
    """In whichever iteration of the loop a caller is cancelled: what the server accepted is reported as ACCEPTED."""
    recorder = AttemptRecorder()
    reports: list[SendReport] = []
    async with RouteeClient(server.config(observers=(recorder,))) as client:
        for iterations in range(scaled(60, maximum=600)):
            if iterations % 2:
                await server.drop_connections()  # on a new connection, and on one of the pool
            sending = asyncio.create_task(send_and_report(client, new_flow()))
            for _ in range(iterations // 4):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                reports.append(sending.result())
    await server.drained()
    assert contradictions(reports, server.accepted) == []
    assert server.accepted_twice == []
    assert recorder.outcomes[Outcome.ACCEPTED] == server.accepted.total()
    # A caller that is cancelled in the very iteration that delivers the response does not count as abandoned.
    assert recorder.abandoned[Outcome.ACCEPTED] <= server.accepted.total() - count_outcomes(reports)[Outcome.ACCEPTED]


async def test_caller_cancelled_while_it_waits_for_a_token_sends_nothing(server: FaultyServer) -> None:
    """Callers that are cancelled before there is a token put nothing on the wire, also when it comes later."""
    async with RouteeClient(server.config()) as client:
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(scaled(50))]
        await until(lambda: server.token_requests)
        await _cancel_all(sending)
        await server.release()
        await client.otp_templates()
    await server.drained()
    assert server.request_counts.total() == 0


async def test_caller_cancelled_while_it_waits_for_a_connection_sends_nothing(server: FaultyServer) -> None:
    """Callers that are cancelled in the queue for a connection put nothing on the wire."""
    async with RouteeClient(server.config(pool_size=1)) as client:
        await client.otp_templates()
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(scaled(50))]
        await until(server.request_counts.total)
        await _cancel_all(sending[1:])
        await server.release()
        await sending[0]
        await client.otp_templates()
    await server.drained()
    assert server.request_counts.total() == server.accepted.total() == 1


async def test_caller_cancelled_while_it_connects_sends_nothing(server: FaultyServer, server_loop: ServerLoop) -> None:
    """Callers that are cancelled in the TLS handshake put nothing on the wire."""
    count = scaled(20, maximum=200)
    async with handshake_listener(server_loop, "a handshake that hangs") as listener:
        config = server.config(api_url=f"https://127.0.0.1:{listener.port}", pool_size=2 * count)
        async with RouteeClient(config) as client:
            sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
            await until(lambda: listener.connection_count == count)
            await _cancel_all(sending)
        await server.drained()
    assert server.request_counts.total() == 0


async def test_deadline_in_the_queue_for_a_connection_sends_nothing(server: FaultyServer) -> None:
    """500 messages whose deadline passes while they wait for a connection end in DeadlinePassed, and none is sent."""
    count = scaled(500, maximum=10_000)
    async with RouteeClient(server.config(pool_size=1)) as client:
        await client.otp_templates()
        await server.hold()
        before = asyncio.create_task(send_and_report(client, new_call()))
        await until(server.request_counts.total)
        reports = await asyncio.gather(*(send_and_report(client, new_call(), deadline=SOON) for _ in range(count)))
        await server.release()
        assert (await before).outcome is Outcome.ACCEPTED
        assert (await send_and_report(client, new_call(), deadline=LATER)).outcome is Outcome.ACCEPTED
    await server.drained()
    assert {type(report.error) for report in reports} == {DeadlinePassed}
    assert contradictions(reports, server.accepted) == []
    assert server.request_counts.total() == 2


async def test_deadline_during_the_token_request_sends_nothing(server: FaultyServer) -> None:
    """A deadline that passes during the token request ends in DeadlinePassed, and the token serves the next call."""
    async with RouteeClient(server.config()) as client:
        await server.hold()
        report = await send_and_report(client, new_call(), deadline=SOON)
        await server.release()
        await client.otp_templates()
    await server.drained()
    assert isinstance(report.error, DeadlinePassed)
    assert (server.request_counts.total(), server.token_requests) == (0, 1)


async def test_deadline_in_the_tls_handshake_sends_nothing(server: FaultyServer, server_loop: ServerLoop) -> None:
    """A deadline that passes in the TLS handshake ends in DeadlinePassed."""
    async with (
        handshake_listener(server_loop, "a handshake that hangs") as listener,
        RouteeClient(server.config(api_url=f"https://127.0.0.1:{listener.port}")) as client,
    ):
        report = await send_and_report(client, new_call(), deadline=SOON)
    assert isinstance(report.error, DeadlinePassed)
    assert server.request_counts.total() == 0


async def _send_with_imminent_deadlines(server_loop: ServerLoop) -> None:
    async with FaultyServer(server_loop) as server:
        async with RouteeClient(server.config()) as client:
            await client.otp_templates()
            imminent = timedelta(microseconds=300)
            reports = await asyncio.gather(*(send_and_report(client, new_call(), deadline=imminent) for _ in range(50)))
        await server.drained()
        assert contradictions(reports, server.accepted) == []


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_deadlines_under_a_millisecond_end_in_errors_of_the_tree(server_loop: ServerLoop, kind: str) -> None:
    """Many messages whose deadline is less than a millisecond away end in errors of the tree, in every kind of loop."""
    with asyncio.Runner(loop_factory=pytest.importorskip(kind).new_event_loop) as runner:
        runner.run(_send_with_imminent_deadlines(server_loop))


async def test_deadline_within_a_throttle_pause_sends_nothing(server: FaultyServer) -> None:
    """During a throttle pause, messages whose deadline passes within it end unsent, and at once."""
    server.next_fault = first(status_fault(429, "Retry-After: 30", accepts=False))
    async with asyncio.timeout(20), RouteeClient(server.config()) as client:
        rejected = await send_and_report(client, new_call(), deadline=timedelta(milliseconds=500))
        reports = [await send_and_report(client, new_call(), deadline=SOON) for _ in range(scaled(5, maximum=50))]
    await server.drained()
    assert rejected.outcome in {Outcome.REJECTED, Outcome.NOT_SENT}
    assert {type(report.error) for report in reports} == {DeadlinePassed}
    assert contradictions([rejected, *reports], server.accepted) == []
    assert server.request_counts.total() == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_deadline_shorter_than_the_minimum_ttl_sends_nothing(server: FaultyServer, endpoint: Endpoint) -> None:
    """A message whose shortest ttl is longer than its deadline is not sent, on any endpoint."""
    async with RouteeClient(server.config()) as client:
        report = await send_and_report(client, new_flow(endpoint), deadline=SOON)
    await server.drained()
    assert isinstance(report.error, DeadlinePassed)
    assert server.request_counts.total() == 0


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_message_within_its_deadline_is_accepted_once(server: FaultyServer, endpoint: Endpoint) -> None:
    """A deadline that does not pass changes nothing."""
    async with RouteeClient(server.config()) as client:
        report = await send_and_report(client, new_flow(endpoint), deadline=LATER)
    assert (report.outcome, server.accepted[report.number]) == (Outcome.ACCEPTED, 1)


async def test_deadline_after_the_first_byte_waits_for_the_response(server: FaultyServer) -> None:
    """A deadline that passes once the first byte was sent changes nothing: the client waits for the response."""
    async with RouteeClient(server.config()) as client:
        await client.otp_templates()
        await server.hold()
        sending = asyncio.create_task(send_and_report(client, new_call(), deadline=timedelta(milliseconds=500)))
        await until(lambda: server.request_counts.total() or sending.done())
        await asyncio.sleep(0.6)
        await server.release()
        report = await sending
    await server.drained()
    assert (report.outcome, server.accepted[report.number]) == (Outcome.ACCEPTED, 1)
