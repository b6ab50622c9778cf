"""Throttling and rejections, as the server sees them: pauses of the whole client, safe retries, and no others."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest

from routee_failover import DeliveryUnknown, Outcome, RateLimited, Rejected, RouteeClient
from routee_failover._transport import ApiRequest
from routee_failover.events import RetryScheduled, ThrottlePaused
from routee_failover.outcomes import RetryMode, StatusRule
from tests.client.fake_routee import until
from tests.client.sample_flows import otp

from .raw_server import (
    ACCEPTED,
    GET,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    RawServer,
    Reader,
    RecordingObserver,
    Writer,
    after_token,
    http,
    loop_transport_of,
    open_transport,
    read_request,
    responding,
)

pytestmark = pytest.mark.usefixtures("no_jitter")

EARLY = 0.02
"""Seconds by which a timer may be early, because of the resolution of the clocks."""


class Arrivals(list[bytes]):
    """Requests with their times of arrival; `handler` responds with the next response, the last one is repeated."""

    def __init__(self, *responses: bytes) -> None:
        super().__init__()
        self.times: list[float] = []
        self.handler = responding(*responses, seen=self)

    def append(self, request: bytes) -> None:
        """Record a request and its time."""
        self.times.append(time.monotonic())
        super().append(request)


def throttled(status: str = "429 Slower", retry_after: str = "1") -> bytes:
    """Return a response that asks for a pause."""
    return http(status, b"{}", f"Retry-After: {retry_after}")


def _in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


THROTTLED: dict[str, Callable[[], bytes]] = {
    "429 in seconds": throttled,
    "429 with a date": lambda: throttled(retry_after=_in(2)),
    "503 in seconds": lambda: throttled("503 Busy"),
    "503 with a date": lambda: throttled("503 Busy", _in(2)),
}


@pytest.mark.parametrize("make_response", THROTTLED.values(), ids=THROTTLED)
async def test_throttled_message_is_retried_after_the_pause(make_response: Callable[[], bytes]) -> None:
    """A throttled send is retried when Routee asked for it, not sooner, and accepted once."""
    arrivals, observer = Arrivals(make_response(), ACCEPTED), RecordingObserver()
    async with RawServer(arrivals.handler) as server, open_transport(server, observers=[observer]) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    (paused,) = observer.of(ThrottlePaused)
    first, second = arrivals.times
    assert 0.5 < paused.seconds <= 2
    assert second - first >= paused.seconds - EARLY


HOUR = 3600.0
ASKING: dict[str, tuple[Callable[[], list[str]], float]] = {
    "decimals": (lambda: ["Retry-After: 90.5"], 91.0),
    "two lines": (lambda: ["Retry-After: 60", "Retry-After: 90"], 90.0),
    "a list": (lambda: ["Retry-After: 90, 60"], 90.0),
    "a date, and this clock an hour fast": (lambda: [f"Date: {_in(-HOUR)}", f"Retry-After: {_in(90 - HOUR)}"], 90.0),
    "a date, and this clock an hour slow": (lambda: [f"Date: {_in(HOUR)}", f"Retry-After: {_in(90 + HOUR)}"], 90.0),
}


@pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["connector", "session"])
@pytest.mark.parametrize("status", ["429 Slower", "503 Busy"])
@pytest.mark.parametrize(("headers", "seconds"), ASKING.values(), ids=ASKING)
async def test_caller_gets_the_pause_that_the_server_asks_for(
    headers: Callable[[], list[str]], seconds: float, status: str, session_factory: Any
) -> None:
    """A rejection has the pause in whole seconds, by the server's clock, however it is written; it is not UNKNOWN."""

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            writer.write(TOKEN_RESPONSE if TOKEN_PATH in request else http(status, b"{}", *headers()))

    async with RawServer(handler) as server:
        config = server.config(session_factory=session_factory)
        async with RouteeClient(config) as client:
            with pytest.raises(Rejected) as caught:
                await client.send(otp())
    assert caught.value.retry_after is not None
    assert seconds <= caught.value.retry_after <= seconds + 1


async def test_pause_holds_all_requests_of_the_client() -> None:
    """During a throttle pause the client sends no request of any kind; afterwards it sends all of them."""
    arrivals = Arrivals(throttled(), ACCEPTED)
    async with RawServer(arrivals.handler) as server, open_transport(server) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: loop_transport_of(transport)._limiter._admission.paused_until > 0)
        one_time = ApiRequest("POST", "/failover-otp/otp/send-failover", POST.body, otp=True)
        others = [asyncio.create_task(transport.send_request(each)) for each in (POST, GET, one_time) for _ in range(5)]
        outcomes = [outcome for outcome, *_ in await asyncio.gather(first, *others)]
        assert outcomes == [Outcome.ACCEPTED] * 16
    assert len(arrivals) == 17
    assert min(arrivals.times[1:]) - arrivals.times[0] >= 1 - EARLY


