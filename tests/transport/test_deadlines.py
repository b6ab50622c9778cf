"""Deadlines: a message is sent in time, with the ttl that is left, or not at all."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest

from routee_failover import DeadlinePassed, InvalidFlow, Outcome, RateLimited, RouteeClient
from routee_failover._transport import ApiRequest, Transport
from routee_failover._transport.attempt import AttemptCancelled, CancelReason
from routee_failover._transport.failure_reasons import failed_result
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
    loop_transport_of,
    never_respond,
    open_transport,
    responding,
    slots_in_use,
)

SHORT = 0.05
FAR = 3600.0


def message(seconds: float, body_factory: Callable[[float], SecretBytes | None] | None = None) -> ApiRequest:
    """Return a message with a deadline in this many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    return ApiRequest("POST", "/failover", SecretBytes(BODY), deadline=deadline, body_factory=body_factory)


async def send_past_deadline(transport: Transport, seconds: float = SHORT) -> DeadlinePassed:
    """Send a message whose deadline passes before anything else can end it; return the error."""
    async with asyncio.timeout(5):
        with pytest.raises(DeadlinePassed, match="nothing was sent") as caught:
            await transport.send_request(message(seconds))
    assert caught.value.outcome is Outcome.NOT_SENT
    printed = shown(caught.value)
    assert [secret for secret in (PIN, KEY, "canary-key") if secret in printed] == []
    return caught.value


async def test_deadline_ends_the_wait_for_a_token() -> None:
    """A message whose deadline passes during the token request is not sent, even after the token has arrived."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await send_past_deadline(transport)
        handler.tokens_resumed.set()
        await transport.send_request(GET)
        assert (len(handler.seen), handler.request_count, handler.tokens) == (1, 1, 1)


async def test_token_that_arrives_at_the_deadline_is_not_used() -> None:
    """If the token arrives exactly at the deadline, nothing is sent, and the error does not hold the token."""
    handler = PausableHandler()
    async with RawServer(handler) as server, open_transport(server) as transport:
        loop_transport = transport._open(asyncio.get_running_loop())
        get = loop_transport.tokens.get

        async def get_at_the_deadline() -> Any:
            token = await get()
            api_request.deadline = asyncio.get_running_loop().time()
            return token

        api_request = message(FAR)
        loop_transport.tokens.get = get_at_the_deadline  # type: ignore[method-assign]
        with pytest.raises(DeadlinePassed) as caught:
            await transport.send_request(api_request)
        assert KEY not in shown(caught.value)
        assert slots_in_use(transport) == 0
        assert handler.request_count == 0


async def test_deadline_ends_the_wait_for_a_renewed_token() -> None:
    """A message whose token was rejected waits for another one until its deadline at most, and stays rejected."""
    handler = PausableHandler(http("401 Expired"))
    async with RawServer(handler) as server, open_transport(server) as transport:
        assert (await transport.send_request(GET))[0] is Outcome.REJECTED
        handler.tokens_resumed.clear()
        async with asyncio.timeout(5):
            outcome, result, _ = await transport.send_request(message(0.5))
        assert outcome is Outcome.REJECTED
        assert result.response is not None
        assert result.response.status == 401


async def test_deadline_ends_the_wait_for_a_slot() -> None:
    """A message whose deadline passes while every connection is busy is not sent."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, pool_size=1) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        await send_past_deadline(transport)
        handler.resumed.set()
        assert (await first)[0] is Outcome.ACCEPTED
        assert handler.request_count == 1


async def test_deadline_ends_connecting() -> None:
    """A message whose deadline passes while connecting raises then, and not at connect_timeout."""
    async with RawServer(never_respond) as silent, RawServer(PausableHandler()) as auth:
        settings = {"api_url": silent.url.replace("http:", "https:"), "auth_url": auth.url}
        async with open_transport(silent, **settings, connect_timeout=timedelta(hours=1)) as transport:
            await transport._open(asyncio.get_running_loop()).tokens.get()
            assert "before it was sent" in str(await send_past_deadline(transport, 0.5))
        assert (silent.connections, auth.connections) == (1, 1)


