"""In-flight attempts: one timer for all of a loop; each attempt expires in its own time, and no timer is left."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import ClientClosed, ConnectFailed, DeliveryUnknown, Outcome, RouteeClient
from routee_failover._transport import ApiRequest
from routee_failover.events import AttemptEnded
from routee_failover.outcomes import outcome_of
from routee_failover.secret import SecretBytes
from tests.client.fake_routee import until
from tests.client.sample_flows import otp

from .raw_server import (
    GET,
    POST,
    AttemptRunner,
    PausableHandler,
    RawServer,
    RecordingObserver,
    attempt_runner,
    loop_transport_of,
    never_respond,
    open_transport,
    responding,
)

MAX_DELAY = 5.0
"""Seconds by which a timeout may be late on a busy machine."""
SHORT_TIMEOUT = timedelta(milliseconds=500)


def _timers() -> list[asyncio.TimerHandle]:
    """Return the timers of this loop that belong to `InFlight`."""
    scheduled: list[asyncio.TimerHandle] = vars(asyncio.get_running_loop())["_scheduled"]
    return [timer for timer in scheduled if not timer.cancelled() and "_expire" in repr(timer)]


async def test_each_attempt_expires_in_its_own_time() -> None:
    """50 attempts with different expiry times, started in random order, end at those times or shortly after."""
    loop = asyncio.get_running_loop()
    delays: list[float] = []

    async def wait_for(runner: AttemptRunner, url: str, seconds: float) -> None:
        attempt = runner.new_attempt(url)
        attempt.expires_at = loop.time() + seconds
        runner.in_flight.start(attempt)
        result = await attempt.result
        assert result.reason.endswith("within total_timeout")
        delays.append(loop.time() - attempt.expires_at)

    expiry_times = [0.1 + 0.4 * number / 50 for number in range(50)]
    random.shuffle(expiry_times)
    async with RawServer(never_respond) as server, attempt_runner(server.config()) as runner:
        await asyncio.gather(*(wait_for(runner, server.url, seconds) for seconds in expiry_times))
        assert runner.in_flight._sweep is None
    assert len(delays) == 50
    assert min(delays) >= 0
    assert max(delays) < MAX_DELAY


async def test_later_attempt_may_expire_before_earlier_ones() -> None:
    """An attempt with less time than those in flight expires without waiting for them."""
    async with (
        RawServer(never_respond) as server,
        attempt_runner(server.config(total_timeout=timedelta(hours=1))) as runner,
    ):
        slow, quick = runner.new_attempt(server.url), runner.new_attempt(server.url)
        runner.in_flight.start(slow)
        quick.expires_at = asyncio.get_running_loop().time() + 0.05
        runner.in_flight.start(quick)
        async with asyncio.timeout(MAX_DELAY):
            await quick.result
        assert not slow.result.done()


async def test_50_attempts_share_one_timer() -> None:
    """While 50 attempts are in flight there is one timer, and none after the transport is closed."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        async with open_transport(server) as transport:
            requests = [asyncio.create_task(transport.send_request(POST)) for _ in range(50)]
            await until(lambda: len(handler.seen) == 50)
            assert len(_timers()) == 1
            handler.resumed.set()
            await asyncio.gather(*requests)
        assert _timers() == []


async def test_closing_with_a_pending_response_leaves_no_timer() -> None:
    """A transport that is closed while a response is pending leaves no timer."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        async with open_transport(server, shutdown_timeout=timedelta(milliseconds=1)) as transport:
            sending = asyncio.create_task(transport.send_request(POST))
            await until(lambda: handler.seen)
        await sending
        assert _timers() == []


async def test_total_timeout_before_the_first_byte_raises_connect_failed() -> None:
    """If total_timeout passes before there is a connection, nothing was sent, and the error says so."""
    async with RawServer(never_respond) as silent, RawServer(responding(b"")) as auth:
        config = silent.config(
            api_url=silent.url.replace("http:", "https:"),
            auth_url=auth.url,
            total_timeout=SHORT_TIMEOUT,
            connect_timeout=timedelta(hours=1),
        )
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed, match="no connection within total_timeout; nothing was"):
                await client.send(otp())


async def test_total_timeout_after_the_first_byte_raises_delivery_unknown() -> None:
    """If total_timeout passes after a byte was sent, the message may have been accepted; it is sent once."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config(total_timeout=SHORT_TIMEOUT)) as client:
        with pytest.raises(DeliveryUnknown) as caught:
            await client.send(otp())
        assert caught.value.reason == "no response within total_timeout"
        assert (len(handler.seen), handler.request_count) == (1, 1)


async def test_no_retry_after_total_timeout() -> None:
    """A reading call that exceeds total_timeout ends at once, although it could be repeated."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, total_timeout=SHORT_TIMEOUT) as transport:
        outcome, result, _ = await transport.send_request(GET)
        assert (outcome, result.reason) == (Outcome.UNKNOWN, "no response within total_timeout")
        assert len(handler.seen) == 1


async def test_attempt_task_cancelled_from_outside_still_reports_a_result() -> None:
    """If a program cancels every task, ours included, each caller still gets a result and each slot is released."""
    handler, observer = PausableHandler(), RecordingObserver()
    async with (
        RawServer(handler) as server,
        open_transport(
            server, observers=[observer], pool_size=1, max_attempts=1, total_timeout=SHORT_TIMEOUT
        ) as transport,
    ):
        await transport.send_request(GET)
        tasks: Any = loop_transport_of(transport)._in_flight._tasks
        sent_bodies = set[bytes]()
        for steps in range(12):
            body = b"message %d" % steps
            running = asyncio.ensure_future(transport.send_request(ApiRequest("POST", "/failover", SecretBytes(body))))
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in list(tasks.values()):
                task.cancel()
            async with asyncio.timeout(MAX_DELAY):
                outcome, result, _ = await running
            assert outcome in {Outcome.ACCEPTED, outcome_of(result)}
            reported = observer.of(AttemptEnded)[-1].result
            assert (reported.may_have_been_sent, reported.reason, reported.bytes_written) == (
                result.may_have_been_sent,
                result.reason,
                result.bytes_written,
            )
            sent_bodies |= {body} if result.may_have_been_sent else set()
    assert {request.partition(b"\r\n\r\n")[2] for request in handler.seen} <= sent_bodies | {b""}


async def test_attempt_that_never_started_is_reported_on_closing() -> None:
    """The same if the transport is closed before the total_timeout of the attempt."""
    async with RawServer(PausableHandler()) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        loop_transport = loop_transport_of(transport)
        running = asyncio.ensure_future(transport.send_request(POST))
        await asyncio.sleep(0)
        (task,) = loop_transport._in_flight._tasks.values()
        task.cancel()
        await transport.aclose()
        with pytest.raises(ClientClosed):
            await running
