"""The breaker end to end: what opens it, who passes while it is open, and the one probe that decides for all."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

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
    TOKEN_ANSWER,
    TOKEN_PATH,
    Notes,
    RawServer,
    Reader,
    Writer,
    answering,
    hang,
    http,
    loop_transport_of,
    opened,
    read_request,
    slots_in_use,
)

ENOUGH = 20
"""How many calls open a breaker if half of them fail."""
HEALTH = b"GET /failover-otp/health HTTP/1.1\r\n"
REST = 0.05


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open breaker rests for a moment only."""
    monkeypatch.setattr("routee_failover._transport.circuit_state.INITIAL_OPEN_SECONDS", REST)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """An open breaker rests for longer than any test takes."""
    monkeypatch.setattr("routee_failover._transport.circuit_state.INITIAL_OPEN_SECONDS", 3600.0)


class Ill:
    """Answers sends with `status` and probes with `health`, once they are `asked` to."""

    def __init__(self, status: str = "500 Oops", health: str = "200 OK") -> None:
        self.status, self.health = status, health
        self.answers_probes = asyncio.Event()
        self.answers_probes.set()
        self.sends: list[bytes] = []
        self.probes: list[bytes] = []

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        """Serve one connection."""
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                writer.write(TOKEN_ANSWER)
            elif request.startswith(HEALTH):
                self.probes.append(request)
                await self.answers_probes.wait()
                writer.write(http(self.health))
            else:
                self.sends.append(request)
                writer.write(http(self.status))


async def _break(transport: Transport, call: ApiRequest = POST) -> None:
    for _ in range(ENOUGH):
        await transport.send_request(call)


async def _rest() -> None:
    await asyncio.sleep(REST * 1.2)


@pytest.mark.usefixtures("late")
async def test_no_connection_opens_it() -> None:
    """After 20 calls that found nobody, the next is not even tried, and told what was wrong with those before."""
    notes = Notes()
    async with (
        RawServer(Ill()) as server,
        opened(server, api_url="http://127.0.0.1:1", max_attempts=1, observers=[notes]) as transport,
    ):
        await _break(transport)
        told = len(notes.of(AttemptEnded))
        with pytest.raises(CircuitOpen, match=r"no connection to 127\.0\.0\.1:1 could .* was not sent") as caught:
            await transport.send_request(POST)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert len(notes.of(AttemptEnded)) == told
    assert [(event.state, event.reason) for event in notes.of(CircuitBreakerChanged)] == [
        ("open", "no connection to 127.0.0.1:1 could be made (Connection refused)")
    ]


@pytest.mark.usefixtures("late")
async def test_no_connection_within_total_timeout_opens_it_too() -> None:
    """Routee is no less away where total_timeout ends the try to connect, and not connect_timeout."""
    async with RawServer(hang) as silent, RawServer(Ill()) as auth:
        settings: dict[str, Any] = {
            "api_url": silent.url.replace("http:", "https:"),
            "auth_url": auth.url,
            "total_timeout": timedelta(milliseconds=500),
            "connect_timeout": timedelta(hours=1),
        }
        async with opened(silent, **settings) as transport:
            outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(ENOUGH)))
            assert {outcome for outcome, _ in outcomes} == {Outcome.NOT_SENT}
            with pytest.raises(CircuitOpen, match="no connection within total_timeout"):
                await transport.send_request(POST)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("call", [POST, GET], ids=["send", "read"])
async def test_a_server_that_fails_opens_it(call: ApiRequest) -> None:
    """Answers of 5xx open it, whatever was asked, and no call reaches the server then."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server, max_attempts=1) as transport:
        await _break(transport, call)
        for other in (POST, GET):
            with pytest.raises(CircuitOpen, match="Routee answered 500"):
                await transport.send_request(other)
        assert len(ill.sends) == ENOUGH


@pytest.mark.parametrize("status", ["400 No", "401 No", "404 No", "422 No", "429 Slower", "307 Elsewhere"])
async def test_a_refusal_never_opens_it(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that refuses is there: 40 refusals are 40 answers."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.0)
    ill = Ill(status)
    async with RawServer(ill) as server, opened(server, max_attempts=1) as transport:
        for _ in range(2 * ENOUGH):
            assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        assert len(ill.sends) >= 2 * ENOUGH


async def test_without_a_breaker_everything_is_tried() -> None:
    """circuit_breaker=False: 40 calls meet 40 failures."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server, circuit_breaker=False, max_attempts=1) as transport:
        await _break(transport)
        await _break(transport)
        assert (len(ill.sends), ill.probes) == (2 * ENOUGH, [])