async def _execute_directly(runner: AttemptRunner, url: str, api_request: ApiRequest) -> Any:
    """Run an attempt that only the last check before the first byte can cancel."""
    attempt = runner.new_attempt(url)
    attempt.request, attempt.body = api_request, api_request.body
    attempt.task = cast("asyncio.Task[None]", asyncio.current_task())
    try:
        return attempt, await runner.executor.execute(attempt)
    except AttemptCancelled as error:
        return attempt, failed_result(attempt, error)


@pytest.mark.parametrize("pooled", [True, False])
async def test_last_check_rejects_an_attempt_after_its_deadline(pooled: bool) -> None:
    """With an open connection, after the deadline, no byte is written; the connection is not reused."""
    handler = PausableHandler()
    async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
        if pooled:
            await runner.run(f"{server.url}/failover")
        attempt, result = await _execute_directly(runner, server.url, message(-1))
        assert (attempt.cancel_reason, result.may_have_been_sent, result.bytes_written) == (
            CancelReason.DEADLINE,
            False,
            0,
        )
        assert result.reason == "the deadline of the message had passed"
        await runner.run(f"{server.url}/failover")
        assert (handler.request_count, server.connections) == (1 + pooled, 2)


async def test_body_is_built_right_before_the_first_byte() -> None:
    """The body is built once, with the time that remains when it is written."""
    handler, time_left = PausableHandler(), list[float]()

    def body(left: float) -> SecretBytes:
        time_left.append(left)
        return SecretBytes(b"%d" % 10 ** (3 * len(time_left)))

    async with RawServer(handler) as server, open_transport(server) as transport:
        api_request = message(30.0, body)
        outcome, result, _ = await transport.send_request(api_request)
        assert outcome is Outcome.ACCEPTED
    (left,) = time_left
    assert 0 < left <= 30
    head, _, sent = handler.seen[0].partition(b"\r\n\r\n")
    assert sent == b"%d" % 10**3
    assert head.lower().count(b"content-length: 4") == head.lower().count(b"content-length") == 1
    assert result.bytes_written == len(handler.seen[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1, 2 * 1024 * 1024], ids=["small", "large"])
async def test_built_body_is_sent_once_without_warnings(size: int) -> None:
    """Large bodies pass the last check like small ones, without a warning of aiohttp."""
    handler = PausableHandler()
    async with RawServer(handler) as server, open_transport(server, max_attempts=1) as transport:
        api_request = message(30.0, lambda _seconds: SecretBytes(b"b" * size))
        assert (await transport.send_request(api_request))[0] is Outcome.ACCEPTED
        assert handler.seen[-1].endswith(b"\r\n\r\n" + b"b" * size)
        assert len(handler.seen) == 1


@pytest.mark.parametrize("session", [{}, {"session_factory": aiohttp.ClientSession}], ids=["no session", "a session"])
async def test_message_without_enough_time_for_its_body_is_not_sent(session: dict[str, Any]) -> None:
    """Too little time for the body counts like a deadline that has passed."""
    handler, time_left = PausableHandler(), list[float]()

    def body(left: float) -> None:
        time_left.append(left)

    async with RawServer(handler) as server, open_transport(server, **session) as transport:
        with pytest.raises(DeadlinePassed):
            await transport.send_request(message(30.0, body))
        assert slots_in_use(transport) == 0
    assert (len(time_left), handler.request_count) == (1, 0)


