"""Circuit breaker end to end: what opens it, what it rejects while open, and the probe that all requests share."""

import asyncio
import socket
import sys
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from routee_failover import CircuitOpen, ClientClosed, DeadlinePassed, Outcome
from routee_failover._transport import ApiRequest, Transport
from routee_failover.events import AttemptEnded, CircuitBreakerChanged
from routee_failover.outcomes import AttemptResult
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until

from .raw_server import (
    BODY,
    GET,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    RawServer,
    Reader,
    RecordingObserver,
    Writer,
    http,
    loop_transport_of,
    never_respond,
    open_transport,
    read_request,
    responding,
    slots_in_use,
)

MIN_CALLS = 20
"""Number of calls that open the circuit if half of them fail."""
HEALTH = b"GET /failover-otp/health HTTP/1.1\r\n"
OPEN_SECONDS = 0.05
TASK_FACTORIES: list[Any] = [None]
"""Task factories of a loop: where there are eager ones, a task may end before `create_task` returns it."""
if sys.version_info >= (3, 12):
    TASK_FACTORIES.append(asyncio.eager_task_factory)


@pytest.fixture
def short_open_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first probe due after 50 ms."""
    monkeypatch.setattr("routee_failover._transport.circuit_breaker.INITIAL_OPEN_SECONDS", OPEN_SECONDS)


@pytest.fixture
def long_open_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first probe due later than any test runs."""
    monkeypatch.setattr("routee_failover._transport.circuit_breaker.INITIAL_OPEN_SECONDS", 3600.0)


class FailingHandler:
    """Responds to sends with `status` and, while `responds_to_probes` is set, to probes with `health`."""

    def __init__(self, status: str = "500 Oops", health: str = "200 OK") -> None:
        self.status, self.health = status, health
        self.responds_to_probes = asyncio.Event()
        self.responds_to_probes.set()
        self.sends: list[bytes] = []
        self.probes: list[bytes] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_RESPONSE)
            elif request.startswith(HEALTH):
                self.probes.append(request)
                await self.responds_to_probes.wait()
                writer.write(http(self.health))
            else:
                self.sends.append(request)
                writer.write(http(self.status))


async def _open_circuit(transport: Transport, api_request: ApiRequest = POST) -> None:
    for _ in range(MIN_CALLS):
        await transport.send_request(api_request)


async def _wait_until_probe_is_due() -> None:
    await asyncio.sleep(OPEN_SECONDS * 1.2)


@pytest.mark.usefixtures("long_open_time")
async def test_connection_failures_open_the_circuit() -> None:
    """After 20 failed connections the next request is rejected without an attempt, with the reason of the failures."""
    observer = RecordingObserver()
    async with (
        RawServer(FailingHandler()) as server,
        open_transport(server, api_url="http://127.0.0.1:1", max_attempts=1, observers=[observer]) as transport,
    ):
        await _open_circuit(transport)
        attempts_so_far = len(observer.of(AttemptEnded))
        with pytest.raises(CircuitOpen, match=r"no connection to 127\.0\.0\.1:1 could .* was not sent") as caught:
            await transport.send_request(POST)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert len(observer.of(AttemptEnded)) == attempts_so_far
    assert [(event.state, event.reason) for event in observer.of(CircuitBreakerChanged)] == [
        ("open", "no connection to 127.0.0.1:1 could be made (Connection refused)")
    ]


@pytest.mark.usefixtures("long_open_time")
async def test_connections_that_exceed_total_timeout_open_the_circuit() -> None:
    """Routee is just as unreachable when total_timeout, not connect_timeout, ends the connection attempt."""
    async with RawServer(never_respond) as silent, RawServer(FailingHandler()) as auth:
        settings: dict[str, Any] = {
            "api_url": silent.url.replace("http:", "https:"),
            "auth_url": auth.url,
            "total_timeout": timedelta(milliseconds=500),
            "connect_timeout": timedelta(hours=1),
        }
        async with open_transport(silent, **settings) as transport:
            outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(MIN_CALLS)))
            assert {outcome for outcome, *_ in outcomes} == {Outcome.NOT_SENT}
            with pytest.raises(CircuitOpen, match="no connection within total_timeout"):
                await transport.send_request(POST)


