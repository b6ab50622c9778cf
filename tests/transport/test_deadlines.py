"""Messages that are worth nothing after a while: they leave in time, with what is left of their time, or not at all."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import DeadlinePassed, InvalidFlow, Outcome, RouteeClient
from routee_failover._transport import ApiRequest, Transport
from routee_failover._transport.attempt import CancelReason
from routee_failover._transport.executor import execute
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until
from tests.client.rendered_errors import shown
from tests.client.sample_flows import CANARIES, otp, standard, viber_otp

from .raw_server import (
    BODY,
    GET,
    KEY,
    PIN,
    POST,
    AttemptRunner,
    PausableHandler,
    RawServer,
    attempt_runner,
    http,
    never_respond,
    open_transport,
    slots_in_use,
)

SHORT = 0.05
FAR = 3600.0


def message(seconds: float, body_within: Callable[[float], SecretBytes | None] | None = None) -> ApiRequest:
    """A message that is worth nothing after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    return ApiRequest("POST", "/failover", SecretBytes(BODY), deadline=deadline, body_factory=body_within)


async def passes(transport: Transport, seconds: float = SHORT) -> DeadlinePassed:
    """The error of a message whose deadline passes, well before anything else could end it."""
    async with asyncio.timeout(5):
        with pytest.raises(DeadlinePassed, match="nothing was sent") as caught:
            await transport.send_request(message(seconds))
    assert caught.value.outcome is Outcome.NOT_SENT
    printed = shown(caught.value)
    assert [secret for secret in (PIN, KEY, "canary-key") if secret in printed] == []
    return caught.value


async def test_waiting_for_a_token_ends_with_the_deadline() -> None:
    """A message whose deadline passes while the token is asked for is not sent, also once the token comes."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await passes(transport)
        handler.tokens_resumed.set()
        await transport.send_request(GET)
        assert (len(handler.seen), handler.begun, handler.tokens) == (1, 1, 1)


async def test_a_token_that_comes_too_late_is_not_used() -> None:
    """Where token and deadline come in the same moment, nothing is sent, and the token is not in the error."""
    handler = PausableHandler()
    async with RawServer(handler) as server, open_transport(server) as transport:
        line = transport._open(asyncio.get_running_loop())
        get = line._tokens.get

        async def late() -> Any:
            token = await get()
            call.deadline = asyncio.get_running_loop().time()
            return token

        call = message(FAR)
        line._tokens.get = late  # type: ignore[method-assign]
        with pytest.raises(DeadlinePassed) as caught:
            await transport.send_request(call)
        assert KEY not in shown(caught.value)
        assert slots_in_use(transport) == 0
        assert handler.begun == 0


async def test_waiting_for_a_new_token_ends_with_the_deadline() -> None:
    """A message whose token was refused does not wait longer for another than its deadline: it was refused."""
    handler = PausableHandler(http("401 Expired"))
    async with RawServer(handler) as server, open_transport(server) as transport:
        assert (await transport.send_request(GET))[0] is Outcome.REJECTED
        handler.tokens_resumed.clear()
        async with asyncio.timeout(5):
            outcome, result = await transport.send_request(message(0.5))
        assert outcome is Outcome.REJECTED
        assert result.response is not None
        assert result.response.status == 401


async def test_waiting_for_a_turn_ends_with_the_deadline() -> None:
    """A message whose deadline passes while every connection is busy is not sent."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        await passes(transport)
        handler.resumed.set()
        assert (await first)[0] is Outcome.ACCEPTED
        assert handler.begun == 1


async def test_connecting_ends_with_the_deadline() -> None:
    """A message whose deadline passes while the connection is made is told so then, and not at connect_timeout."""
    async with RawServer(never_respond) as silent, RawServer(PausableHandler()) as auth:
        settings = {"api_url": silent.url.replace("http:", "https:"), "auth_url": auth.url}
        async with open_transport(silent, **settings, connect_timeout=timedelta(hours=1)) as transport:
            await transport._open(asyncio.get_running_loop())._tokens.get()
            assert "could leave" in str(await passes(transport, 0.5))
        assert (silent.connections, auth.connections) == (1, 1)


async def _at_the_gate(runner: AttemptRunner, url: str, call: ApiRequest) -> Any:
    """One attempt that nothing but the last gate could stop."""
    exchange = runner.new_attempt(url)
    exchange.request, exchange.body = call, call.body
    return exchange, await execute(
        runner.session, exchange, timeout=runner.client_timeout, max_response_size=runner.max_response_size
    )


@pytest.mark.parametrize("pooled", [True, False])
async def test_the_last_gate_is_shut_after_the_deadline(pooled: bool) -> None:
    """With a connection at hand, and the deadline over, not a byte is written; the connection is not used again."""
    handler = PausableHandler()
    async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
        if pooled:
            await runner.run(f"{server.url}/failover")
        exchange, result = await _at_the_gate(runner, server.url, message(-1))
        assert (exchange.stop, result.begun, result.written) == (CancelReason.DEADLINE, False, 0)
        assert result.reason == "the deadline of the message had passed"
        await runner.run(f"{server.url}/failover")
        assert (handler.begun, server.connections) == (1 + pooled, 2)


