"""In-flight attempts: one timer for all of a loop; each attempt expires in its own time, and no timer is left."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from routee_failover import ConnectFailed, DeliveryUnknown, Outcome, RouteeClient
from routee_failover._transport.attempt import CancelReason
from routee_failover.events import AttemptEnded
from routee_failover.outcomes import AttemptResult, outcome_of
from tests.client.fake_routee import until
from tests.client.sample_flows import otp, standard

from .raw_server import (
    GET,
    POST,
    TOKEN_PATH,
    TOKEN_RESPONSE,
    AttemptRunner,
    PausableHandler,
    RawServer,
    Reader,
    RecordingObserver,
    Writer,
    attempt_runner,
    never_respond,
    open_transport,
    read_request,
    responding,
    slots_in_use,
    until_idle,
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
        result = await runner.in_flight.run(attempt)
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
        running = asyncio.create_task(runner.in_flight.run(slow))
        await asyncio.sleep(0)
        quick.expires_at = asyncio.get_running_loop().time() + 0.05
        async with asyncio.timeout(MAX_DELAY):
            await runner.in_flight.run(quick)
        assert not running.done()
        running.cancel()
        await asyncio.wait([running])


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


@pytest.mark.parametrize("steps", range(8))
async def test_abandoned_send_whose_own_task_is_cancelled_is_reported_as_unknown(steps: int) -> None:
    """A program that cancels every task, ours included, gets the outcome of a send that its caller has left."""
    handler, observer = PausableHandler(paused=True), RecordingObserver()
    async with (
        RawServer(handler) as server,
        open_transport(server, observers=[observer], pool_size=1, otp_reserve=0) as transport,
    ):
        before = asyncio.all_tasks()
        caller = asyncio.create_task(transport.send_request(POST))
        await until(lambda: handler.seen)
        caller.cancel()
        await asyncio.wait([caller])
        for _ in range(steps):
            await asyncio.sleep(0)
        (own_task,) = (task for task in asyncio.all_tasks() - before if "InFlight" in repr(task))
        own_task.cancel()
        await until_idle(transport)
        ended = observer.of(AttemptEnded)[-1]
        assert (ended.outcome, ended.abandoned, slots_in_use(transport)) == (Outcome.UNKNOWN, True, 0)
        handler.resumed.set()
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
        assert len(handler.seen) == 2


@pytest.mark.parametrize("chunks", [0, 1, 2])
async def test_response_of_an_abandoned_send_is_read_from_where_its_caller_left_it(chunks: int) -> None:
    """A caller that is cancelled in the middle of a body loses none of it: the response is read to its end."""
    sent, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def handler(reader: Reader, writer: Writer) -> None:
        while request := await read_request(reader):
            if TOKEN_PATH in request:
                writer.write(TOKEN_RESPONSE)
                continue
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n")
            for chunk in (b'{"trac', b"kingId")[:chunks]:
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0.02)
            sent.release()
            await go_on.wait()
            writer.write(b'{"trackingId":"t"}'[6 * chunks :])

    observer = RecordingObserver()
    async with RawServer(handler) as server, RouteeClient(server.config(observers=[observer])) as client:
        caller = asyncio.create_task(client.send(standard()))
        await sent.acquire()
        caller.cancel()
        await asyncio.wait([caller])
        assert caller.cancelled()
        go_on.set()
        await until(lambda: observer.of(AttemptEnded)[-1].abandoned)
    assert observer.of(AttemptEnded)[-1].outcome is Outcome.ACCEPTED


async def test_caller_cancelled_together_with_a_timeout_is_cancelled() -> None:
    """If an attempt expires in the iteration in which its caller is cancelled, the caller is cancelled, once."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
        attempt = runner.new_attempt(server.url)
        caller = asyncio.create_task(runner.in_flight.run(attempt))
        await until(lambda: handler.seen)
        attempt.cancel(CancelReason.TIMEOUT)
        caller.cancel("the visitor left")
        await asyncio.wait([caller])
        assert (caller.cancelled(), caller.cancelling(), attempt.finished) == (True, 1, True)


async def test_attempt_that_expires_leaves_its_caller_uncancelled() -> None:
    """A timeout ends the attempt by cancelling the caller's task, which knows nothing of it afterwards."""
    handler = PausableHandler(paused=True)
    async with RawServer(handler) as server, attempt_runner(server.config(total_timeout=SHORT_TIMEOUT)) as runner:
        task = asyncio.current_task()
        assert task is not None
        async with asyncio.timeout(MAX_DELAY), asyncio.TaskGroup():
            assert (await runner.run(server.url)).reason == "no response within total_timeout"
            assert task.cancelling() == 0
            await asyncio.sleep(0)


async def test_coroutine_of_a_send_that_is_closed_is_reported_as_unknown() -> None:
    """A coroutine that is thrown away in mid-send, as at the end of a loop, is reported, and nothing is in flight."""
    handler, results = PausableHandler(paused=True), list[AttemptResult]()
    async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
        runner.in_flight._on_finished = lambda _attempt, result: results.append(result)
        running = runner.in_flight.run(runner.new_attempt(server.url))
        await _drive_until(running, lambda: handler.seen)
        running.close()
        assert [outcome_of(result) for result in results] == [Outcome.UNKNOWN]
        assert not runner.in_flight._attempts


async def _drive_until(running: Coroutine[Any, Any, object], condition: Callable[[], object]) -> None:
    """Run a coroutine, step by step, until a condition holds."""
    while not condition():
        waited_for = running.send(None)
        await until(partial(_is_over, waited_for, condition))


def _is_over(waited_for: "asyncio.Future[object] | None", condition: Callable[[], object]) -> object:
    return condition() or waited_for is None or waited_for.done()
