"""Retries of callbacks that get no 200 in time, on Routee's schedule and on the virtual clock."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import CallbackRecord, SandboxError
from routee_failover.sandbox.callbacks import dispatcher, poster
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome

from ..raw_http import Caller, open_caller
from .callback_receiver import Receiver, accept, single_viber, statuses

DAY = timedelta(days=1)
LIMIT = poster.RESPONSE_TIMEOUT
MINUTE, HOUR = 60.0, 3600.0
SCHEDULE = [30.0, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE]
SCHEDULE += [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 24 * HOUR]


def _attempt_times(record: CallbackRecord) -> list[float]:
    return [attempt.at for attempt in record.attempts]


def _attempt_statuses(record: CallbackRecord) -> list[int | None]:
    return [attempt.status for attempt in record.attempts]


async def test_failing_receiver_gets_twelve_retries_within_a_day() -> None:
    """A receiver that never responds with 200 gets the first attempt and twelve retries within a day, and no more."""
    async with open_caller(speed=0) as caller, Receiver(always=500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url))
        await caller.sandbox.advance(DAY)
        queued, delivered = caller.sandbox.callbacks
        assert _attempt_times(queued) == [1.0 + after for after in (0.0, *SCHEDULE[:-1])]
        assert (queued.state, queued.next_at) == ("pending", 1.0 + DAY.total_seconds())
        await caller.sandbox.advance(DAY)
        queued, delivered = caller.sandbox.callbacks
        assert _attempt_times(queued) == [1.0 + after for after in (0.0, *SCHEDULE)]
        assert _attempt_times(delivered) == [3.0 + after for after in (0.0, *SCHEDULE)]
        assert [(record.state, record.next_at) for record in (queued, delivered)] == [("failed", None)] * 2
        assert {(attempt.status, attempt.error) for attempt in queued.attempts} == {(500, "only 200 counts as success")}
        # In order of time, across both callbacks.
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"] * 13


async def test_retries_are_reproducible_on_an_advanced_clock() -> None:
    """On a clock that is advanced, two runs are identical, attempt by attempt."""

    async def run() -> list[Any]:
        async with open_caller(speed=0) as caller, Receiver(500, 404, 302, 204, 429) as receiver:
            for digits in ("400", "100"):
                await accept(caller, "sendFailover", single_viber(receiver.url, digits))
            await caller.sandbox.advance(DAY)
            return [
                (_attempt_times(record), _attempt_statuses(record), record.state) for record in caller.sandbox.callbacks
            ]

    assert await run() == await run()


async def test_retry_after_an_error_succeeds() -> None:
    """500 and then 200: two attempts, 30 seconds apart, and the callback is delivered."""
    async with open_caller(speed=0) as caller, Receiver(500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(DAY)
        (record,) = caller.sandbox.callbacks
        assert (_attempt_times(record), _attempt_statuses(record), record.state) == (
            [3.0, 33.0],
            [500, 200],
            "delivered",
        )
        assert receiver.bodies[0] == receiver.bodies[1] == record.body


async def test_retries_do_not_delay_later_callbacks() -> None:
    """A retry comes after callbacks that were due meanwhile: receivers have to support another order."""
    async with open_caller(speed=0) as caller, Receiver(500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url))
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "QUEUED"]


async def test_response_after_two_seconds_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that takes longer than two real seconds does not count, and the connection is closed."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", LIMIT)
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        receiver.always = receiver.hold
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=10))
        receiver.always = 200
        monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 60.0)
        await caller.sandbox.advance(DAY)
        (record,) = caller.sandbox.callbacks
        first, second = record.attempts
        assert (first.at, first.status, first.error) == (3.0, None, "no response within 2 s")
        assert first.duration_ms > 1_900
        assert (second.at, second.status, second.error) == (33.0, 200, None)


async def test_receiver_that_starts_later_gets_the_retry() -> None:
    """A receiver that was down gets the next retry once it is up."""
    receiver = Receiver()
    async with open_caller(speed=0) as caller:
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=60))
        (record,) = caller.sandbox.callbacks
        assert [attempt.error for attempt in record.attempts] == ["the connection was refused"] * 2
        async with receiver:
            await caller.sandbox.advance(timedelta(seconds=60))
            (record,) = caller.sandbox.callbacks
            assert (_attempt_times(record), record.state) == ([3.0, 33.0, 63.0], "delivered")
            assert len(receiver.bodies) == 1


async def test_only_the_newest_attempts_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback with many attempts keeps the newest ones, and still fails after the last retry."""
    monkeypatch.setattr(dispatcher, "MAX_RECORDED_ATTEMPTS", 3)
    async with open_caller(speed=0) as caller, Receiver(always=500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(2 * DAY)
        (record,) = caller.sandbox.callbacks
        assert (_attempt_times(record), record.state) == ([3.0 + after for after in SCHEDULE[-3:]], "failed")


async def test_retries_run_on_a_fast_clock() -> None:
    """At a speed of 100,000 the whole schedule takes about a second."""
    async with open_caller(speed=100_000.0) as caller, Receiver(always=503) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await receiver.received(13)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert record.state == "failed"
        assert all(at >= 3.0 + after for at, after in zip(_attempt_times(record), (0.0, *SCHEDULE), strict=True))


async def test_no_retry_on_a_stopped_clock() -> None:
    """On a stopped clock a retry waits until the clock is advanced."""
    async with open_caller(speed=0) as caller, Receiver(always=500) as receiver:
        flow = await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=1))
        caller.sandbox._lifecycle.force_outcome(flow, 0, ScriptedOutcome.DELIVERED)
        await receiver.received(1)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert (_attempt_times(record), record.next_at) == ([1.0], 31.0)


