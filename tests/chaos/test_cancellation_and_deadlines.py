"""Callers that leave and deadlines that pass: what has left is followed to its end, and what has not never leaves."""

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
RST = Fault("RST instead of an answer", response=fixed_response(b""), end=End.RST)


async def _cancelled(sending: list[asyncio.Task[Any]]) -> None:
    for send in sending:
        send.cancel()
    await asyncio.wait(sending)
    assert all(send.cancelled() for send in sending)


async def _sent_and_left(client: RouteeClient, server: FaultyServer, count: int) -> None:
    """Have callers leave while all of their messages are taken and none is answered."""
    await client.otp_templates()
    await server.hold()
    sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
    await until(lambda: server.request_counts.total() == count)
    await _cancelled(sending)


async def test_callers_that_leave_in_mid_send_lose_no_outcome(server: FaultyServer) -> None:
    """200 callers are cancelled while their messages are being answered: 200 outcomes are known, all ACCEPTED."""
    ends, count = AttemptRecorder(), 200
    async with RouteeClient(server.config(pool_size=2 * count, observers=(ends,))) as client:
        await _sent_and_left(client, server, count)
        await server.release()
    await server.drained()
    assert ends.abandoned == {Outcome.ACCEPTED: count}
    assert server.accepted.total() == count
    assert server.accepted_twice == []


async def test_callers_that_leave_learn_of_every_kind_of_end(server: FaultyServer) -> None:
    """The same where a third of the messages is refused and a third loses its answer: each outcome is the right one."""
    ends, count = AttemptRecorder(), 60
    draw = random.Random(SEED)
    fates = [NO_FAULT, ERROR_STATUSES[422], RST] * (count // 3)
    draw.shuffle(fates)
    async with RouteeClient(server.config(pool_size=2 * count, observers=(ends,))) as client:
        await client.otp_templates()
        await server.drop_connections()
        left = iter(fates)
        server.next_fault = lambda: next(left)
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
        await until(lambda: server.request_counts.total() == count)
        await _cancelled(sending)
        await server.release()
    third = count // 3
    assert ends.abandoned == {Outcome.ACCEPTED: third, Outcome.REJECTED: third, Outcome.UNKNOWN: third}
    assert server.accepted.total() == 2 * third


@pytest.mark.parametrize(
    ("fault", "outcome"), [(FAILED_FLOW, Outcome.REJECTED), (UNREADABLE, Outcome.UNKNOWN)], ids=lambda it: it.name
)
async def test_an_observer_is_told_what_the_caller_would_be(
    server: FaultyServer, fault: Fault, outcome: Outcome
) -> None:
    """The outcome of a send whose caller has left is read from the answer's body as well, not from its status alone."""
    ends = AttemptRecorder()
    async with RouteeClient(server.config(observers=(ends,))) as client:
        await client.otp_templates()
        server.next_fault = always(fault)
        assert (await send_and_report(client, new_flow(Endpoint.OTP))).outcome is outcome
        await server.hold()
        sending = asyncio.create_task(client.send(new_flow(Endpoint.OTP)))
        await until(lambda: server.request_counts.total() == 2)
        await _cancelled([sending])
        await server.release()
    assert ends.abandoned == {outcome: 1}


async def test_closing_waits_for_what_has_left_and_not_for_ever(server: FaultyServer) -> None:
    """aclose() gives up on answers after shutdown_timeout, and each of them is then UNKNOWN and told."""
    ends, count = AttemptRecorder(), 50
    patience = {"shutdown_timeout": timedelta(milliseconds=200), "total_timeout": timedelta(hours=1)}
    async with asyncio.timeout(30):
        async with RouteeClient(server.config(pool_size=2 * count, observers=(ends,), **patience)) as client:
            await _sent_and_left(client, server, count)
    await server.release()
    assert ends.abandoned == {Outcome.UNKNOWN: count}
    assert server.accepted.total() == count


async def test_a_caller_may_leave_at_any_moment(server: FaultyServer) -> None:
    """Whichever turn of the loop a caller leaves in: what the server took is what somebody is told was ACCEPTED."""
    ends = AttemptRecorder()
    heard: list[SendReport] = []
    async with RouteeClient(server.config(observers=(ends,))) as client:
        for turns in range(scaled(60, maximum=600)):
            if turns % 2:
                await server.drop_connections()  # on a connection that has to be made, and on one of the pool
            sending = asyncio.create_task(send_and_report(client, new_flow()))
            for _ in range(turns // 4):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                heard.append(sending.result())
    await server.drained()
    assert contradictions(heard, server.accepted) == []
    assert server.accepted_twice == []
    assert ends.outcomes[Outcome.ACCEPTED] == server.accepted.total()
    # A caller who leaves in the very turn in which the answer is handed over is not told of as one who left.
    assert ends.abandoned[Outcome.ACCEPTED] <= server.accepted.total() - count_outcomes(heard)[Outcome.ACCEPTED]


async def test_a_caller_that_leaves_while_it_waits_for_a_token_sends_nothing(server: FaultyServer) -> None:
    """Callers that are cancelled before there is a token leave nothing on the wire, also when it comes later."""
    async with RouteeClient(server.config()) as client:
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(scaled(50))]
        await until(lambda: server.token_requests)
        await _cancelled(sending)
        await server.release()
        await client.otp_templates()
    await server.drained()
    assert server.request_counts.total() == 0


async def test_a_caller_that_leaves_while_it_waits_for_its_turn_sends_nothing(server: FaultyServer) -> None:
    """Callers that are cancelled in the line for a connection leave nothing on the wire."""
    async with RouteeClient(server.config(pool_size=1)) as client:
        await client.otp_templates()
        await server.hold()
        sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(scaled(50))]
        await until(server.request_counts.total)
        await _cancelled(sending[1:])
        await server.release()
        await sending[0]
        await client.otp_templates()
    await server.drained()
    assert server.request_counts.total() == server.accepted.total() == 1