async def test_deadline_after_the_first_byte_is_ignored() -> None:
    """Once a message has been sent, its response is awaited, however late it arrives."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server) as transport:
        await transport._open(asyncio.get_running_loop()).tokens.get()
        api_request = message(0.8)
        sending = asyncio.create_task(transport.send_request(api_request))
        await until(lambda: handler.seen)
        await asyncio.wait([sending], timeout=1.0)
        assert not sending.done()
        handler.resumed.set()
        assert (await sending)[0] is Outcome.ACCEPTED


async def test_retry_after_the_deadline_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message without a connection is not retried after its deadline, and its caller does not wait for that."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 20.0)
    async with (
        RawServer(PausableHandler()) as server,
        open_transport(server, api_url="http://127.0.0.1:1") as transport,
    ):
        async with asyncio.timeout(5):
            assert (await transport.send_request(message(10.0)))[0] is Outcome.NOT_SENT


@pytest.mark.parametrize("deadline", [5, 0.5, "5", True, object()])
async def test_deadline_that_is_no_timedelta_is_invalid(deadline: Any) -> None:
    """A plain number is refused before any request, with a text that says what it should be."""
    async with RawServer(PausableHandler()) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidFlow, match=r"deadline: must be a timedelta .* timedelta\(minutes=2\), not"):
            await client.send(otp(), deadline=deadline)
        assert server.connections == 0


@pytest.mark.parametrize("deadline", [timedelta(0), timedelta(seconds=-1), timedelta.min])
async def test_past_deadline_sends_nothing(deadline: timedelta) -> None:
    """With no time left, not even a token is requested."""
    async with RawServer(PausableHandler()) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeadlinePassed) as caught:
            await client.send(otp(), deadline=deadline)
        assert server.connections == 0
    printed = shown(caught.value)
    assert [canary for canary in CANARIES if canary in printed] == []


async def test_ttls_are_reduced_to_the_time_left() -> None:
    """The ttls of all steps of an OTP with a deadline in 90 seconds add up to no more than that."""
    handler = PausableHandler(http("200 OK", b'{"flowId":"i","status":"Queued"}'))
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        await client.send(otp(), deadline=timedelta(seconds=90))
        await client.send(otp())
        shrunk, whole = (json.loads(request.partition(b"\r\n\r\n")[2])["flow"] for request in handler.seen)
    assert [step["ttl"] for step in whole] == [60, 60]
    assert all(20 < step["ttl"] < 45 for step in shrunk)


async def test_deadline_shorter_than_the_smallest_ttl_sends_nothing() -> None:
    """The ttl of a standard flow is in minutes: ten seconds cannot be expressed, and nothing is connected for them."""
    handler = PausableHandler()
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeadlinePassed, match="leaves too little time for the ttl"):
            await client.send(standard(), deadline=timedelta(seconds=10))
        assert server.connections == 0


@pytest.mark.parametrize("deadline", [timedelta.max, timedelta(days=999_999_999), timedelta(days=36_500)])
async def test_far_deadline_leaves_the_message_unchanged(deadline: timedelta) -> None:
    """Even the longest possible deadline does not change a message."""
    handler = PausableHandler(http("200 OK", b'{"trackingId":"t"}'))
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        await client.send(viber_otp(), deadline=deadline)
        await client.send(viber_otp())
    first, second = (request.partition(b"\r\n\r\n")[2] for request in handler.seen)
    assert first == second


class WallClock:
    """The machine's clock, which a test can set, as the end of a sleep does."""

    def __init__(self) -> None:
        self._read, self.offset = time.time, 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self._read() + self.offset


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """Replace `time.time` by a clock that the test can set."""
    clock = WallClock()
    monkeypatch.setattr("time.time", clock)
    return clock


HOUR = timedelta(hours=1)