async def test_clearing_flows_ends_retries_and_attempts_in_flight() -> None:
    """When the flows are cleared, nothing more is posted, and attempts in flight are not recorded."""
    async with open_caller(speed=0) as caller, Receiver(500, 200) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox._lifecycle.clear()
        assert caller.sandbox.callbacks == []
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"]

        receiver.always = receiver.hold
        await accept(caller, "sendFailover", single_viber(receiver.url))
        advancing = asyncio.create_task(caller.sandbox.advance(DAY))
        await receiver.received(3)
        caller.sandbox._lifecycle.clear()
        receiver.release.set()
        await advancing
        assert caller.sandbox.callbacks == []
        assert len(receiver.bodies) == 3


async def test_evicted_flow_loses_its_callbacks() -> None:
    """The callbacks of a flow are deleted with it, pending ones too: memory stays bounded."""
    async with open_caller(speed=0, max_flows=1) as caller, Receiver(500) as receiver:
        await accept(caller, "sendFailover", single_viber(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        await accept(caller, "sendFailover", single_viber(receiver.url, "100"))
        assert caller.sandbox.callbacks == []
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "QUEUED", "UNDELIVERED"]
        assert {record.flow_id for record in caller.sandbox.callbacks} == {caller.sandbox.accepted[0].id}


async def test_sandbox_stops_at_once_despite_slow_receivers() -> None:
    """A sandbox stops at once, although receivers keep its callbacks waiting, and leaves no task and no connection."""
    async with Receiver() as receiver:
        receiver.always = receiver.hold
        async with asyncio.timeout(50), open_caller(speed=100_000.0) as caller:
            for _ in range(20):
                await accept(caller, "sendFailover", single_viber(receiver.url))
            await receiver.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
            assert {record.state for record in caller.sandbox.callbacks} == {"pending"}
    tasks = [task for task in asyncio.all_tasks() if "_attempt" in repr(task)]
    assert tasks == []


class TestRedeliver:
    """Callbacks that are redelivered by hand."""

    async def test_delivered_callback_is_posted_again(self) -> None:
        """A delivered callback is posted again, with the same body."""
        async with open_caller(speed=0) as caller, Receiver() as receiver:
            record = await _accept_delivered(caller, receiver)
            redelivered = caller.sandbox.redeliver(record.id)
            assert (redelivered.state, redelivered.next_at) == ("pending", 10.0)
            await receiver.received(2)
            await caller.sandbox.advance(timedelta(0))
            (record,) = caller.sandbox.callbacks
            assert (_attempt_times(record), record.state, record.due_at) == ([3.0, 10.0], "delivered", 3.0)
            assert receiver.bodies[0] == receiver.bodies[1]

    async def test_retries_start_over_after_a_redelivery(self) -> None:
        """When a redelivered callback fails, the schedule starts over, and the earlier one ends."""
        async with open_caller(speed=0) as caller, Receiver(always=500) as receiver:
            await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
            await caller.sandbox.advance(timedelta(seconds=63))
            (record,) = caller.sandbox.callbacks
            caller.sandbox.redeliver(record.id)
            await caller.sandbox.advance(2 * DAY)
            (record,) = caller.sandbox.callbacks
            assert _attempt_times(record) == [3.0, 33.0, 63.0, *(63.0 + after for after in (0.0, *SCHEDULE))]
            assert record.state == "failed"

    async def test_callback_in_flight_is_posted_again_after_it(self) -> None:
        """A callback in flight is posted once more afterwards, whatever the result of the first attempt."""
        async with open_caller(speed=0) as caller, Receiver() as receiver:
            receiver.always = receiver.hold
            await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
            advancing = asyncio.create_task(caller.sandbox.advance(timedelta(seconds=10)))
            await receiver.received(1)
            receiver.always = 500
            caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
            receiver.release.set()
            await advancing
            (record,) = caller.sandbox.callbacks
            assert (_attempt_statuses(record), record.state, record.next_at) == ([200, 500], "pending", 33.0)

    async def test_callback_of_a_flow_deleted_meanwhile_is_not_posted(self) -> None:
        """A callback whose flow is deleted while it waits for its turn is not posted."""
        async with open_caller(speed=0) as caller, Receiver() as receiver:
            receiver.always = receiver.hold
            flow_id = (await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))).id
            advancing = asyncio.create_task(caller.sandbox.advance(timedelta(seconds=10)))
            await receiver.received(1)
            assert [record.flow_id for record in caller.sandbox.callbacks] == [flow_id]
            caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
            await asyncio.sleep(0)
            caller.sandbox._flow_store.clear()
            receiver.release.set()
            await advancing
            assert len(receiver.bodies) == 1

    async def test_unknown_callback_raises(self) -> None:
        """An unknown callback cannot be redelivered; that includes one whose flow was evicted."""
        async with open_caller(speed=0, max_flows=1) as caller, Receiver() as receiver:
            record = await _accept_delivered(caller, receiver)
            await accept(caller, "sendFailover", single_viber(receiver.url))
            for unknown in (record.id, "", "?"):
                with pytest.raises(SandboxError, match="no such callback"):
                    caller.sandbox.redeliver(unknown)


async def _accept_delivered(caller: Caller, receiver: Receiver) -> CallbackRecord:
    await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
    await caller.sandbox.advance(timedelta(seconds=10))
    (record,) = caller.sandbox.callbacks
    assert record.state == "delivered"
    return record