async def test_a_caller_that_leaves_while_it_connects_sends_nothing(
    server: FaultyServer, server_loop: ServerLoop
) -> None:
    """Callers that are cancelled in the TLS handshake leave nothing on the wire."""
    count = scaled(20, maximum=200)
    async with handshake_listener(server_loop, "a handshake that hangs") as listener:
        config = server.config(api_url=f"https://127.0.0.1:{listener.port}", pool_size=2 * count)
        async with RouteeClient(config) as client:
            sending = [asyncio.create_task(client.send(flow)) for flow in new_flows(count)]
            await until(lambda: listener.connection_count == count)
            await _cancelled(sending)
        await server.drained()
    assert server.request_counts.total() == 0


async def test_what_expires_in_line_is_never_sent(server: FaultyServer) -> None:
    """500 messages whose deadline passes while they wait for a connection end in DeadlinePassed, and none is sent."""
    count = scaled(500, maximum=10_000)
    async with RouteeClient(server.config(pool_size=1)) as client:
        await client.otp_templates()
        await server.hold()
        before = asyncio.create_task(send_and_report(client, new_call()))
        await until(server.request_counts.total)
        all_told = await asyncio.gather(*(send_and_report(client, new_call(), deadline=SOON) for _ in range(count)))
        await server.release()
        assert (await before).outcome is Outcome.ACCEPTED
        assert (await send_and_report(client, new_call(), deadline=LATER)).outcome is Outcome.ACCEPTED
    await server.drained()
    assert {type(each.error) for each in all_told} == {DeadlinePassed}
    assert contradictions(all_told, server.accepted) == []
    assert server.request_counts.total() == 2