@pytest.mark.usefixtures("soon")
async def test_one_probe_decides_for_all() -> None:
    """30 callers wait for one GET that carries no token; nothing else is on the wire; when it is good all are sent."""
    ill, notes = Ill(), Notes()
    async with RawServer(ill) as server, opened(server, observers=[notes]) as transport:
        await _break(transport)
        await _rest()
        ill.answers_probes.clear()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(30)]
        await until(lambda: ill.probes)
        await asyncio.sleep(0.02)
        assert (len(ill.probes), len(ill.sends)) == (1, ENOUGH)
        assert b"authorization" not in ill.probes[0].lower()
        ill.status = "200 OK"
        ill.answers_probes.set()
        assert {outcome for outcome, _ in await asyncio.gather(*callers)} == {Outcome.ACCEPTED}
        assert (len(ill.probes), len(ill.sends)) == (1, ENOUGH + 30)
    assert [event.state for event in notes.of(CircuitBreakerChanged)] == ["open", "half-open", "closed"]


@pytest.mark.usefixtures("soon")
async def test_a_bad_probe_refuses_all_who_waited() -> None:
    """When the probe is bad, everybody who waited is refused with its cause, and the next probe waits twice as long."""
    ill, notes = Ill(health="503 Still ill"), Notes()
    async with RawServer(ill) as server, opened(server, observers=[notes]) as transport:
        await _break(transport)
        await _rest()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(10)]
        await asyncio.wait(callers)
        for caller in callers:
            with pytest.raises(CircuitOpen, match="Routee answered 503"):
                await caller
        assert (len(ill.probes), len(ill.sends)) == (1, ENOUGH)
        gate = loop_transport_of(transport)._circuit_breaker
        assert gate is not None
        assert gate._state_machine._open_seconds == 2 * REST
    assert [event.state for event in notes.of(CircuitBreakerChanged)] == ["open", "half-open", "open"]


@pytest.mark.usefixtures("soon")
async def test_a_caller_who_leaves_does_not_take_the_probe_along() -> None:
    """Whoever asked for the probe may be cancelled: it goes on for the others."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server) as transport:
        await _break(transport)
        await _rest()
        ill.answers_probes.clear()
        first, second = (asyncio.create_task(transport.send_request(POST)) for _ in range(2))
        await until(lambda: ill.probes)
        first.cancel()
        await asyncio.wait([first])
        ill.status = "200 OK"
        ill.answers_probes.set()
        assert (await second)[0] is Outcome.ACCEPTED
        assert first.cancelled()
        assert (len(ill.probes), len(ill.sends)) == (1, ENOUGH + 1)


@pytest.mark.usefixtures("soon")
async def test_closing_while_a_probe_is_under_way_cancels_nobody() -> None:
    """Whoever waits for a probe while the client is closed is told so, and is not 'cancelled'."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server) as transport:
        await _break(transport)
        await _rest()
        ill.answers_probes.clear()
        callers = [asyncio.create_task(transport.send_request(POST)) for _ in range(3)]
        await until(lambda: ill.probes)
        await transport.aclose()
        for caller in callers:
            with pytest.raises(ClientClosed):
                await caller
        assert len(ill.sends) == ENOUGH


@pytest.mark.usefixtures("soon")
async def test_a_deadline_does_not_wait_for_the_probe() -> None:
    """A message whose deadline passes while the probe is under way is told so then, and not sent."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server) as transport:
        await _break(transport)
        await _rest()
        ill.answers_probes.clear()
        deadline = asyncio.get_running_loop().time() + 0.5
        with pytest.raises(DeadlinePassed):
            await transport.send_request(ApiRequest("POST", "/failover", SecretBytes(BODY), deadline=deadline))
        assert (len(ill.probes), len(ill.sends)) == (1, ENOUGH)


@pytest.mark.usefixtures("late")
async def test_who_waits_in_line_while_it_opens_is_not_sent() -> None:
    """A message that had its place in the line before the breaker opened does not pass after it."""
    ill = Ill()
    async with RawServer(ill) as server, opened(server, pool_size=1) as transport:
        calls = [asyncio.create_task(transport.send_request(POST)) for _ in range(3 * ENOUGH)]
        await asyncio.wait(calls)
        refused = [call for call in calls if isinstance(call.exception(), CircuitOpen)]
        assert (len(ill.sends), len(refused)) == (ENOUGH, 2 * ENOUGH)
        assert slots_in_use(transport) == 0


async def test_a_dead_connection_of_the_pool_is_no_answer_to_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that meets pooled connections which the server has closed asks again, until it has an answer."""
    async with RawServer(answering(http("404 Not Found"))) as server, opened(server) as transport:
        await transport.send_request(GET)
        line = loop_transport_of(transport)
        direct, gone = line._send_direct, iter([True, True])

        async def meets(*asked: Any) -> AttemptResult:
            return (
                AttemptResult(may_have_been_sent=False, reason="x", stale_connection=True)
                if next(gone, False)
                else await direct(*asked)
            )

        monkeypatch.setattr(line, "_direct", meets)
        evidence = await line._probe_health()
    assert evidence.response is not None
    assert (evidence.response.status, next(gone, None)) == (404, None)
