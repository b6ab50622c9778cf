"""What a store keeps besides flows: their callbacks, the rules, the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from routee_failover.sandbox import CallbackScript, MessageScript, Sandbox
from routee_failover.sandbox.callbacks import callback_log
from routee_failover.sandbox.simulation.event_bus import FlowChanged

from ..callbacks.callback_receiver import Receiver, accept, single_viber, statuses
from ..raw_http import OTP, SENDS, STANDARD, VIBER_OTP, Caller, open_caller

SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "sandbox.db"


@asynccontextmanager
async def _session(path: Path) -> AsyncIterator[Caller]:
    async with open_caller(store=path, speed=0) as caller:
        yield caller


async def _otp_status(caller: Caller) -> int:
    """Return the status of an OTP send, unchecked: a rule may script one that the contract does not have."""
    return (await caller.raw("POST", SENDS["sendFailoverOtp"], json=OTP, headers=caller.headers))[0]


async def test_callbacks_survive_and_retries_continue(path: Path) -> None:
    """Callbacks survive a restart with their attempts, and failed ones are retried when they are due."""
    async with Receiver(500, 200, 500) as receiver:
        async with _session(path) as caller:
            await accept(caller, "sendFailover", single_viber(receiver.url, "400"))
            await caller.sandbox.advance(SECOND * 10)
            before = caller.sandbox.callbacks
            assert [record.state for record in before] == ["pending", "delivered", "pending"]
        async with _session(path) as caller:
            assert caller.sandbox.callbacks == before
            await caller.sandbox.advance(SECOND * 22)
            after = caller.sandbox.callbacks
            assert [record.state for record in after] == ["delivered", "delivered", "pending"]
            assert [len(record.attempts) for record in after] == [2, 1, 1]
        async with _session(path) as caller:
            assert caller.sandbox.callbacks == after


async def test_interrupted_attempt_is_repeated_at_the_start(path: Path) -> None:
    """A callback that was being posted when the sandbox stopped is posted again at the start."""
    async with Receiver() as receiver:
        receiver.always = receiver.hold
        async with open_caller(store=path, speed=1000) as caller:
            await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
            await receiver.received(1)
        receiver.always = 200
        async with _session(path) as caller:
            await receiver.received(2)
            await caller.sandbox.advance(timedelta(0))
            (callback,) = caller.sandbox.callbacks
            assert (callback.state, len(callback.attempts)) == ("delivered", 1)


async def test_held_callbacks_wait_through_a_restart(path: Path) -> None:
    """Callbacks that wait for the last one to be reordered wait for it through a restart."""
    async with Receiver() as receiver:
        async with _session(path) as caller:
            caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
            await accept(caller, "sendFailover", single_viber(receiver.url, "400"))
            await caller.sandbox.advance(SECOND * 4)
        async with _session(path) as caller:
            await caller.sandbox.advance(SECOND * 10)
        assert statuses(receiver.bodies) == ["SEEN", "DELIVERED", "QUEUED"]


async def test_callbacks_are_limited_and_deleted_with_their_flows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file keeps the callbacks of the stored flows, and of each flow a limited number."""
    monkeypatch.setattr(callback_log, "MAX_CALLBACKS_PER_FLOW", 2)
    async with Receiver() as receiver:
        async with open_caller(store=path, speed=0, max_flows=2) as caller:
            for _ in range(3):
                await accept(caller, "sendFailover", single_viber(receiver.url, "400"))
                await caller.sandbox.advance(SECOND * 10)
            ids = [flow.id for flow in caller.sandbox.accepted]
            assert [record.flow_id for record in caller.sandbox.callbacks] == [ids[0]] * 2 + [ids[1]] * 2
        async with open_caller(store=path, speed=0, max_flows=1) as caller:
            assert [record.flow_id for record in caller.sandbox.callbacks] == [ids[1]] * 2
        async with open_caller(store=path, speed=0, max_flows=5) as caller:
            assert [record.flow_id for record in caller.sandbox.callbacks] == [ids[1]] * 2
            caller.sandbox._lifecycle.clear()
        async with _session(path) as caller:
            assert caller.sandbox.callbacks == []


async def test_rules_survive_with_their_counts(path: Path) -> None:
    """Rules survive a restart, newest first; one with `times` does not start over."""
    async with _session(path) as caller:
        caller.sandbox.script(to="+306912345678", viber="failed")
        removed = caller.sandbox.script(response=500)
        caller.sandbox.forget(removed)
        caller.sandbox.script(response=429, times=2)
        assert await _otp_status(caller) == 429
        rules = caller.sandbox.rules
        assert [rule["applied"] for rule in rules] == [1, 0]
    async with _session(path) as caller:
        assert caller.sandbox.rules == rules
        assert [await _otp_status(caller) for _ in range(2)] == [429, 200]
        caller.sandbox.forget()
    async with _session(path) as caller:
        assert caller.sandbox.rules == []


async def test_decision_of_a_removed_rule_survives_with_its_flow(path: Path) -> None:
    """A flow that a rule scripted keeps its script after a restart, although the rule was removed."""
    async with _session(path) as caller:
        caller.sandbox.script(viber="expired")
        flow_id = (await caller.send("sendFailoverOtp", OTP))[1]["flowId"]
        caller.sandbox.forget()
    async with _session(path) as caller:
        await caller.sandbox.advance(SECOND * 61)
        assert [step["status"] for step in (await caller.track_otp(flow_id))["steps"]] == ["EXPIRED", "sent"]


async def test_rules_added_before_the_start_precede_stored_ones(path: Path) -> None:
    """A rule of the program that starts the sandbox comes before those in the file, and is stored once."""
    async with _session(path) as caller:
        old = caller.sandbox.script(response=500)
    sandbox = Sandbox(store=path)
    new = sandbox.script(response=429)
    for _ in range(2):
        async with sandbox:
            assert [rule["id"] for rule in sandbox.rules] == [new, old]
    async with _session(path) as caller:
        assert [rule["id"] for rule in caller.sandbox.rules] == [new, old]


async def test_search_lag_and_its_reset_survive(path: Path) -> None:
    """The search lag survives a restart, and so does a reset."""
    async with _session(path) as caller:
        caller.sandbox.search_lag = SECOND * 5
    async with _session(path) as caller:
        assert caller.sandbox.search_lag == SECOND * 5
        await caller.send("sendFailover", STANDARD)
        assert (await caller.call("resetSandbox", "/sandbox/reset", method="POST"))[0] == 200
    async with _session(path) as caller:
        assert (caller.sandbox.search_lag, caller.sandbox.accepted) == (timedelta(0), [])


async def test_change_at_acceptance_that_was_not_published_is_published_later(path: Path) -> None:
    """A flow that ends at its acceptance and was not published before a kill is published after the restart."""
    published: list[float] = []
    async with _session(path) as caller:
        await caller.sandbox.advance(SECOND)
        caller.sandbox.script(viber=MessageScript("failed", after=timedelta(0)))
        await accept(caller, "sendViberOtp", VIBER_OTP)
        caller.sandbox._scheduler.clear()
        caller.sandbox._event_bus.add_listener(
            lambda event: published.append(event.at) if isinstance(event, FlowChanged) else None
        )
        caller.sandbox._lifecycle.restore(0.5)  # a reading of the clock that may have been saved with the flow
        await caller.sandbox.advance(SECOND)
    assert published == [0.0]