@pytest.mark.usefixtures("long_open_time")
@pytest.mark.parametrize("api_request", [POST, GET], ids=["send", "read"])
async def test_5xx_responses_open_the_circuit(api_request: ApiRequest) -> None:
    """5xx responses open the circuit, whatever the request, and no further request reaches the server."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server, max_attempts=1) as transport:
        await _open_circuit(transport, api_request)
        for other in (POST, GET):
            with pytest.raises(CircuitOpen, match="Routee answered 500"):
                await transport.send_request(other)
        assert len(failing.sends) == MIN_CALLS


@pytest.mark.parametrize("status", ["400 No", "401 No", "404 No", "422 No", "429 Slower", "307 Elsewhere"])
async def test_rejections_never_open_the_circuit(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that rejects requests is reachable: 40 rejections are 40 responses."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.0)
    failing = FailingHandler(status)
    async with RawServer(failing) as server, open_transport(server, max_attempts=1) as transport:
        for _ in range(2 * MIN_CALLS):
            assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        assert len(failing.sends) >= 2 * MIN_CALLS


async def test_disabled_circuit_breaker_sends_every_request() -> None:
    """circuit_breaker=False: 40 requests get 40 failures."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server, circuit_breaker=False, max_attempts=1) as transport:
        await _open_circuit(transport)
        await _open_circuit(transport)
        assert (len(failing.sends), failing.probes) == (2 * MIN_CALLS, [])


@pytest.mark.usefixtures("short_open_time")
async def test_successful_probe_releases_all_waiting_requests() -> None:
    """30 requests wait for one GET without a token; nothing else is sent meanwhile; after its success all are sent."""
    failing, observer = FailingHandler(), RecordingObserver()
    async with RawServer(failing) as server, open_transport(server, observers=[observer]) as transport:
        await _open_circuit(transport)
        await _wait_until_probe_is_due()
        failing.responds_to_probes.clear()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(30)]
        await until(lambda: failing.probes)
        await asyncio.sleep(0.02)
        assert (len(failing.probes), len(failing.sends)) == (1, MIN_CALLS)
        assert b"authorization" not in failing.probes[0].lower()
        failing.status = "200 OK"
        failing.responds_to_probes.set()
        assert {outcome for outcome, *_ in await asyncio.gather(*callers)} == {Outcome.ACCEPTED}
        assert (len(failing.probes), len(failing.sends)) == (1, MIN_CALLS + 30)
    assert [event.state for event in observer.of(CircuitBreakerChanged)] == ["open", "half-open", "closed"]


@pytest.mark.usefixtures("short_open_time")
async def test_failed_probe_rejects_all_waiting_requests() -> None:
    """After a failed probe every waiting request is rejected with its reason, and the open time doubles."""
    failing, observer = FailingHandler(health="503 Still failing"), RecordingObserver()
    async with RawServer(failing) as server, open_transport(server, observers=[observer]) as transport:
        await _open_circuit(transport)
        await _wait_until_probe_is_due()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(10)]
        await asyncio.wait(callers)
        for caller in callers:
            with pytest.raises(CircuitOpen, match="Routee answered 503"):
                await caller
        assert (len(failing.probes), len(failing.sends)) == (1, MIN_CALLS)
        circuit_breaker = loop_transport_of(transport)._circuit_breaker
        assert circuit_breaker is not None
        assert circuit_breaker._state_machine._open_seconds == 2 * OPEN_SECONDS
    assert [event.state for event in observer.of(CircuitBreakerChanged)] == ["open", "half-open", "open"]


