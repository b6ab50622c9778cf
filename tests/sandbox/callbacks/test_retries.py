"""What is not answered 200 in time is posted again, on Routee's schedule and on the virtual clock."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import CallbackRecord, SandboxError
from routee_failover.sandbox.callbacks import dispatcher, poster
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome

from ..raw_http import Caller, calling
from .callback_receiver import Receiver, accepted, single, statuses

DAY = timedelta(days=1)
LIMIT = poster.RESPONSE_TIMEOUT
MINUTE, HOUR = 60.0, 3600.0
SCHEDULE = [30.0, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE]
SCHEDULE += [HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 24 * HOUR]


def _at(record: CallbackRecord) -> list[float]:
    return [attempt.at for attempt in record.attempts]


def _answered(record: CallbackRecord) -> list[int | None]:
    return [attempt.status for attempt in record.attempts]


async def test_the_schedule_of_a_day() -> None:
    """A receiver that never says 200 is called at once and twelve times more within a day, and then no more."""
    async with calling(speed=0) as caller, Receiver(always=500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url))
        await caller.sandbox.advance(DAY)
        queued, delivered = caller.sandbox.callbacks
        assert _at(queued) == [1.0 + after for after in (0.0, *SCHEDULE[:-1])]
        assert (queued.state, queued.next_at) == ("pending", 1.0 + DAY.total_seconds())
        await caller.sandbox.advance(DAY)
        queued, delivered = caller.sandbox.callbacks
        assert _at(queued) == [1.0 + after for after in (0.0, *SCHEDULE)]
        assert _at(delivered) == [3.0 + after for after in (0.0, *SCHEDULE)]
        assert [(one.state, one.next_at) for one in (queued, delivered)] == [("failed", None)] * 2
        assert {(attempt.status, attempt.error) for attempt in queued.attempts} == {(500, "only 200 counts")}
        # In order of time, whichever of both it was.
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"] * 13


async def test_the_same_each_time() -> None:
    """On a clock that is put forward, two runs go the same, attempt by attempt."""

    async def run() -> list[Any]:
        async with calling(speed=0) as caller, Receiver(500, 404, 302, 204, 429) as receiver:
            for digits in ("400", "100"):
                await accepted(caller, "sendFailover", single(receiver.url, digits))
            await caller.sandbox.advance(DAY)
            return [(_at(one), _answered(one), one.state) for one in caller.sandbox.callbacks]

    assert await run() == await run()


async def test_an_error_and_then_success() -> None:
    """500 and then 200: two attempts, 30 seconds apart, and it is delivered."""
    async with calling(speed=0) as caller, Receiver(500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(DAY)
        (record,) = caller.sandbox.callbacks
        assert (_at(record), _answered(record), record.state) == ([3.0, 33.0], [500, 200], "delivered")
        assert receiver.bodies[0] == receiver.bodies[1] == record.body


async def test_later_callbacks_do_not_wait_for_earlier_ones() -> None:
    """What is posted again comes after what was due meanwhile: receivers have to bear another order."""
    async with calling(speed=0) as caller, Receiver(500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url))
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "QUEUED"]


async def test_a_receiver_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that takes longer than two real seconds does not count, and the connection is dropped."""
    monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", LIMIT)
    async with calling(speed=0) as caller, Receiver() as receiver:
        receiver.always = receiver.hold
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=10))
        receiver.always = 200
        monkeypatch.setattr(poster, "RESPONSE_TIMEOUT", 60.0)
        await caller.sandbox.advance(DAY)
        (record,) = caller.sandbox.callbacks
        first, second = record.attempts
        assert (first.at, first.status, first.error) == (3.0, None, "no answer within 2 s")
        assert first.duration_ms > 1_900
        assert (second.at, second.status, second.error) == (33.0, 200, None)


async def test_a_receiver_that_comes_up_later() -> None:
    """A receiver that was not there is called again when it is."""
    receiver = Receiver()
    async with calling(speed=0) as caller:
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=60))
        (record,) = caller.sandbox.callbacks
        assert [attempt.error for attempt in record.attempts] == ["the connection was refused"] * 2
        async with receiver:
            await caller.sandbox.advance(timedelta(seconds=60))
            (record,) = caller.sandbox.callbacks
            assert (_at(record), record.state) == ([3.0, 33.0, 63.0], "delivered")
            assert len(receiver.bodies) == 1


