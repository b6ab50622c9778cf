"""One clock for all exchanges of a loop: each ends in its time, whatever the others do, and no timer is left."""

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

LATEST = 5.0
"""How much later than asked for a timeout may come on a machine that is busy."""
SOON = timedelta(milliseconds=500)


def _timers() -> list[asyncio.TimerHandle]:
    """The timers of this loop that wait for exchanges."""
    scheduled: list[asyncio.TimerHandle] = vars(asyncio.get_running_loop())["_scheduled"]
    return [timer for timer in scheduled if not timer.cancelled() and "_end_late" in repr(timer)]


async def test_each_exchange_ends_in_its_own_time() -> None:
    """50 exchanges with ends of their own, started in any order, end after those, and not much after."""
    loop = asyncio.get_running_loop()
    late: list[float] = []

    async def wait_for(runner: AttemptRunner, url: str, seconds: float) -> None:
        attempt = runner.new_attempt(url)
        attempt.expires_at = loop.time() + seconds
        runner.in_flight.start(attempt)
        evidence = await attempt.result
        assert evidence.reason.endswith("within total_timeout")
        late.append(loop.time() - attempt.expires_at)

    ends = [0.1 + 0.4 * number / 50 for number in range(50)]
    random.shuffle(ends)
    async with RawServer(never_respond) as server, attempt_runner(server.config()) as runner:
        await asyncio.gather(*(wait_for(runner, server.url, seconds) for seconds in ends))
        assert runner.in_flight._sweep is None
    assert len(late) == 50
    assert min(late) >= 0
    assert max(late) < LATEST


async def test_who_comes_later_may_have_to_end_sooner() -> None:
    """An exchange with less time than those under way is not made to wait for their end."""
    async with (
        RawServer(never_respond) as server,
        attempt_runner(server.config(total_timeout=timedelta(hours=1))) as runner,
    ):
        slow, quick = runner.new_attempt(server.url), runner.new_attempt(server.url)
        runner.in_flight.start(slow)
        quick.expires_at = asyncio.get_running_loop().time() + 0.05
        runner.in_flight.start(quick)
        async with asyncio.timeout(LATEST):
            await quick.result
        assert not slow.result.done()


async def test_many_exchanges_share_one_timer() -> None:
    """While 50 exchanges are under way, one timer waits for all of them, and none once the transport is closed."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        async with open_transport(server) as transport:
            requests = [asyncio.create_task(transport.send_request(POST)) for _ in range(50)]
            await until(lambda: len(handler.seen) == 50)
            assert len(_timers()) == 1
            handler.resumed.set()
            await asyncio.gather(*requests)
        assert _timers() == []


async def test_no_timer_outlives_what_was_ended_by_closing() -> None:
    """A transport that is closed while an answer is due leaves no timer."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server:
        async with open_transport(server, shutdown_timeout=timedelta(milliseconds=1)) as transport:
            call = asyncio.create_task(transport.send_request(POST))
            await until(lambda: handler.seen)
        await call
        assert _timers() == []


async def test_total_timeout_before_the_first_byte_proves_that_nothing_was_sent() -> None:
    """Where total_timeout is over before there is a connection, nothing was sent, and the error says what took long."""
    async with RawServer(never_respond) as silent, RawServer(responding(b"")) as auth:
        config = silent.config(
            api_url=silent.url.replace("http:", "https:"),
            auth_url=auth.url,
            total_timeout=SOON,
            connect_timeout=timedelta(hours=1),
        )
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed, match="no connection within total_timeout; nothing was"):
                await client.send(otp())


async def test_total_timeout_after_the_first_byte_proves_nothing() -> None:
    """Where total_timeout is over after a byte has left, the message may have been taken; it is sent once."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, RouteeClient(server.config(total_timeout=SOON)) as client:
        with pytest.raises(DeliveryUnknown) as caught:
            await client.send(otp())
        assert caught.value.reason == "no response within total_timeout"
        assert (len(handler.seen), handler.begun) == (1, 1)


async def test_past_total_timeout_nothing_is_tried_again() -> None:
    """A reading call whose time is over is told so at once, though it could be repeated."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, open_transport(server, total_timeout=SOON) as transport:
        outcome, evidence = await transport.send_request(GET)
        assert (outcome, evidence.reason) == (Outcome.UNKNOWN, "no response within total_timeout")
        assert len(handler.seen) == 1


async def test_a_try_that_was_ended_from_outside_is_told() -> None:
    """A program that cancels every task it finds, ours among them, leaves no caller without an answer and no turn."""
    handler, observer = PausableHandler(), RecordingObserver()
    async with (
        RawServer(handler) as server,
        open_transport(server, observers=[observer], pool_size=1, max_attempts=1, total_timeout=SOON) as transport,
    ):
        await transport.send_request(GET)
        tasks: Any = loop_transport_of(transport)._in_flight._tasks
        begun = set[bytes]()
        for steps in range(12):
            body = b"message %d" % steps
            running = asyncio.ensure_future(transport.send_request(ApiRequest("POST", "/failover", SecretBytes(body))))
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in list(tasks.values()):
                task.cancel()
            async with asyncio.timeout(LATEST):
                outcome, evidence = await running
            assert outcome in {Outcome.ACCEPTED, outcome_of(evidence)}
            told = observer.of(AttemptEnded)[-1].result
            assert (told.may_have_been_sent, told.reason, told.bytes_written) == (
                evidence.may_have_been_sent,
                evidence.reason,
                evidence.bytes_written,
            )
            begun |= {body} if evidence.may_have_been_sent else set()
    assert {request.partition(b"\r\n\r\n")[2] for request in handler.seen} <= begun | {b""}


async def test_a_try_that_never_began_is_told_at_closing() -> None:
    """The same where the transport is closed before its total_timeout."""
    async with RawServer(PausableHandler()) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        line = loop_transport_of(transport)
        running = asyncio.ensure_future(transport.send_request(POST))
        await asyncio.sleep(0)
        (task,) = line._in_flight._tasks.values()
        task.cancel()
        await transport.aclose()
        with pytest.raises(ClientClosed):
            await running
