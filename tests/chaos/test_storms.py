"""Many sends at once against a server that fails all the time: nothing is taken twice, and what can be saved is."""

import asyncio
import random
import tracemalloc

import pytest

from routee_failover import CircuitOpen, DeliveryUnknown, NotSent, Outcome, RouteeClient
from tests.client.fake_routee import until

from .backstage import Backstage
from .connecting import Shakes, Slammer
from .faults import BEFORE, BROKEN_ANSWERS, EVERYTHING, ODD_ANSWERS, WELL, Fault, bomb
from .judge import contradictions, outcomes, told, told_all
from .messages import new_flow, new_flows
from .proxy import CLEAN, Act, Cut, Proxy, Script
from .scale import SEED, many
from .server import PATIENCE, FaultyServer, always, first

TAKEN = [*BROKEN_ANSWERS, *ODD_ANSWERS]


async def test_a_storm_of_answers_that_fail_doubles_nothing(server: FaultyServer) -> None:
    """Every message is taken, and then its answer fails in some way: each is read by the server exactly once."""
    draw = random.Random(SEED)
    async with RouteeClient(server.config(total_timeout=PATIENCE)) as client:
        await until_ready(client)
        server.fate = lambda: draw.choice(TAKEN)
        for _ in range(many(1)):
            all_told = await told_all(client, new_flows(1_000))
            await server.drop()
            ended = outcomes(all_told)
            assert contradictions(all_told, server.taken) == []
            assert server.twice == []
            assert set(server.read.values()) == {1}
            # Not all: some meet a connection of the pool that is just being closed, and are UNKNOWN without a trace.
            assert len(server.taken) > 500
            assert ended[Outcome.UNKNOWN] > 300
            server.forget()


async def test_a_storm_of_everything_proves_what_it_says(server: FaultyServer) -> None:
    """Whatever fails, of tokens too: the outcome of each message is what the server's count says."""
    draw = random.Random(SEED)
    async with RouteeClient(server.config(total_timeout=PATIENCE)) as client:
        await until_ready(client)
        server.fate = lambda: draw.choice(EVERYTHING)
        server.token_fate = lambda: draw.choice([*[WELL] * 90, *BEFORE])
        for _ in range(many(1)):
            all_told = await told_all(client, new_flows(300))
            server.edition += 1
            await server.drop()
            assert contradictions(all_told, server.taken) == []
            assert server.twice == []
            assert outcomes(all_told)[Outcome.ACCEPTED] > 0
            server.forget()


async def until_ready(client: RouteeClient) -> None:
    """Wait until the client has a token: a slow machine may need longer for it than a storm's patience."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.otp_templates()
            except NotSent:
                continue
            return


async def test_what_was_not_sent_is_saved(server: FaultyServer) -> None:
    """A message that finds no token at first is sent once there is one, and taken once."""
    async with asyncio.timeout(60):
        for fault in (fault for fault in BEFORE if not fault.hangs):
            server.token_fate = first(fault)
            async with RouteeClient(server.config()) as client:
                each = await told(client, new_flow())
            assert (each.outcome, server.taken[each.number]) == (Outcome.ACCEPTED, 1), fault.name


async def test_a_revoked_token_costs_one_request(server: FaultyServer) -> None:
    """500 messages that are refused at once for their token are sent with a new one, which is asked for once."""
    count = 500
    async with RouteeClient(server.config(pool_size=2 * count)) as client:
        await client.otp_templates()
        server.edition += 1
        await server.hold()
        sending = [asyncio.create_task(told(client, flow)) for flow in new_flows(count)]
        await until(lambda: server.refused_tokens == count)
        await server.release()
        all_told = await asyncio.gather(*sending)
    await server.drained()
    assert {each.outcome for each in all_told} == {Outcome.ACCEPTED}
    assert contradictions(all_told, server.taken) == []
    assert server.token_requests == 2


async def test_a_storm_with_leavers_costs_no_turn(server: FaultyServer) -> None:
    """After a storm whose callers leave whenever they like, a small pool still sends all that it is given."""
    draw = random.Random(SEED)
    async with RouteeClient(server.config(total_timeout=PATIENCE, pool_size=4)) as client:
        await until_ready(client)
        server.fate = lambda: draw.choice(EVERYTHING)
        for _ in range(many(4)):
            sending = [asyncio.create_task(told(client, flow)) for flow in new_flows(30)]
            for send in sending:
                await asyncio.sleep(draw.random() / 100)
                send.cancel()
            await asyncio.wait(sending)
        assert server.twice == []
        server.fate = always(WELL)
        await server.drop()
        heard = [send.result() for send in sending if not send.cancelled()]
        assert contradictions(heard, server.taken) == []
        async with asyncio.timeout(60):
            while outcomes(await told_all(client, new_flows(40))) != {Outcome.ACCEPTED: 40}:
                pass


@pytest.mark.usefixtures("trusted")
async def test_after_an_outage_everything_goes_again(stage: Backstage, shakes: Shakes) -> None:
    """The breaker opens in an outage and closes after it; every message that it held back is NOT_SENT."""
    async with FaultyServer(stage, shakes.context) as server, Proxy(stage, server.api.port) as proxy:
        proxy.plan = lambda: Script(of_client=Cut(0, Act.RST))
        async with RouteeClient(
            server.config(api_url=f"https://localhost:{proxy.port}", circuit_breaker=True)
        ) as client:
            all_told = await told_all(client, new_flows(300))
            knocks = proxy.accepted
            proxy.plan = lambda: CLEAN
            async with asyncio.timeout(60):
                while all_told[-1].outcome is not Outcome.ACCEPTED:
                    all_told.append(await told(client, new_flow()))
                    await asyncio.sleep(0.01)
        await proxy.drained()
    assert contradictions(all_told, server.taken) == []
    assert outcomes(all_told) == {Outcome.NOT_SENT: len(all_told) - 1, Outcome.ACCEPTED: 1}
    assert any(isinstance(each.error, CircuitOpen) for each in all_told)
    assert knocks < 300


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_total_outage_is_not_made_worse(server: FaultyServer, scheme: str) -> None:
    """Where every connection is reset at once, the client makes at most 1.2 times as many attempts as it has sends."""
    count = many(300)
    with Slammer() as outage:
        async with RouteeClient(server.config(api_url=f"{scheme}://127.0.0.1:{outage.port}")) as client:
            all_told = await told_all(client, new_flows(count))
        attempts = outage.counted()
    assert outcomes(all_told).keys() <= {Outcome.NOT_SENT, Outcome.UNKNOWN}
    assert count <= attempts <= 1.2 * count


async def test_a_bomb_costs_little(server: FaultyServer) -> None:
    """An answer of 200 KB that unpacks to 200 MiB is left unread at its limit, for less than 4 MiB of memory."""
    assert len(bomb()) < 210_000
    server.fate = always(Fault("a gzip bomb", says=lambda _request: bomb()))
    async with RouteeClient(server.config()) as client:
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            each = await told(client, new_flow())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(each.error, DeliveryUnknown)
    assert peak - before < 4 * 2**20
