"""What follows a refusal, as the server counts it: pauses that hold the whole client, safe tries, and no others."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

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

pytestmark = pytest.mark.usefixtures("hasty")

EARLY = 0.02
"""How much too early a timer may be, in seconds, by the grain of the clocks."""


class Arrivals(list[bytes]):
    """Requests, and when each came; each is answered with the next of the answers, the last again and again."""

    def __init__(self, *responses: bytes) -> None:
        super().__init__()
        self.at: list[float] = []
        self.answering = responding(*responses, seen=self)

    def append(self, request: bytes) -> None:
        """Note a request."""
        self.at.append(time.monotonic())
        super().append(request)


def slower(status: str = "429 Slower", retry_after: str = "1") -> bytes:
    """An answer that asks for a pause."""
    return http(status, b"{}", f"Retry-After: {retry_after}")


def _in(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


ASKING: dict[str, Callable[[], bytes]] = {
    "429 in seconds": slower,
    "429 with a date": lambda: slower(retry_after=_in(2)),
    "503 in seconds": lambda: slower("503 Busy"),
    "503 with a date": lambda: slower("503 Busy", _in(2)),
}


@pytest.mark.parametrize("asking", ASKING.values(), ids=ASKING)
async def test_a_message_is_sent_again_once_the_pause_is_over(asking: Callable[[], bytes]) -> None:
    """A send that is refused for now is made again when Routee asked for it, not sooner, and accepted once."""
    arrivals, observer = Arrivals(asking(), ACCEPTED), RecordingObserver()
    async with RawServer(arrivals.answering) as server, open_transport(server, observers=[observer]) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    (paused,) = observer.of(ThrottlePaused)
    first, second = arrivals.at
    assert 0.5 < paused.seconds <= 2
    assert second - first >= paused.seconds - EARLY


async def test_a_pause_holds_everybody() -> None:
    """While Routee wants a pause nothing leaves the client, whatever it is about; then everything does."""
    arrivals = Arrivals(slower(), ACCEPTED)
    async with RawServer(arrivals.answering) as server, open_transport(server) as transport:
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: loop_transport_of(transport)._limiter._admission.paused_until > 0)
        one_time = ApiRequest("POST", "/failover-otp/otp/send-failover", POST.body, otp=True)
        others = [asyncio.create_task(transport.send_request(call)) for call in (POST, GET, one_time) for _ in range(5)]
        outcomes = [outcome for outcome, _ in await asyncio.gather(first, *others)]
        assert outcomes == [Outcome.ACCEPTED] * 16
    assert len(arrivals) == 17
    assert min(arrivals.at[1:]) - arrivals.at[0] >= 1 - EARLY


@pytest.mark.parametrize("other", [slower(retry_after="0"), ACCEPTED, http("500 Oops")], ids=["0 s", "200", "500"])
async def test_no_other_answer_shortens_a_pause(other: bytes) -> None:
    """A request that was under way when the pause began, and ends in it, does not let anybody go sooner."""
    held, seen = asyncio.Event(), list[bytes]()

    async def pause_then_other(_reader: Reader, writer: Writer) -> None:
        if len(seen) == 1:
            await held.wait()
            writer.write(other)
        else:
            writer.write(slower(retry_after="20"))
        await writer.drain()

    async with (
        RawServer(after_token(seen, pause_then_other)) as server,
        open_transport(server, max_attempts=1) as transport,
    ):
        first = asyncio.create_task(transport.send_request(POST))
        await until(lambda: len(seen) == 1)
        assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        until_then = loop_transport_of(transport)._limiter._admission.paused_until
        assert until_then - asyncio.get_running_loop().time() > 15
        held.set()
        await first
        assert loop_transport_of(transport)._limiter._admission.paused_until == until_then


async def test_a_pause_that_is_too_long_is_told_and_cut() -> None:
    """Whoever met a pause longer than max_throttle_pause is told at once; the client keeps quiet for max_throttle_pause."""
    arrivals, observer = Arrivals(slower(retry_after="3600"), ACCEPTED), RecordingObserver()
    config = {"max_throttle_pause": timedelta(seconds=0.5), "observers": [observer]}
    async with RawServer(arrivals.answering) as server, RouteeClient(server.config(**config)) as client:
        with pytest.raises(RateLimited) as caught:
            await client.send(otp())
        assert caught.value.retry_after == 3600
        assert len(arrivals) == 1
        assert observer.of(RetryScheduled) == []
        assert observer.of(ThrottlePaused) == [ThrottlePaused(429, 0.5)]
        async with asyncio.timeout(20):
            with pytest.raises(DeliveryUnknown):  # what accepts is no receipt of an OTP
                await client.send(otp())
    assert arrivals.at[1] - arrivals.at[0] >= 0.5 - EARLY


async def test_a_429_that_does_not_say_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Retry-After a 429 is taken to ask for the first delay of those who are throttled."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.2)
    arrivals, observer = Arrivals(http("429 Slower"), ACCEPTED), RecordingObserver()
    async with RawServer(arrivals.answering) as server, open_transport(server, observers=[observer]) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert observer.of(ThrottlePaused) == [ThrottlePaused(429, 0.2)]
    assert arrivals.at[1] - arrivals.at[0] >= 0.2 - EARLY


async def test_a_message_that_is_always_refused_for_now_is_given_up() -> None:
    """After `tries` the refusal is told, as the rejection that it is."""
    arrivals = Arrivals(slower(retry_after="0"))
    async with RawServer(arrivals.answering) as server, open_transport(server) as transport:
        outcome, result = await transport.send_request(POST)
    assert result.response is not None
    assert (outcome, result.response.status, len(arrivals)) == (Outcome.REJECTED, 429, 3)


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Busy", "504 Timeout", "520 Unknown"])
async def test_a_server_that_fails_may_have_taken_a_message(status: str) -> None:
    """A send that meets a 5xx without a word of when to come back is UNKNOWN and never repeated."""
    arrivals = Arrivals(http(status), ACCEPTED)
    async with RawServer(arrivals.answering) as server, open_transport(server) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.UNKNOWN
        await asyncio.sleep(0.02)
        assert len(arrivals) == 1


@pytest.mark.parametrize("status", ["408 Too Slow", "425 Too Early"])
@pytest.mark.parametrize("then", [ACCEPTED, None], ids=["accepted", "again"])
async def test_what_came_at_the_wrong_time_is_sent_once_more(status: str, then: bytes | None) -> None:
    """408 and 425 refuse the moment: the message is sent once more, whatever comes of that."""
    arrivals = Arrivals(http(status), then or http(status))
    async with RawServer(arrivals.answering) as server, open_transport(server, max_attempts=9) as transport:
        outcome, _ = await transport.send_request(POST)
    assert (outcome, len(arrivals)) == (Outcome.ACCEPTED if then else Outcome.REJECTED, 2)


@pytest.mark.parametrize("status", ["400 No", "404 None", "413 Large", "422 No", "307 Elsewhere"])
async def test_a_refusal_is_final(status: str) -> None:
    """What is refused for what it is, is not sent again."""
    arrivals = Arrivals(http(status), ACCEPTED)
    async with RawServer(arrivals.answering) as server, open_transport(server) as transport:
        assert (await transport.send_request(POST))[0] is Outcome.REJECTED
        assert len(arrivals) == 1


async def test_500_messages_that_meet_401_at_once_ask_for_one_token() -> None:
    """A token that is revoked costs one renewal, and each message one more try, however many are under way."""
    everybody, tokens, sent = asyncio.Event(), list[bytes](), list[bytes]()

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request.partition(b"\r\n")[0]:
                tokens.append(request)
                writer.write(http("200 OK", b'{"access_token":"token-%d","expires_in":3600}' % len(tokens)))
                continue
            sent.append(request)
            if b"Bearer token-1" in request:
                if len(sent) == 500:
                    everybody.set()
                await everybody.wait()
                writer.write(http("401 Expired"))
            else:
                writer.write(ACCEPTED)

    settings = {"pool_size": 500, "otp_reserve": 0, "connect_timeout": timedelta(seconds=30)}
    async with RawServer(handler) as server, open_transport(server, **settings) as transport:
        outcomes = await asyncio.gather(*(transport.send_request(POST) for _ in range(500)))
    assert {outcome for outcome, _ in outcomes} == {Outcome.ACCEPTED}
    assert (len(tokens), len(sent)) == (2, 1000)


OWN: dict[str, tuple[str, StatusRule, Outcome, int]] = {
    "502": ("502 Bad Gateway", StatusRule(Outcome.REJECTED, RetryMode.ONCE), Outcome.ACCEPTED, 2),
    "5xx": ("500 Oops", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "429": ("429 Slower", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "422": ("422 No", StatusRule(Outcome.UNKNOWN), Outcome.UNKNOWN, 1),
    "401": ("401 No", StatusRule(Outcome.REJECTED), Outcome.REJECTED, 1),
    "503": ("503 Busy", StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE), Outcome.ACCEPTED, 2),
    "2xx": ("202 Taken", StatusRule(Outcome.UNKNOWN), Outcome.UNKNOWN, 1),
}


@pytest.mark.parametrize(("line", "status", "rule", "outcome", "sent"), [(k, *v) for k, v in OWN.items()], ids=OWN)
async def test_a_rule_of_ones_own_decides(
    line: str, status: str, rule: StatusRule, outcome: Outcome, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of status_rules says what its status proves, and whether the message is sent again for it."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.INITIAL_THROTTLE_DELAY", 0.05)
    arrivals = Arrivals(http(status), http("200 OK", b"{}"))
    async with RawServer(arrivals.answering) as server, open_transport(server, status_rules={line: rule}) as transport:
        found, _ = await transport.send_request(POST)
    assert (found, len(arrivals)) == (outcome, sent)


async def test_a_rule_of_ones_own_decides_what_a_caller_is_told() -> None:
    """A 500 that is known to be a refusal raises as one."""
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
    "an end": lambda writer: writer.close(),
}


@pytest.mark.parametrize("fail", FAILING.values(), ids=FAILING)
async def test_a_reading_call_is_asked_again(fail: Callable[[Writer], None]) -> None:
    """A question is asked again where there was no usable answer: it changes nothing."""
    seen: list[bytes] = []

    async def twice(reader: Reader, writer: Writer) -> None:
        if len(seen) <= 2:
            fail(writer)
        else:
            writer.write(http("200 OK", b"[]"))
        await writer.drain()

    async with RawServer(after_token(seen, twice)) as server, open_transport(server) as transport:
        outcome, result = await transport.send_request(GET)
    assert outcome is Outcome.ACCEPTED
    assert result.response is not None
    assert result.response.body == b"[]"
    assert len(seen) == 3
