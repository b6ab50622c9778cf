"""Scripted callbacks: repeated, delayed, reordered or dropped, to test receivers with."""

from datetime import timedelta

import pytest

from routee_failover.sandbox import CallbackScript
from routee_failover.sandbox.simulation.outcomes import CallbackOrder, ScriptedOutcome

from ..raw_http import open_caller
from .callback_receiver import Receiver, accept, single_viber, standard, statuses

HOUR = timedelta(hours=1)
QUEUED, DELIVERED, SEEN = "QUEUED", "DELIVERED", "SEEN"


@pytest.mark.parametrize(
    ("script", "expected", "at"),
    [
        (CallbackScript(repeat=2), [QUEUED, QUEUED, DELIVERED, DELIVERED, SEEN, SEEN], [1, 1, 3, 3, 6, 6]),
        (CallbackScript(order="reversed"), [SEEN, DELIVERED, QUEUED], [6, 6, 6]),
        (
            CallbackScript(order="reversed", repeat=2, delay=timedelta(seconds=10)),
            [SEEN] * 2 + [DELIVERED] * 2 + [QUEUED] * 2,
            [16] * 6,
        ),
        (CallbackScript(delay=timedelta(seconds=2.5)), [QUEUED, DELIVERED, SEEN], [3.5, 5.5, 8.5]),
        (CallbackScript(drop=True, repeat=3, order="reversed"), [], []),
    ],
)
async def test_callbacks_are_repeated_reordered_delayed_or_dropped_as_scripted(
    script: CallbackScript, expected: list[str], at: list[float]
) -> None:
    """Callbacks are repeated, delayed, reordered or dropped as the rule says; reordered ones wait for the last one."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=script)
        await accept(caller, "sendFailover", single_viber(receiver.url, "400"))
        await caller.sandbox.advance(HOUR * 2)
        assert statuses(receiver.bodies) == expected
        assert sorted(attempt.at for record in caller.sandbox.callbacks for attempt in record.attempts) == at
        assert len({record.id for record in caller.sandbox.callbacks}) == max(len(expected), 3)
        state = "dropped" if script.drop else "delivered"
        assert {record.state for record in caller.sandbox.callbacks} == {state}


async def test_shuffled_order_is_reproducible() -> None:
    """The callbacks of a flow are shuffled in the same way in every run, and not in the same way for every flow."""

    async def run() -> list[list[str]]:
        async with open_caller(speed=0) as caller, Receiver() as receiver:
            caller.sandbox.script(callbacks=CallbackScript(order="shuffled", repeat=2))
            flows = [await accept(caller, "sendFailover", standard(receiver.url, "111")) for _ in range(4)]
            await caller.sandbox.advance(HOUR * 24)
            return [statuses(body for body in receiver.bodies if body["trackingId"] == flow.id) for flow in flows]

    first = await run()
    assert first == await run()
    assert len({tuple(order) for order in first}) > 1
    as_is = sorted([QUEUED, "Queued", "Sent", "Queued", "Initiated", "Busy"] * 2)
    assert [sorted(order) for order in first] == [as_is] * 4


@pytest.mark.parametrize("order", ["reversed", "as-is"])
async def test_only_callback_of_a_flow_is_posted_at_once(order: CallbackOrder) -> None:
    """With OnCompletion there is nothing to wait for: the only callback is posted when the flow is final."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=CallbackScript(order=order))
        await accept(caller, "sendFailover", single_viber(receiver.url, "400", strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=3))
        assert statuses(receiver.bodies) == [DELIVERED]


async def test_held_callbacks_are_listed_and_can_be_redelivered() -> None:
    """Callbacks that wait for the last one are listed, can be redelivered, and are posted when the flow ends."""
    async with open_caller(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
        await accept(caller, "sendFailover", single_viber(receiver.url, "300"))
        await caller.sandbox.advance(timedelta(seconds=5))
        (held,) = caller.sandbox.callbacks
        assert (held.state, held.attempts, held.next_at, held.due_at) == ("pending", (), None, 1.0)
        caller.sandbox.redeliver(held.id)
        await receiver.received(1)
        caller.sandbox._lifecycle.force_outcome(caller.sandbox.accepted[0], 0, ScriptedOutcome.UNDELIVERED)
        await receiver.received(3)
        assert statuses(receiver.bodies) == [QUEUED, "UNDELIVERED", QUEUED]
        await caller.sandbox.advance(timedelta(0))
        assert [len(record.attempts) for record in caller.sandbox.callbacks] == [2, 1]


async def test_held_callbacks_are_deleted_with_their_flow() -> None:
    """Callbacks that wait for the last one are never posted when their flow is evicted, or all flows are cleared."""
    async with open_caller(speed=0, max_flows=1) as caller, Receiver() as receiver:
        for _ in range(2):
            caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
            flow = await accept(caller, "sendFailover", single_viber(receiver.url, "300"))
            await caller.sandbox.advance(timedelta(seconds=5))
        assert list(caller.sandbox._callback_dispatcher._held) == [flow.id]
        caller.sandbox._lifecycle.clear()
        assert caller.sandbox._callback_dispatcher._held == {}
        await caller.sandbox.advance(HOUR * 2)
        assert receiver.bodies == []


async def test_each_copy_of_a_repeated_callback_has_its_own_retries() -> None:
    """Each copy is a callback of its own: one that fails is posted again, the other one is not."""
    async with open_caller(speed=0) as caller, Receiver(500) as receiver:
        caller.sandbox.script(callbacks=CallbackScript(repeat=2))
        await accept(caller, "sendFailover", single_viber(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR * 2)
        assert [[attempt.at for attempt in record.attempts] for record in caller.sandbox.callbacks] == [[3, 33], [3]]
