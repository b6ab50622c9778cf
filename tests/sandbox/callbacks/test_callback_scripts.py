"""Callbacks that come twice, late, in another order or never: what a rule says, receivers can be tested with."""

from datetime import timedelta

import pytest

from routee_failover.sandbox import CallbackScript
from routee_failover.sandbox.simulation.outcomes import CallbackOrder, ScriptedOutcome

from ..raw_http import calling
from .callback_receiver import Receiver, accepted, single, standard, statuses

HOUR = timedelta(hours=1)
QUEUED, DELIVERED, SEEN = "QUEUED", "DELIVERED", "SEEN"


@pytest.mark.parametrize(
    ("play", "told", "at"),
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
async def test_as_scripted(play: CallbackScript, told: list[str], at: list[float]) -> None:
    """Each is repeated, late, turned round or lost as the rule says; those that change places wait for the last one."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=play)
        await accepted(caller, "sendFailover", single(receiver.url, "400"))
        await caller.sandbox.advance(HOUR * 2)
        assert statuses(receiver.bodies) == told
        assert sorted(attempt.at for one in caller.sandbox.callbacks for attempt in one.attempts) == at
        assert len({one.id for one in caller.sandbox.callbacks}) == max(len(told), 3)
        state = "dropped" if play.drop else "delivered"
        assert {one.state for one in caller.sandbox.callbacks} == {state}


async def test_shuffled_the_same_each_time() -> None:
    """A shuffled flow arrives in an order that is the same in every run, and not the same for every flow."""

    async def run() -> list[list[str]]:
        async with calling(speed=0) as caller, Receiver() as receiver:
            caller.sandbox.script(callbacks=CallbackScript(order="shuffled", repeat=2))
            flows = [await accepted(caller, "sendFailover", standard(receiver.url, "111")) for _ in range(4)]
            await caller.sandbox.advance(HOUR * 24)
            return [statuses(one for one in receiver.bodies if one["trackingId"] == flow.id) for flow in flows]

    first = await run()
    assert first == await run()
    assert len({tuple(order) for order in first}) > 1
    as_is = sorted([QUEUED, "Queued", "Sent", "Queued", "Initiated", "Busy"] * 2)
    assert [sorted(order) for order in first] == [as_is] * 4


@pytest.mark.parametrize("order", ["reversed", "as-is"])
async def test_a_single_one_has_no_order(order: CallbackOrder) -> None:
    """With OnCompletion there is nothing to wait for: the one callback is posted when the flow is final."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=CallbackScript(order=order))
        await accepted(caller, "sendFailover", single(receiver.url, "400", strategy="OnCompletion"))
        await caller.sandbox.advance(timedelta(seconds=3))
        assert statuses(receiver.bodies) == [DELIVERED]


async def test_what_waits_is_on_record() -> None:
    """Callbacks that wait for the last one can be looked at, be called back by hand, and go out when the flow ends."""
    async with calling(speed=0) as caller, Receiver() as receiver:
        caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
        await accepted(caller, "sendFailover", single(receiver.url, "300"))
        await caller.sandbox.advance(timedelta(seconds=5))
        (held,) = caller.sandbox.callbacks
        assert (held.state, held.attempts, held.next_at, held.due_at) == ("pending", (), None, 1.0)
        caller.sandbox.redeliver(held.id)
        await receiver.received(1)
        caller.sandbox._lifecycle.force_outcome(caller.sandbox.accepted[0], 0, ScriptedOutcome.UNDELIVERED)
        await receiver.received(3)
        assert statuses(receiver.bodies) == [QUEUED, "UNDELIVERED", QUEUED]
        await caller.sandbox.advance(timedelta(0))
        assert [len(one.attempts) for one in caller.sandbox.callbacks] == [2, 1]


async def test_what_waits_is_forgotten_with_its_flow() -> None:
    """Callbacks that wait for the last one never go out when their flow is forgotten, or all are cleared."""
    async with calling(speed=0, max_flows=1) as caller, Receiver() as receiver:
        for _ in range(2):
            caller.sandbox.script(callbacks=CallbackScript(order="reversed"))
            flow = await accepted(caller, "sendFailover", single(receiver.url, "300"))
            await caller.sandbox.advance(timedelta(seconds=5))
        assert list(caller.sandbox._callback_dispatcher._held) == [flow.id]
        caller.sandbox._lifecycle.clear()
        assert caller.sandbox._callback_dispatcher._held == {}
        await caller.sandbox.advance(HOUR * 2)
        assert receiver.bodies == []


async def test_a_repeated_one_is_retried_by_itself() -> None:
    """Each copy is a callback of its own: one that fails is posted again, the other is not."""
    async with calling(speed=0) as caller, Receiver(500) as receiver:
        caller.sandbox.script(callbacks=CallbackScript(repeat=2))
        await accepted(caller, "sendFailover", single(receiver.url, strategy="OnCompletion"))
        await caller.sandbox.advance(HOUR * 2)
        assert [[attempt.at for attempt in one.attempts] for one in caller.sandbox.callbacks] == [[3, 33], [3]]