async def test_what_expires_before_there_is_a_token_is_never_sent(server: FaultyServer) -> None:
    """A deadline that passes while the token is asked for ends in DeadlinePassed, and the token serves the next."""
    async with RouteeClient(server.config()) as client:
        await server.hold()
        each = await send_and_report(client, new_call(), deadline=SOON)
        await server.release()
        await client.otp_templates()
    await server.drained()
    assert isinstance(each.error, DeadlinePassed)
    assert (server.request_counts.total(), server.token_requests) == (0, 1)


async def test_what_expires_while_it_connects_is_never_sent(server: FaultyServer, server_loop: ServerLoop) -> None:
    """A deadline that passes in the TLS handshake ends in DeadlinePassed."""
    async with (
        handshake_listener(server_loop, "a handshake that hangs") as listener,
        RouteeClient(server.config(api_url=f"https://127.0.0.1:{listener.port}")) as client,
    ):
        each = await send_and_report(client, new_call(), deadline=SOON)
    assert isinstance(each.error, DeadlinePassed)
    assert server.request_counts.total() == 0


async def _all_expire(server_loop: ServerLoop) -> None:
    async with FaultyServer(server_loop) as server:
        async with RouteeClient(server.config()) as client:
            await client.otp_templates()
            at_once = timedelta(microseconds=300)
            all_told = await asyncio.gather(*(send_and_report(client, new_call(), deadline=at_once) for _ in range(50)))
        await server.drained()
        assert contradictions(all_told, server.accepted) == []


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_deadlines_that_are_due_at_once_are_told(server_loop: ServerLoop, kind: str) -> None:
    """Many messages whose deadline is less than a millisecond away end in errors of the tree, in every kind of loop."""
    with asyncio.Runner(loop_factory=pytest.importorskip(kind).new_event_loop) as runner:
        runner.run(_all_expire(server_loop))


async def test_what_expires_in_a_pause_is_never_sent(server: FaultyServer) -> None:
    """While Routee has asked for a pause, messages whose deadline passes in it end unsent, and at once."""
    server.next_fault = first(status_fault(429, "Retry-After: 30", takes=False))
    async with asyncio.timeout(20), RouteeClient(server.config()) as client:
        refused = await send_and_report(client, new_call(), deadline=timedelta(milliseconds=500))
        all_told = [await send_and_report(client, new_call(), deadline=SOON) for _ in range(scaled(5, maximum=50))]
    await server.drained()
    assert refused.outcome in {Outcome.REJECTED, Outcome.NOT_SENT}
    assert {type(each.error) for each in all_told} == {DeadlinePassed}
    assert contradictions([refused, *all_told], server.accepted) == []
    assert server.request_counts.total() == 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_deadline_shorter_than_any_time_to_live_is_too_short(server: FaultyServer, endpoint: Endpoint) -> None:
    """A message that cannot live as short as its deadline asks is not sent, on any endpoint."""
    async with RouteeClient(server.config()) as client:
        each = await send_and_report(client, new_flow(endpoint), deadline=SOON)
    await server.drained()
    assert isinstance(each.error, DeadlinePassed)
    assert server.request_counts.total() == 0


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_a_deadline_that_does_not_pass_changes_nothing(server: FaultyServer, endpoint: Endpoint) -> None:
    """A message that is in time is accepted, once."""
    async with RouteeClient(server.config()) as client:
        each = await send_and_report(client, new_flow(endpoint), deadline=LATER)
    assert (each.outcome, server.accepted[each.number]) == (Outcome.ACCEPTED, 1)


async def test_a_deadline_after_the_first_byte_recalls_nothing(server: FaultyServer) -> None:
    """A deadline that passes once the message has left changes nothing: its answer is waited for."""
    async with RouteeClient(server.config()) as client:
        await client.otp_templates()
        await server.hold()
        sending = asyncio.create_task(send_and_report(client, new_call(), deadline=timedelta(milliseconds=500)))
        await until(lambda: server.request_counts.total() or sending.done())
        await asyncio.sleep(0.6)
        await server.release()
        each = await sending
    await server.drained()
    assert (each.outcome, server.accepted[each.number]) == (Outcome.ACCEPTED, 1)