@pytest.mark.parametrize("other", [throttled(retry_after="0"), ACCEPTED, http("500 Oops")], ids=["0 s", "200", "500"])
async def test_response_during_a_pause_does_not_shorten_it(other: bytes) -> None:
    """A request that was in flight when the pause began and finishes during it does not end the pause."""
    released, seen = asyncio.Event(), list[bytes]()

    async def pause_then_other(_reader: Reader, writer: Writer) -> None:
        if len(seen) == 1:
            await released.wait()
            writer.write(other)
        else:
            writer.write(throttled(retry_after="20"))
        await writer.drain()

    async with (
        RawServer(after_token(seen, pause_then_other)) as server,
        open_transport(server, max_attempts=1) as transport,
    ):
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: len(seen) == 1)
        assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        paused_until = loop_transport_of(transport)._limiter._admission.paused_until
        assert paused_until - asyncio.get_running_loop().time() > 15
        released.set()
        await first
        assert loop_transport_of(transport)._limiter._admission.paused_until == paused_until


async def test_pause_above_max_throttle_pause_is_raised_and_capped() -> None:
    """A longer pause than max_throttle_pause raises RateLimited at once; the client pauses for the maximum."""
    arrivals, observer = Arrivals(throttled(retry_after="3600"), ACCEPTED), RecordingObserver()
    config = {"max_throttle_pause": timedelta(seconds=0.5), "observers": [observer]}
    async with RawServer(arrivals.handler) as server, RouteeClient(server.config(**config)) as client:
        with pytest.raises(RateLimited) as caught:
            await client.send(otp())
        assert caught.value.retry_after == 3600
        assert len(arrivals) == 1
        assert observer.of(RetryScheduled) == []
        assert observer.of(ThrottlePaused) == [ThrottlePaused(429, 0.5)]
        async with asyncio.timeout(20):
            with pytest.raises(DeliveryUnknown):  # the accepted response is not a receipt of an OTP
                await client.send(otp())
    assert arrivals.times[1] - arrivals.times[0] >= 0.5 - EARLY


async def test_429_without_retry_after_pauses_for_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 without Retry-After pauses the client for INITIAL_THROTTLE_DELAY."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.2)
    arrivals, observer = Arrivals(http("429 Slower"), ACCEPTED), RecordingObserver()
    async with RawServer(arrivals.handler) as server, open_transport(server, observers=[observer]) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert observer.of(ThrottlePaused) == [ThrottlePaused(429, 0.2)]
    assert arrivals.times[1] - arrivals.times[0] >= 0.2 - EARLY


async def test_always_throttled_message_is_rejected_after_max_attempts() -> None:
    """After max_attempts the outcome is REJECTED."""
    arrivals = Arrivals(throttled(retry_after="0"))
    async with RawServer(arrivals.handler) as server, open_transport(server) as transport:
        outcome, result, _ = await transport.send_request(POST)
    assert result.response is not None
    assert (outcome, result.response.status, len(arrivals)) == (Outcome.REJECTED, 429, 3)


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Busy", "504 Timeout", "520 Unknown"])
async def test_5xx_without_retry_after_is_unknown_and_not_retried(status: str) -> None:
    """A send that gets a 5xx without Retry-After is UNKNOWN and never repeated."""
    arrivals = Arrivals(http(status), ACCEPTED)
    async with RawServer(arrivals.handler) as server, open_transport(server) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.UNKNOWN
        await asyncio.sleep(0.02)
        assert len(arrivals) == 1


@pytest.mark.parametrize("status", ["408 Too Slow", "425 Too Early"])
@pytest.mark.parametrize("second", [ACCEPTED, None], ids=["accepted", "same status"])
async def test_408_and_425_are_retried_once(status: str, second: bytes | None) -> None:
    """408 and 425 are transient: the message is sent once more, whatever the second response."""
    closing = http(status, b"{}", "Connection: close")
    arrivals = Arrivals(closing, second or closing)
    async with RawServer(arrivals.handler) as server, open_transport(server, max_attempts=9) as transport:
        outcome, *_ = await transport.send_request(POST)
    assert (outcome, len(arrivals)) == (Outcome.ACCEPTED if second else Outcome.REJECTED, 2)


@pytest.mark.parametrize("status", ["408 Too Slow", "425 Too Early"])
async def test_408_and_425_on_a_connection_that_stays_open_are_unknown(status: str) -> None:
    """Such a response may have crossed the message, which the server then reads on: it is not sent again."""
    arrivals = Arrivals(http(status), ACCEPTED)
    async with RawServer(arrivals.handler) as server, open_transport(server, max_attempts=9) as transport:
        outcome, *_ = await transport.send_request(POST)  # the connection has served the token request
    assert (outcome, len(arrivals)) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize("status", ["408 Too Slow", "425 Too Early"])
