"""What happens to connections while they lie in the pool: they are closed, or something comes that nobody asked for."""

import asyncio
import time

import pytest

from routee_failover import Outcome, RouteeClient
from tests.client.fake_routee import until

from .backstage import Backstage
from .connecting import Shakes
from .faults import REFUSALS, WELL, Fault, http
from .judge import Told, contradictions, told
from .messages import new_flow, new_flows
from .scale import many
from .server import FaultyServer, always
from .table import STALE, STRAY, Row


def _named(row: Row) -> str:
    return row.name


async def _all_recovered(server: FaultyServer, row: Row, count: int, *, busy: bool) -> None:
    assert row.fault is not None
    server.fate = always(row.fault)
    all_told = []
    async with RouteeClient(server.config()) as client:
        for flow in new_flows(count):
            all_told.append(await told(client, flow))
            server.go_on()
            while server.api.links:
                if busy:
                    time.sleep(0.0005)  # noqa: ASYNC251  # a loop that does not hear of it is what this is about
                else:
                    await asyncio.sleep(0.0005)
            for _ in range(0 if busy else 10):
                await asyncio.sleep(0)  # an idle loop has turns enough to hear of anything
    await server.drained()
    assert contradictions(all_told, server.taken) == []
    assert [each for each in all_told if each.outcome not in row.outcomes] == []
    assert server.taken.total() == server.api.accepted == count


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE, ids=_named)
async def test_a_connection_that_is_closed_in_the_pool_costs_no_message(
    server: FaultyServer, row: Row, busy: bool
) -> None:
    """Each message that meets a connection which the server has closed is accepted, once, over another one."""
    count = 20 if busy else 200 if row is STALE[0] else 50
    await _all_recovered(server, row, many(count), busy=busy)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STALE, ids=_named)
async def test_a_connection_over_tls_that_is_closed_in_the_pool_costs_no_message(
    stage: Backstage, shakes: Shakes, row: Row, busy: bool
) -> None:
    """The same over TLS, with a goodbye, without one, and with a RST."""
    async with FaultyServer(stage, shakes.context) as server:
        await _all_recovered(server, row, many(20), busy=busy)


async def test_a_whole_pool_that_is_closed_costs_no_message(server: FaultyServer) -> None:
    """Where the server restarts and every pooled connection is dead, each of as many messages is accepted once."""
    count = 50
    async with RouteeClient(server.config(pool_size=2 * count)) as client:
        await client.otp_templates()
        for _ in range(many(5)):
            await server.hold()
            sending = [asyncio.create_task(told(client, flow)) for flow in new_flows(count)]
            await until(lambda: server.taken.total() == count)
            await server.release()
            all_told = await asyncio.gather(*sending)
            assert {each.outcome for each in all_told} == {Outcome.ACCEPTED}
            assert contradictions(all_told, server.taken) == []
            server.forget()
            await server.drop()


async def _after(server: FaultyServer, stray: bytes, then: Fault, *, busy: bool) -> Told:
    """What becomes of a message before which something came that nobody had asked for."""
    async with RouteeClient(server.config()) as client:
        server.fate = always(Fault("an answer nobody asked for", lingers=True, stray=stray))
        await client.send(new_flow())
        server.go_on()
        if busy:
            while not server.strays:
                time.sleep(0.0005)  # noqa: ASYNC251  # what comes stays unread
        else:
            await until(lambda: server.strays)
            await asyncio.sleep(0.02)
        server.fate = always(then)
        each = await told(client, new_flow())
    await server.drained()
    assert contradictions([each], server.taken) == []
    return each


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("row", STRAY, ids=_named)
async def test_what_nobody_asked_for_is_nobodys_answer(server: FaultyServer, row: Row, busy: bool) -> None:
    """An answer that came before a message was sent says nothing of it: the message goes over another connection."""
    assert row.fault is not None
    welcome = b"trackingId" not in row.fault.stray
    each = await _after(server, row.fault.stray, WELL if welcome else REFUSALS[422], busy=busy)
    assert each.outcome is (Outcome.ACCEPTED if welcome else Outcome.REJECTED)
    assert server.read[each.number] == 1


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
async def test_half_an_answer_that_nobody_asked_for_is_none(server: FaultyServer, busy: bool) -> None:
    """What comes of an answer before a message was sent is not joined with what comes after it."""
    each = await _after(server, b"HTTP/1.1 400 Ba", WELL, busy=busy)
    assert each.outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN}


@pytest.mark.parametrize("busy", [False, True], ids=["", "while the loop is busy"])
@pytest.mark.parametrize("stray", [b"garbage\r\n\r\n", b"\r\n"], ids=["garbage", "a blank line"])
async def test_garbage_that_nobody_asked_for_is_no_answer(server: FaultyServer, stray: bytes, busy: bool) -> None:
    """Garbage that came before a message was sent costs it its proof at most."""
    assert (await _after(server, stray, WELL, busy=busy)).outcome in {Outcome.ACCEPTED, Outcome.UNKNOWN}


async def test_two_answers_at_once_are_one(server: FaultyServer) -> None:
    """Of two answers that come together the first counts, and the connection is not used again."""
    server.fate = always(Fault("two answers at once", says=lambda request: http("400 No") + http("200 OK", b"{}")))
    async with RouteeClient(server.config()) as client:
        all_told = [await told(client, flow) for flow in new_flows(2)]
    assert {each.outcome for each in all_told} == {Outcome.REJECTED}
    assert server.api.accepted == 2