class UnableResolver(AbstractResolver):
    """Resolver that fails at once, without a wait, and counts how often it was asked."""

    calls = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Fail."""
        self.calls += 1
        raise OSError("no such name")

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("task_factory", TASK_FACTORIES)
@pytest.mark.usefixtures("short_open_time")
async def test_probe_that_fails_without_a_wait_is_followed_by_the_next_one(task_factory: Any) -> None:
    """A probe that fails at once is over: another one is made when it is due."""
    asyncio.get_running_loop().set_task_factory(task_factory)
    resolver = UnableResolver()
    async with RawServer(FailingHandler()) as server:
        urls = {"api_url": "https://routee.invalid", "auth_url": server.url.replace("localhost", "127.0.0.1")}
        async with open_transport(server, **urls, resolver=lambda: resolver, max_attempts=1) as transport:
            await _open_circuit(transport)
            for probes in (1, 2, 3):
                await asyncio.sleep(2 ** (probes - 1) * OPEN_SECONDS * 1.2)
                with pytest.raises(CircuitOpen, match="could not be resolved"):
                    await asyncio.create_task(transport.send_request(POST))
                assert resolver.calls == MIN_CALLS + probes


@pytest.mark.usefixtures("short_open_time")
async def test_cancelled_caller_does_not_cancel_the_shared_probe() -> None:
    """The caller that started the probe may be cancelled: the probe continues for the others."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server) as transport:
        await _open_circuit(transport)
        await _wait_until_probe_is_due()
        failing.responds_to_probes.clear()
        first, second = (asyncio.create_task(transport.send_request(POST)) for _ in range(2))
        await until(lambda: failing.probes)
        first.cancel()
        await asyncio.wait([first])
        failing.status = "200 OK"
        failing.responds_to_probes.set()
        assert (await second)[0] is Outcome.ACCEPTED
        assert first.cancelled()
        assert (len(failing.probes), len(failing.sends)) == (1, MIN_CALLS + 1)


@pytest.mark.usefixtures("short_open_time")
async def test_closing_during_a_probe_raises_client_closed_to_the_waiters() -> None:
    """Callers that wait for a probe while the client closes get ClientClosed, not CancelledError."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server) as transport:
        await _open_circuit(transport)
        await _wait_until_probe_is_due()
        failing.responds_to_probes.clear()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(3)]
        await until(lambda: failing.probes)
        await transport.aclose()
        for caller in callers:
            with pytest.raises(ClientClosed):
                await caller
        assert len(failing.sends) == MIN_CALLS


@pytest.mark.usefixtures("short_open_time")
async def test_deadline_ends_the_wait_for_a_probe() -> None:
    """A message whose deadline passes while the probe is in flight raises DeadlinePassed then, and is not sent."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server) as transport:
        await _open_circuit(transport)
        await _wait_until_probe_is_due()
        failing.responds_to_probes.clear()
        deadline = asyncio.get_running_loop().time() + 0.5
        with pytest.raises(DeadlinePassed):
            await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(BODY), deadline=deadline))
        assert (len(failing.probes), len(failing.sends)) == (1, MIN_CALLS)


@pytest.mark.usefixtures("long_open_time")
async def test_requests_that_wait_for_a_slot_when_the_circuit_opens_are_rejected() -> None:
    """A message that was waiting for a slot before the circuit opened is not sent afterwards."""
    failing = FailingHandler()
    async with RawServer(failing) as server, open_transport(server, pool_size=1) as transport:
        requests = [asyncio.create_task(transport.send_request(POST)) for _ in range(3 * MIN_CALLS)]
        await asyncio.wait(requests)
        rejected = [task for task in requests if isinstance(task.exception(), CircuitOpen)]
        assert (len(failing.sends), len(rejected)) == (MIN_CALLS, 2 * MIN_CALLS)
        assert slots_in_use(transport) == 0


async def test_probe_is_repeated_after_stale_pooled_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that meets pooled connections which the server has closed is repeated until it gets a response."""
    async with RawServer(responding(http("404 Not Found"))) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        loop_transport = loop_transport_of(transport)
        in_flight, stale = loop_transport._in_flight, iter([True, True])
        execute = in_flight._execute

        async def send_over_stale_connections(*args: Any) -> AttemptResult:
            return (
                AttemptResult(may_have_been_sent=False, reason="x", stale_connection=True)
                if next(stale, False)
                else await execute(*args)
            )

        monkeypatch.setattr(in_flight, "_execute", send_over_stale_connections)
        result = await loop_transport._probe_health()
    assert result.response is not None
    assert (result.response.status, next(stale, None)) == (404, None)
