"""Scripts that hypothesis writes, byte by byte: whatever happens on the way, what the client says holds."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routee_failover import Endpoint, Outcome, RouteeClient

from .consistency import AttemptRecorder, SendReport, contradictions, send_and_report
from .faulty_proxy import NO_INTERRUPTION, Interruption, Proxy, ProxyAction, ProxyScript
from .faulty_server import FaultyServer
from .sample_flows import ENDPOINTS, new_flow, number_of
from .scale import scaled
from .server_loop import ServerLoop

AT_ONCE = 24
"""How many scripts run side by side, each with a client and a proxy of its own."""
PATIENCE = timedelta(milliseconds=120)


@attrs.frozen
class Scenario:
    """Some messages that one client sends, in turn or at once, and what happens to its connections, one by one."""

    messages: tuple[Endpoint, ...]
    connections: tuple[ProxyScript, ...]
    at_once: bool
    token_too: bool
    """Whether the token is asked for through the proxy as well."""
    breaker: bool
    leaves: float | None
    """After how many seconds the caller of the first message leaves, if he does."""


acts = st.sampled_from(ProxyAction)
cuts = st.builds(Interruption, after=st.integers(0, 2_500), act=acts, seconds=st.floats(0, 0.03))
"""A request has about 400 bytes and an answer 200, so that these fall into the first messages of a connection."""
scripts = st.builds(ProxyScript, of_client=st.none() | cuts, of_server=st.none() | cuts)
plays = st.builds(
    Scenario,
    messages=st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=4).map(tuple),
    connections=st.lists(scripts, min_size=1, max_size=4).map(tuple),
    at_once=st.booleans(),
    token_too=st.booleans(),
    breaker=st.booleans(),
    leaves=st.none() | st.floats(0, 0.05),
)


class ScenarioRunner:
    """A server, the proxies in front of it, and the loop of the clients."""

    def __init__(self, server_loop: ServerLoop) -> None:
        self._runner = asyncio.Runner()
        self._server = FaultyServer(server_loop)
        self._stage = server_loop

    def __enter__(self) -> "ScenarioRunner":
        self._runner.run(self._open())
        return self

    async def _open(self) -> None:
        await self._server.__aenter__()
        self._proxies = [Proxy(self._stage, self._server.api.port) for _ in range(AT_ONCE)]
        for proxy in self._proxies:
            await proxy.__aenter__()

    async def _close(self) -> None:
        for proxy in self._proxies:
            await proxy.__aexit__(None, None, None)
        await self._server.__aexit__(None, None, None)

    def __exit__(self, *_exc: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def run(self, given_plays: list[Scenario]) -> list[str]:
        """Play them side by side, and say what contradicts the server's count."""
        return self._runner.run(self._perform(given_plays))

    async def _perform(self, given_plays: list[Scenario]) -> list[str]:
        results = await asyncio.gather(*map(self._play, given_plays, self._proxies))
        taken = self._server.accepted
        await self._server.drained()
        found = [f"{number} was taken twice" for number in self._server.accepted_twice]
        for numbers, all_told, accepted in results:
            found += contradictions(all_told, taken)
            if accepted > sum(taken[number] for number in numbers):
                found.append(f"of {numbers} observers were told {accepted} times that one was accepted")
        self._server.reset_counts()
        return found

    async def _play(self, play: Scenario, proxy: Proxy) -> tuple[list[str], list[SendReport], int]:
        scenes = iter(play.connections)
        proxy.plan = lambda: next(scenes, NO_INTERRUPTION)
        url = f"http://127.0.0.1:{proxy.port}"
        auth = {"auth_url": url} if play.token_too else {}
        ends = AttemptRecorder()
        settings = {"total_timeout": PATIENCE, "circuit_breaker": play.breaker, "observers": (ends,)}
        config = self._server.config(api_url=url, **settings, **auth)
        flows = [new_flow(endpoint) for endpoint in play.messages]
        async with RouteeClient(config) as client:
            sending = [
                asyncio.create_task(send_and_report(client, flow)) for flow in flows[: None if play.at_once else 1]
            ]
            if play.leaves is not None:
                await asyncio.sleep(play.leaves)
                sending[0].cancel()
            await asyncio.wait(sending)
            all_told = [send.result() for send in sending if not send.cancelled()]
            all_told += [await send_and_report(client, flow) for flow in flows[len(sending) :]]
        await proxy.drained()
        return [number_of(flow) for flow in flows], all_told, ends.outcomes[Outcome.ACCEPTED]


@pytest.fixture(scope="module")
def scenario_runner(server_loop: ServerLoop) -> Iterator[ScenarioRunner]:
    """Everything that a play needs, for all of them."""
    with ScenarioRunner(server_loop) as here:
        yield here


@settings(max_examples=scaled(10), deadline=None, suppress_health_check=list(HealthCheck))
@given(given_plays=st.lists(plays, min_size=8, max_size=AT_ONCE))
def test_whatever_happens_on_the_way_what_is_said_holds(
    scenario_runner: ScenarioRunner, given_plays: list[Scenario]
) -> None:
    """NOT_SENT was taken 0 times, ACCEPTED once, nothing twice; each error is in the tree, pickles and shows no PIN."""
    assert scenario_runner.run(given_plays) == []