async def test_the_body_at_the_gate_is_the_one_that_leaves() -> None:
    """What a message is made of is asked for with what is left, again at the gate; the last one leaves, whole."""
    handler, asked = PausableHandler(), list[float]()

    def body(left: float) -> SecretBytes:
        asked.append(left)
        return SecretBytes(b"%d" % 10 ** (3 * len(asked)))

    async with RawServer(handler) as server, open_transport(server) as transport:
        call = message(30.0, body)
        outcome, result = await transport.send_request(call)
        assert outcome is Outcome.ACCEPTED
    assert len(asked) == 2
    assert 0 < asked[1] <= asked[0] <= 30
    head, _, sent = handler.seen[0].partition(b"\r\n\r\n")
    assert sent == b"%d" % 10**6
    assert head.lower().count(b"content-length: 7") == head.lower().count(b"content-length") == 1
    assert result.bytes_written == len(handler.seen[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1, 2 * 1024 * 1024], ids=["small", "large"])
async def test_a_body_that_stays_the_same_or_changes_is_sent_once(size: int) -> None:
    """Large bodies go through the gate as small ones do, changed or not, without a word of aiohttp's."""
    handler = PausableHandler()
    async with RawServer(handler) as server, open_transport(server, max_attempts=1) as transport:
        for bodies in (["a"], ["a", "b"]):
            left = iter(bodies)
            last = bodies[-1]
            call = message(30.0, lambda _s, left=left, last=last: SecretBytes(next(left, last).encode() * size))  # type: ignore[misc]
            assert (await transport.send_request(call))[0] is Outcome.ACCEPTED
            assert handler.seen[-1].endswith(b"\r\n\r\n" + last.encode() * size)
        assert len(handler.seen) == 2


@pytest.mark.parametrize("asked_before", [0, 1], ids=["before it", "at the gate"])
async def test_a_message_that_cannot_be_made_in_time_is_not_sent(asked_before: int) -> None:
    """Where too little time is left for the message, that counts as the deadline itself."""
    handler, asked = PausableHandler(), list[float]()

    def body(left: float) -> SecretBytes | None:
        asked.append(left)
        return SecretBytes(BODY) if len(asked) <= asked_before else None

    async with RawServer(handler) as server, open_transport(server) as transport:
        with pytest.raises(DeadlinePassed):
            await transport.send_request(message(30.0, body))
        assert slots_in_use(transport) == 0
    assert (len(asked), handler.begun) == (asked_before + 1, 0)


async def test_a_deadline_after_the_first_byte_changes_nothing() -> None:
    """Once a message has left, its answer is waited for, however late it comes."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await transport._open(asyncio.get_running_loop())._tokens.get()
        call = message(0.8)
        sending = asyncio.create_task(transport.send_request(call))
        await until(lambda: handler.seen)
        await asyncio.wait([sending], timeout=1.0)
        assert not sending.done()
        handler.resumed.set()
        assert (await sending)[0] is Outcome.ACCEPTED


async def test_a_try_that_could_only_come_too_late_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that found nobody is not tried again after its deadline, and the caller is told without that wait."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 20.0)
    async with (
        RawServer(PausableHandler()) as server,
        open_transport(server, api_url="http://127.0.0.1:1") as transport,
    ):
        async with asyncio.timeout(5):
            assert (await transport.send_request(message(10.0)))[0] is Outcome.NOT_SENT


@pytest.mark.parametrize("deadline", [5, 0.5, "5", True, object()])
async def test_a_deadline_is_a_timedelta(deadline: Any) -> None:
    """A bare number is refused before anything is asked, in words that say what it should be."""
    async with RawServer(PausableHandler()) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidFlow, match=r"deadline: must be a timedelta .* timedelta\(minutes=2\), not"):
            await client.send(otp(), deadline=deadline)
        assert server.connections == 0


@pytest.mark.parametrize("deadline", [timedelta(0), timedelta(seconds=-1), timedelta.min])
async def test_a_deadline_that_is_over_sends_nothing(deadline: timedelta) -> None:
    """With no time left, not even a token is asked for."""
    async with RawServer(PausableHandler()) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeadlinePassed) as caught:
            await client.send(otp(), deadline=deadline)
        assert server.connections == 0
    printed = shown(caught.value)
    assert [canary for canary in CANARIES if canary in printed] == []


async def test_the_ttl_on_the_wire_is_what_is_left() -> None:
    """An OTP that is worth nothing after 90 seconds is given no longer to arrive, with all its steps together."""
    handler = PausableHandler(http("200 OK", b'{"flowId":"i","status":"Queued"}'))
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        await client.send(otp(), deadline=timedelta(seconds=90))
        await client.send(otp())
        shrunk, whole = (json.loads(request.partition(b"\r\n\r\n")[2])["flow"] for request in handler.seen)
    assert [step["ttl"] for step in whole] == [60, 60]
    assert all(20 < step["ttl"] < 45 for step in shrunk)


async def test_a_deadline_that_is_too_near_for_the_ttl_sends_nothing() -> None:
    """A standard flow counts in minutes: with ten seconds left there is none that could be written."""
    handler = PausableHandler()
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeadlinePassed, match="left too little time for its ttl"):
            await client.send(standard(), deadline=timedelta(seconds=10))
    assert handler.begun == 0


@pytest.mark.parametrize("deadline", [timedelta.max, timedelta(days=999_999_999), timedelta(days=36_500)])
async def test_a_deadline_that_is_far_off_changes_nothing(deadline: timedelta) -> None:
    """The longest deadline that can be said leaves a message as it is."""
    handler = PausableHandler(http("200 OK", b'{"trackingId":"t"}'))
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        await client.send(viber_otp(), deadline=deadline)
        await client.send(viber_otp())
    first, second = (request.partition(b"\r\n\r\n")[2] for request in handler.seen)
    assert first == second
