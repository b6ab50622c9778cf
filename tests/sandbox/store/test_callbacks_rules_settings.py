"""What survives beside the flows of a sandbox with a store: their callbacks, the rules, the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from routee_failover.sandbox import CallbackScript, MessageScript, Sandbox
from routee_failover.sandbox.callbacks import callback_log as callback_log
from routee_failover.sandbox.simulation.event_bus import FlowChanged

from ..callbacks.callback_receiver import Receiver, accepted, single, statuses
from ..raw_http import OTP, SENDS, STANDARD, VIBER_OTP, Caller, calling

SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "sandbox.db"


@asynccontextmanager
async def _sitting(path: Path) -> AsyncIterator[Caller]:
    async with calling(store=path, speed=0) as caller:
        yield caller


async def _status(caller: Caller) -> int:
    """How an OTP is answered; a rule may ask for what no contract has."""
    return (await caller.raw("POST", SENDS["sendFailoverOtp"], json=OTP, headers=caller.headers))[0]


async def test_callbacks_and_their_attempts(path: Path) -> None:
    """What was posted is on record after a restart, and what was not answered is posted again in its time."""
    async with Receiver(500, 200, 500) as receiver:
        async with _sitting(path) as caller:
            await accepted(caller, "sendFailover", single(receiver.url, "400"))
            await caller.sandbox.advance(SECOND * 10)
            before = caller.sandbox.callbacks
            assert [one.state for one in before] == ["pending", "delivered", "pending"]
        async with _sitting(path) as caller:
            assert caller.sandbox.callbacks == before
            await caller.sandbox.advance(SECOND * 22)
            after = caller.sandbox.callbacks
            assert [one.state for one in after] == ["delivered", "delivered", "pending"]
            assert [len(one.attempts) for one in after] == [2, 1, 1]
        async with _sitting(path) as caller:
            assert caller.sandbox.callbacks == after


async def test_an_attempt_that_a_stop_cut_short(path: Path) -> None:
    """A callback that was being posted when the sandbox stopped is posted again at the start."""
    async with Receiver() as receiver:
        receiver.always = receiver.hold
        async with calling(store=path, speed=1000) as caller:
            await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
            await receiver.received(1)
        receiver.always = 200
        async with _sitting(path) as caller:
            await receiver.received(2)
            await caller.sandbox.advance(timedelta(0))
            (callback,) = caller.sandbox.callbacks
            assert (callback.state, len(callback.attempts)) == ("delivered", 1)


async def test_callbacks_in_another_order(path: Path) -> None:
    """Those that wait for the last one so as to come in another order wait for it through a restart."""
    async with Receiver() as receiver:
        async with _sitting(path) as caller:
            caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
            await accepted(caller, "sendFailover", single(receiver.url, "400"))
            await caller.sandbox.advance(SECOND * 4)
        async with _sitting(path) as caller:
            await caller.sandbox.advance(SECOND * 10)
        assert statuses(receiver.bodies) == ["SEEN", "DELIVERED", "QUEUED"]


async def test_callbacks_are_forgotten_with_their_flows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file keeps the callbacks of the flows that it keeps, and of one flow so many and no more."""
    monkeypatch.setattr(callback_log, "MAX_CALLBACKS_PER_FLOW", 2)
    async with Receiver() as receiver:
        async with calling(store=path, speed=0, max_flows=2) as caller:
            for _ in range(3):
                await accepted(caller, "sendFailover", single(receiver.url, "400"))
                await caller.sandbox.advance(SECOND * 10)
            ids = [flow.id for flow in caller.sandbox.accepted]
            assert [one.flow_id for one in caller.sandbox.callbacks] == [ids[0]] * 2 + [ids[1]] * 2
        async with calling(store=path, speed=0, max_flows=1) as caller:
            assert [one.flow_id for one in caller.sandbox.callbacks] == [ids[1]] * 2
        async with calling(store=path, speed=0, max_flows=5) as caller:
            assert [one.flow_id for one in caller.sandbox.callbacks] == [ids[1]] * 2
            caller.sandbox._lifecycle.clear()
        async with _sitting(path) as caller:
            assert caller.sandbox.callbacks == []


async def test_rules_and_how_often_they_applied(path: Path) -> None:
    """Rules are in force after a restart, newest first; one that applies so many times has not begun anew."""
    async with _sitting(path) as caller:
        caller.sandbox.script(to="+306912345678", viber="failed")
        gone = caller.sandbox.script(response=500)
        caller.sandbox.forget(gone)
        caller.sandbox.script(response=429, times=2)
        assert await _status(caller) == 429
        rules = caller.sandbox.rules
        assert [rule["applied"] for rule in rules] == [1, 0]
    async with _sitting(path) as caller:
        assert caller.sandbox.rules == rules
        assert [await _status(caller) for _ in range(2)] == [429, 200]
        caller.sandbox.forget()
    async with _sitting(path) as caller:
        assert caller.sandbox.rules == []


async def test_what_a_rule_said_stays_with_its_flow(path: Path) -> None:
    """A flow that a rule scripted goes its way after a restart, though the rule is gone."""
    async with _sitting(path) as caller:
        caller.sandbox.script(viber="expired")
        flow_id = (await caller.send("sendFailoverOtp", OTP))[1]["flowId"]
        caller.sandbox.forget()
    async with _sitting(path) as caller:
        await caller.sandbox.advance(SECOND * 61)
        assert [step["status"] for step in (await caller.track_otp(flow_id))["steps"]] == ["EXPIRED", "sent"]


async def test_rules_made_before_the_start_come_first(path: Path) -> None:
    """A rule of the program that starts the sandbox goes before those of the file, and is there once."""
    async with _sitting(path) as caller:
        old = caller.sandbox.script(response=500)
    sandbox = Sandbox(store=path)
    new = sandbox.script(response=429)
    for _ in range(2):
        async with sandbox:
            assert [rule["id"] for rule in sandbox.rules] == [new, old]
    async with _sitting(path) as caller:
        assert [rule["id"] for rule in caller.sandbox.rules] == [new, old]


async def test_settings(path: Path) -> None:
    """The lag of searches is what it was; a reset is kept as well."""
    async with _sitting(path) as caller:
        caller.sandbox.search_lag = SECOND * 5
    async with _sitting(path) as caller:
        assert caller.sandbox.search_lag == SECOND * 5
        await caller.send("sendFailover", STANDARD)
        assert (await caller.call("resetSandbox", "/sandbox/reset", method="POST"))[0] == 200
    async with _sitting(path) as caller:
        assert (caller.sandbox.search_lag, caller.sandbox.accepted) == (timedelta(0), [])


async def test_a_flow_that_ends_as_it_is_taken(path: Path) -> None:
    """A flow whose end, in the moment in which it was taken, was not told before a kill tells of it at the start."""
    told: list[float] = []
    async with _sitting(path) as caller:
        await caller.sandbox.advance(SECOND)
        caller.sandbox.script(viber=MessageScript("failed", after=timedelta(0)))
        await accepted(caller, "sendViberOtp", VIBER_OTP)
        caller.sandbox._scheduler.clear()
        caller.sandbox._event_bus.add_listener(
            lambda event: told.append(event.at) if isinstance(event, FlowChanged) else None
        )
        caller.sandbox._lifecycle.restore(0.5)  # the clock as it may have been kept with the flow
        await caller.sandbox.advance(SECOND)
    assert told == [0.0]