async def test_machine_that_sleeps_during_the_token_request_sends_nothing_late(wall_clock: WallClock) -> None:
    """A deadline that passes while the machine sleeps, and the clock of the loop stands still, has passed."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        sending = asyncio.create_task(client.send(otp(), deadline=HOUR))
        await until(lambda: handler.tokens)
        wall_clock.offset = 2 * HOUR.total_seconds()
        handler.tokens_resumed.set()
        with pytest.raises(DeadlinePassed, match="nothing was sent"):
            await sending
        assert handler.request_count == 0


async def test_machine_that_sleeps_while_a_message_waits_for_a_slot_sends_nothing_late(wall_clock: WallClock) -> None:
    """The same for a message that waits for a slot; the slot is free again for the next."""
    handler = PausableHandler(http("200 OK", b'{"flowId":"i","status":"Queued"}'), paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config(pool_size=1)) as client:
        first = asyncio.create_task(client.send(otp()))
        await until(lambda: handler.seen)
        second = asyncio.create_task(client.send(otp(), deadline=HOUR))
        await until(lambda: loop_transport_of(client._transport)._limiter._waiters)
        wall_clock.offset = 2 * HOUR.total_seconds()
        handler.resumed.set()
        with pytest.raises(DeadlinePassed, match="nothing was sent"):
            await second
        await first
        await client.send(otp(), deadline=HOUR)
        assert handler.request_count == 2


async def test_machine_that_sleeps_between_attempts_sends_nothing_late(
    wall_clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that Routee throttled is not sent again if its deadline passes while the machine sleeps."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.0)
    seen: list[bytes] = []
    async with RawServer(responding(http("429 Slower", b"{}", "Retry-After: 1"), seen=seen)) as server:
        async with RouteeClient(server.config()) as client:
            sending = asyncio.create_task(client.send(otp(), deadline=HOUR))
            await until(lambda: seen)
            wall_clock.offset = 2 * HOUR.total_seconds()
            with pytest.raises((DeadlinePassed, RateLimited)):
                await sending
        assert len(seen) == 1


@pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["pool", "session"])
@pytest.mark.parametrize("hours", [-2, 2])
async def test_last_check_uses_both_clocks(hours: int, session_factory: Any) -> None:
    """Right before the first byte a message is late if its deadline has passed by either clock."""
    async with (
        RawServer(PausableHandler()) as server,
        attempt_runner(server.config(session_factory=session_factory)) as runner,
    ):
        api_request = message(FAR * hours / 2)
        api_request.wall_deadline = time.time() - FAR * hours / 2
        attempt, result = await _execute_directly(runner, server.url, api_request)
        assert attempt.cancel_reason is CancelReason.DEADLINE
        assert not result.may_have_been_sent


@pytest.mark.parametrize("offset", [-7200.0, 7200.0])
async def test_clock_that_is_set_does_not_extend_a_deadline(wall_clock: WallClock, offset: float) -> None:
    """A deadline that has passed by the clock of the loop has passed, wherever the machine's clock is set."""
    handler = PausableHandler(tokens_paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        sending = asyncio.create_task(client.send(otp(), deadline=timedelta(seconds=2.2)))
        await until(lambda: handler.tokens)
        wall_clock.offset = offset
        with pytest.raises(DeadlinePassed, match="nothing was sent"):
            await sending
        assert handler.request_count == 0


async def test_ttls_are_reduced_by_the_time_the_machine_sleeps(wall_clock: WallClock) -> None:
    """The ttls end before the deadline by the clock that is nearer to it."""
    handler = PausableHandler(http("200 OK", b'{"flowId":"i","status":"Queued"}'), tokens_paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config()) as client:
        sending = asyncio.create_task(client.send(otp(), deadline=HOUR))
        await until(lambda: handler.tokens)
        wall_clock.offset = HOUR.total_seconds() - 90
        handler.tokens_resumed.set()
        await sending
    steps = json.loads(handler.seen[0].partition(b"\r\n\r\n")[2])["flow"]
    assert all(20 < step["ttl"] < 45 for step in steps)


async def test_request_without_a_deadline_does_not_read_the_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a message with a deadline pays for the second clock."""
    reads: list[float] = []
    async with RawServer(PausableHandler()) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        read = time.time

        def counted() -> float:
            reads.append(read())
            return reads[-1]

        monkeypatch.setattr("time.time", counted)
        await transport.send_request(POST)
        monkeypatch.undo()
    assert reads == []