async def test_408_and_425_on_a_new_connection_are_retried_once(status: str) -> None:
    """On a new connection nothing can have crossed the message: it is sent once more."""
    arrivals = Arrivals(http(status), http(status, b"{}", "Connection: close"))
    async with (
        RawServer(arrivals.handler) as server,
        RawServer(responding()) as auth,
        open_transport(server, auth_url=auth.url) as transport,
    ):
        outcome, *_ = await transport.send_request(POST)
    assert (outcome, len(arrivals)) == (Outcome.REJECTED, 2)


@pytest.mark.parametrize("status", ["400 No", "404 None", "413 Large", "422 No", "307 Elsewhere"])
async def test_rejection_of_the_message_is_not_retried(status: str) -> None:
    """A message that is rejected for its content is not sent again."""
    arrivals = Arrivals(http(status), ACCEPTED)
    async with RawServer(arrivals.handler) as server, open_transport(server) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        assert len(arrivals) == 1


async def test_500_messages_with_401_share_one_token_renewal() -> None:
    """A revoked token costs one renewal and one more attempt per message, however many are in flight."""
    all_arrived, tokens, sent = asyncio.Event(), list[bytes](), list[bytes]()

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                tokens.append(request)
                writer.write(http("200 OK", b'{"access_token":"token-%d","expires_in":3600}' % len(tokens)))
                continue
            sent.append(request)
            if b"Bearer token-1" in request:
                if len(sent) == 500:
                    all_arrived.set()
                await all_arrived.wait()
                writer.write(http("401 Expired"))
            else:
                writer.write(ACCEPTED)

    settings = {"pool_size": 500, "otp_reserve": 0, "connect_timeout": timedelta(seconds=30)}
    async with RawServer(handler) as server, open_transport(server, **settings) as transport:
        outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(500)))
    assert {outcome for outcome, *_ in outcomes} == {Outcome.ACCEPTED}
    assert (len(tokens), len(sent)) == (2, 1000)


RULES: dict[str, tuple[str, StatusRule, Outcome, int]] = {
    "502": ("502 Bad Gateway", StatusRule(Outcome.REJECTED, RetryMode.ONCE), Outcome.ACCEPTED, 2),
    "5xx": ("500 Oops", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "429": ("429 Slower", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "422": ("422 No", StatusRule(Outcome.UNKNOWN), Outcome.UNKNOWN, 1),
    "401": ("401 No", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "503": ("503 Busy", StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE), Outcome.ACCEPTED, 2),
    "2xx": ("202 Taken", StatusRule(Outcome.UNKNOWN), Outcome.UNKNOWN, 1),
}


@pytest.mark.parametrize(
    ("pattern", "status", "rule", "outcome", "sent"), [(k, *v) for k, v in RULES.items()], ids=RULES
)
async def test_status_rule_decides_outcome_and_retry(
    pattern: str, status: str, rule: StatusRule, outcome: Outcome, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of status_rules decides which outcome its status proves, and whether the message is retried."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.05)
    arrivals = Arrivals(http(status), http("200 OK", b"{}"))
    async with RawServer(arrivals.handler) as server, open_transport(server, status_rules={pattern: rule}) as transport:
        result, *_ = await transport.send_request(POST)
    assert (result, len(arrivals)) == (outcome, sent)


async def test_status_rule_decides_the_error_of_the_caller() -> None:
    """A 500 that is configured as a rejection raises Rejected."""
    rules = {"500": StatusRule(Outcome.REJECTED)}
    async with (
        RawServer(responding(http("500 Oops"))) as server,
        RouteeClient(server.config(status_rules=rules)) as client,
    ):
        with pytest.raises(Rejected) as caught:
            await client.send(otp())
    assert caught.value.status == 500


FAILING: dict[str, Any] = {
    "500": lambda writer: writer.write(http("500 Oops")),
    "503": lambda writer: writer.write(http("503 Busy")),
    "FIN": lambda writer: writer.close(),
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
async def test_reading_call_is_retried_without_a_usable_response(fail: Callable[[Writer], None]) -> None:
    """A reading call changes nothing, so it is retried if there is no usable response."""
    seen: list[bytes] = []

    async def fail_twice(reader: Reader, writer: Writer) -> None:
        if len(seen) <= 2:
            fail(writer)
        else:
            writer.write(http("200 OK", b"[]"))
        await writer.drain()

    async with RawServer(after_token(seen, fail_twice)) as server, open_transport(server) as transport:
        outcome, result, _ = await transport.send_request(GET)
    assert outcome is Outcome.ACCEPTED
    assert result.response is not None
    assert result.response.body == b"[]"
    assert len(seen) == 3