async def test_the_newest_attempts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that is tried again and again remembers the last attempts, and is given up all the same."""
    monkeypatch.setattr(dispatcher, "MAX_RECORDED_ATTEMPTS", 3)
    async with calling(speed=0) as caller, Receiver(always=500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(2 * DAY)
        (record,) = caller.sandbox.callbacks
        assert (_at(record), record.state) == ([3.0 + after for after in SCHEDULE[-3:]], "failed")


async def test_retries_of_a_running_clock() -> None:
    """At 100,000 times the speed the whole schedule is played in about a second."""
    async with calling(speed=100_000.0) as caller, Receiver(always=503) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await receiver.received(13)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert record.state == "failed"
        assert all(at >= 3.0 + after for at, after in zip(_at(record), (0.0, *SCHEDULE), strict=True))


async def test_nothing_is_posted_again_on_a_clock_that_stands() -> None:
    """On a frozen clock a retry waits until the clock is put forward."""
    async with calling(speed=0) as caller, Receiver(always=500) as receiver:
        flow = await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=1))
        caller.sandbox._lifecycle.force_outcome(flow, 0, ScriptedOutcome.DELIVERED)
        await receiver.received(1)
        await caller.sandbox.advance(timedelta(0))
        (record,) = caller.sandbox.callbacks
        assert (_at(record), record.next_at) == ([1.0], 31.0)


async def test_clearing_ends_the_retries() -> None:
    """When the flows are cleared, nothing more is posted, and what is under way leaves no trace."""
    async with calling(speed=0) as caller, Receiver(500, 200) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        caller.sandbox._lifecycle.clear()
        assert caller.sandbox.callbacks == []
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED"]

        receiver.always = receiver.hold
        await accepted(caller, "sendFailover", single(receiver.url))
        advancing = asyncio.create_task(caller.sandbox.advance(DAY))
        await receiver.received(3)
        caller.sandbox._lifecycle.clear()
        receiver.let_go.set()
        await advancing
        assert caller.sandbox.callbacks == []
        assert len(receiver.bodies) == 3


async def test_a_forgotten_flow_is_not_called_back() -> None:
    """The callbacks of a flow are forgotten with it, those that wait too: memory stays bounded."""
    async with calling(speed=0, max_flows=1) as caller, Receiver(500) as receiver:
        await accepted(caller, "sendFailover", single(receiver.url))
        await caller.sandbox.advance(timedelta(seconds=10))
        await accepted(caller, "sendFailover", single(receiver.url, "100"))
        assert caller.sandbox.callbacks == []
        await caller.sandbox.advance(DAY)
        assert statuses(receiver.bodies) == ["QUEUED", "DELIVERED", "QUEUED", "UNDELIVERED"]
        assert {one.flow_id for one in caller.sandbox.callbacks} == {caller.sandbox.accepted[0].id}


async def test_leaving_is_prompt() -> None:
    """A sandbox ends at once, whoever keeps its callbacks waiting, and leaves no task and no connection."""
    async with Receiver() as receiver:
        receiver.always = receiver.hold
        async with asyncio.timeout(50), calling(speed=100_000.0) as caller:
            for _ in range(20):
                await accepted(caller, "sendFailover", single(receiver.url))
            await receiver.received(poster.MAX_CONCURRENT_POSTS_PER_ORIGIN)
            assert {one.state for one in caller.sandbox.callbacks} == {"pending"}
    tasks = [task for task in asyncio.all_tasks() if "_attempt" in repr(task)]
    assert tasks == []


class TestCalledBackAgain:
    """A callback can be called back by hand."""

    async def test_delivered(self) -> None:
        """One that was delivered is posted once more, the same body."""
        async with calling(speed=0) as caller, Receiver() as receiver:
            record = await _delivered(caller, receiver)
            again = caller.sandbox.redeliver(record.id)
            assert (again.state, again.next_at) == ("pending", 10.0)
            await receiver.received(2)
            await caller.sandbox.advance(timedelta(0))
            (record,) = caller.sandbox.callbacks
            assert (_at(record), record.state, record.due_at) == ([3.0, 10.0], "delivered", 3.0)
            assert receiver.bodies[0] == receiver.bodies[1]

    async def test_the_retries_start_anew(self) -> None:
        """When it fails, it is posted again on the schedule, counted from then; the earlier schedule ends."""
        async with calling(speed=0) as caller, Receiver(always=500) as receiver:
            await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
            await caller.sandbox.advance(timedelta(seconds=63))
            (record,) = caller.sandbox.callbacks
            caller.sandbox.redeliver(record.id)
            await caller.sandbox.advance(2 * DAY)
            (record,) = caller.sandbox.callbacks
            assert _at(record) == [3.0, 33.0, 63.0, *(63.0 + after for after in (0.0, *SCHEDULE))]
            assert record.state == "failed"

    async def test_while_it_is_under_way(self) -> None:
        """One that is being posted is posted once more after that, whatever comes of the first."""
        async with calling(speed=0) as caller, Receiver() as receiver:
            receiver.always = receiver.hold
            await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
            advancing = asyncio.create_task(caller.sandbox.advance(timedelta(seconds=10)))
            await receiver.received(1)
            receiver.always = 500
            caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
            receiver.let_go.set()
            await advancing
            (record,) = caller.sandbox.callbacks
            assert (_answered(record), record.state, record.next_at) == ([200, 500], "pending", 33.0)

    async def test_while_the_flow_is_forgotten(self) -> None:
        """One that is forgotten while it waits for its turn is not posted any more."""
        async with calling(speed=0) as caller, Receiver() as receiver:
            receiver.always = receiver.hold
            record = (await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))).id
            advancing = asyncio.create_task(caller.sandbox.advance(timedelta(seconds=10)))
            await receiver.received(1)
            assert [one.flow_id for one in caller.sandbox.callbacks] == [record]
            caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
            await asyncio.sleep(0)
            caller.sandbox._flow_store.clear()
            receiver.let_go.set()
            await advancing
            assert len(receiver.bodies) == 1

    async def test_what_is_not_known(self) -> None:
        """A callback that is not known cannot be posted again, and one whose flow was forgotten is not known."""
        async with calling(speed=0, max_flows=1) as caller, Receiver() as receiver:
            record = await _delivered(caller, receiver)
            await accepted(caller, "sendFailover", single(receiver.url))
            for unknown in (record.id, "", "?"):
                with pytest.raises(SandboxError, match="no such callback"):
                    caller.sandbox.redeliver(unknown)


async def _delivered(caller: Caller, receiver: Receiver) -> CallbackRecord:
    await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
    await caller.sandbox.advance(timedelta(seconds=10))
    (record,) = caller.sandbox.callbacks
    assert record.state == "delivered"
    return record
