"""Random fault scripts of hypothesis, to the byte: whatever happens on the wire, the reported outcomes are true."""

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

MAX_PARALLEL = 24
"""Number of scenarios that run in parallel, each with a client and a proxy of its own."""
TOTAL_TIMEOUT = timedelta(milliseconds=120)


@attrs.frozen
class Scenario:
    """Messages that one client sends, one after the other or concurrently, and the scripts of its connections."""

    messages: tuple[Endpoint, ...]
    connections: tuple[ProxyScript, ...]
    concurrently: bool
    proxies_token: bool
    """Whether the token request goes through the proxy as well."""
    breaker: bool
    cancel_after: float | None
    """Seconds after which the caller of the first message is cancelled; `None`: it is not."""


actions = st.sampled_from(ProxyAction)
interruptions = st.builds(Interruption, after=st.integers(0, 2_500), action=actions, seconds=st.floats(0, 0.03))
"""A request has about 400 bytes and a response 200, so that these are within the first messages of a connection."""
scripts = st.builds(ProxyScript, from_client=st.none() | interruptions, from_server=st.none() | interruptions)
scenarios = st.builds(
    Scenario,
    messages=st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=4).map(tuple),
    connections=st.lists(scripts, min_size=1, max_size=4).map(tuple),
    concurrently=st.booleans(),
    proxies_token=st.booleans(),
    breaker=st.booleans(),
    cancel_after=st.none() | st.floats(0, 0.05),
)


class ScenarioRunner:
    """A server, the proxies in front of it, and the event loop of the clients."""

    def __init__(self, server_loop: ServerLoop) -> None:
        self._runner = asyncio.Runner()
        self._server = FaultyServer(server_loop)
        self._server_loop = server_loop

    def __enter__(self) -> "ScenarioRunner":
        self._runner.run(self._open())
        return self

    async def _open(self) -> None:
        await self._server.__aenter__()
        self._proxies = [Proxy(self._server_loop, self._server.api.port) for _ in range(MAX_PARALLEL)]
        for proxy in self._proxies:
            await proxy.__aenter__()

    async def _close(self) -> None:
        for proxy in self._proxies:
            await proxy.__aexit__(None, None, None)
        await self._server.__aexit__(None, None, None)

    def __exit__(self, *_exc: object) -> None:
        self._runner.run(self._close())
        self._runner.close()

    def run(self, given_scenarios: list[Scenario]) -> list[str]:
        """Run scenarios in parallel, and return what contradicts the server's count."""
        return self._runner.run(self._run_all(given_scenarios))

    async def _run_all(self, given_scenarios: list[Scenario]) -> list[str]:
        results = await asyncio.gather(*map(self._run_scenario, given_scenarios, self._proxies))
        server_counts = self._server.accepted
        await self._server.drained()
        problems = [f"{number} was accepted twice" for number in self._server.accepted_twice]
        for numbers, reports, accepted in results:
            problems += contradictions(reports, server_counts)
            if accepted > sum(server_counts[number] for number in numbers):
                problems.append(f"of {numbers} observers got ACCEPTED {accepted} times")
        self._server.reset_counts()
        return problems

    async def _run_scenario(self, scenario: Scenario, proxy: Proxy) -> tuple[list[str], list[SendReport], int]:
        connection_scripts = iter(scenario.connections)
        proxy.plan = lambda: next(connection_scripts, NO_INTERRUPTION)
        url = f"http://127.0.0.1:{proxy.port}"
        auth = {"auth_url": url} if scenario.proxies_token else {}
        recorder = AttemptRecorder()
        settings = {"total_timeout": TOTAL_TIMEOUT, "circuit_breaker": scenario.breaker, "observers": (recorder,)}
        config = self._server.config(api_url=url, **settings, **auth)
        flows = [new_flow(endpoint) for endpoint in scenario.messages]
        async with RouteeClient(config) as client:
            sending = [
                asyncio.create_task(send_and_report(client, flow))
                for flow in flows[: None if scenario.concurrently else 1]
            ]
            if scenario.cancel_after is not None:
                await asyncio.sleep(scenario.cancel_after)
                sending[0].cancel()
            await asyncio.wait(sending)
            reports = [send.result() for send in sending if not send.cancelled()]
            reports += [await send_and_report(client, flow) for flow in flows[len(sending) :]]
        await proxy.drained()
        return [number_of(flow) for flow in flows], reports, recorder.outcomes[Outcome.ACCEPTED]


@pytest.fixture(scope="module")
def scenario_runner(server_loop: ServerLoop) -> Iterator[ScenarioRunner]:
    """Start the server and the proxies of all scenarios."""
    with ScenarioRunner(server_loop) as runner:
        yield runner


@settings(max_examples=scaled(10), deadline=None, suppress_health_check=list(HealthCheck))
@given(given_scenarios=st.lists(scenarios, min_size=8, max_size=MAX_PARALLEL))
def test_random_faults_never_contradict_the_reported_outcomes(
    scenario_runner: ScenarioRunner, given_scenarios: list[Scenario]
) -> None:
    """NOT_SENT is accepted 0 times, ACCEPTED once, none twice; errors are in the tree, pickle and show no PIN."""
    assert scenario_runner.run(given_scenarios) == []
