"""The lifecycle of flows: each change is published once, at its own time, also after forced outcomes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routee_failover.sandbox.simulation.event_bus import EventBus, FlowAccepted, FlowChanged, FlowsCleared, SandboxEvent
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow, FlowStore
from routee_failover.sandbox.simulation.lifecycle import ActionConflict, FlowLifecycle
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.scripted_outcomes import ScriptedMessage, ScriptedOutcome
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock

ADA = "+306912345678"
SMS = {"type": "Sms", "to": ADA, "from": "a", "message": {"body": "b"}}
VIBER = {"type": "Viber", "to": ADA, "ttl": 1}


class LifecycleHarness:
    """Lifecycle with its own clock, and the events that it published."""

    def __init__(self, speed: float = 0, max_flows: int = 100) -> None:
        self.clock = VirtualClock(speed)
        self.scheduler = Scheduler(self.clock)
        self.event_bus = EventBus()
        self.lifecycle = FlowLifecycle(self.clock, self.scheduler, FlowStore(max_flows), self.event_bus)
        self.events: list[SandboxEvent] = []
        self.event_bus.add_listener(self.events.append)
        self._count = 0

    def send(self, *steps: dict[str, Any], endpoint: str = "standard", **more: Any) -> AcceptedFlow:
        """Accept a flow of these steps."""
        self._count += 1
        flow = AcceptedFlow(
            endpoint=endpoint,
            id=f"flow-{self._count}",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            number=self._count,
            body={"flow": list(steps)},
            accepted_at=self.clock.now(),
            message_ids=tuple(f"message-{self._count}-{position}" for position, _ in enumerate(steps)),
            **more,
        )
        self.lifecycle.start(flow)
        return flow

    def changes(self, flow: AcceptedFlow) -> list[tuple[float, str, list[str]]]:
        """Return the published changes of a flow: time, status, and the statuses of its messages."""
        return [
            (event.at, event.state.status, [message.status_at(event.at).name for message in event.state.messages])
            for event in self.events
            if isinstance(event, FlowChanged) and event.flow.id == flow.id
        ]


async def test_each_change_is_published_once_at_its_time() -> None:
    """A flow is accepted, and its changes are published as the clock reaches them."""
    harness = LifecycleHarness()
    flow = harness.send(VIBER, SMS, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED), None))
    assert harness.events == [FlowAccepted(flow, flow.timeline.state_at(0.0))]
    await harness.scheduler.advance(61.5)
    await harness.scheduler.advance(1_000.0)
    assert harness.changes(flow) == [
        (1.0, "InProgress", ["QUEUED"]),
        (61.0, "InProgress", ["EXPIRED", "Queued"]),
        (62.0, "InProgress", ["EXPIRED", "Sent"]),
        (64.0, "Succeeded", ["EXPIRED", "Delivered"]),
    ]
    assert harness.scheduler.next_due is None


async def test_changes_of_several_flows_are_published_in_time_order() -> None:
    """The changes of several flows are published in order of time, not flow by flow."""
    harness = LifecycleHarness()
    first = harness.send(SMS)
    await harness.scheduler.advance(0.5)
    second = harness.send(SMS)
    await harness.scheduler.advance(100.0)
    published = [event for event in harness.events if isinstance(event, FlowChanged)]
    times = [event.flow.accepted_at + event.at for event in published]
    assert times == sorted(times)
    assert [event.flow.id for event in published] == [first.id, second.id] * 3


async def test_float_sums_do_not_miss_a_status_change() -> None:
    """At the time of a change the flow has its new state, whatever the float sums of the clock are."""
    harness = LifecycleHarness()
    for _ in range(50):
        await harness.scheduler.advance(0.1)
        flow = harness.send(SMS)
        await harness.scheduler.advance(1.0)
        assert harness.lifecycle.snapshot(flow).state.status == "InProgress"
        await harness.scheduler.advance(2.9)
        assert harness.lifecycle.snapshot(flow).state.status == "InProgress"
        await harness.scheduler.advance(0.1)
        assert harness.lifecycle.snapshot(flow).state.status == "Succeeded"


async def test_flow_that_ends_at_acceptance_is_published() -> None:
    """A ttl of zero ends a flow when it is sent; that change is published too, after the acceptance."""
    harness = LifecycleHarness()
    flow = harness.send({**SMS, "ttl": 0}, endpoint="otp")
    assert harness.changes(flow) == []
    await harness.scheduler.advance(0.0)
    assert harness.changes(flow) == [(0.0, "Succeeded", ["Delivered"])]
    ends_soon = harness.send({**SMS, "ttl": 1}, endpoint="otp")
    await harness.scheduler.advance(1.0)
    assert harness.changes(ends_soon) == [(1.0, "Succeeded", ["Delivered"])]


async def test_forced_outcome_replaces_the_scheduled_changes() -> None:
    """A forced outcome changes the flow at once; the changes of its old timeline are never published."""
    harness = LifecycleHarness()
    flow = harness.send(
        VIBER, SMS, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED), ScriptedMessage(ScriptedOutcome.EXPIRED))
    )
    await harness.scheduler.advance(10.0)
    changed = harness.lifecycle.force_outcome(flow, 0, ScriptedOutcome.FAILED)
    assert harness.lifecycle.flow_store.find(flow.id) is changed
    await harness.scheduler.advance(5.0)
    harness.lifecycle.force_outcome(flow, 1, ScriptedOutcome.DELIVERED)
    await harness.scheduler.advance(10_000.0)
    assert harness.changes(flow) == [
        (1.0, "InProgress", ["QUEUED"]),
        (10.0, "InProgress", ["FAILED", "Queued"]),
        (11.0, "InProgress", ["FAILED", "Sent"]),
        (15.0, "Succeeded", ["FAILED", "Delivered"]),
    ]


async def test_due_changes_are_published_before_a_forced_outcome() -> None:
    """On a running clock, changes that were due before the action are published first, unchanged."""
    harness = LifecycleHarness()
    flow = harness.send(VIBER, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED),))
    harness.clock.advance(7.0)
    harness.lifecycle.force_outcome(flow, 0, ScriptedOutcome.SEEN)
    assert harness.changes(flow) == [(1.0, "InProgress", ["QUEUED"]), (7.0, "Succeeded", ["SEEN"])]


@pytest.mark.parametrize(
    ("position", "outcome", "reason"),
    [
        (0, ScriptedOutcome.FAILED, "The message is DELIVERED: it can no longer"),
        (1, ScriptedOutcome.DELIVERED, "not sent yet"),
        (7, ScriptedOutcome.DELIVERED, "not sent yet"),
    ],
)
async def test_impossible_action_raises_and_changes_nothing(
    position: int, outcome: ScriptedOutcome, reason: str
) -> None:
    """A message that has ended, was not sent, or does not exist cannot be forced, and nothing changes."""
    harness = LifecycleHarness()
    flow = harness.send(VIBER, SMS)
    await harness.scheduler.advance(100.0)
    before = harness.changes(flow)
    with pytest.raises(ActionConflict, match=reason):
        harness.lifecycle.force_outcome(flow, position, outcome)
    assert harness.changes(flow) == before
    assert harness.lifecycle.flow_store.find(flow.id) is flow


async def test_evicted_flow_is_not_published_and_cannot_be_forced() -> None:
    """Nothing is published about an evicted flow any more, and no outcome can be forced on it."""
    harness = LifecycleHarness(max_flows=1)
    old = harness.send(SMS)
    new = harness.send(SMS)
    await harness.scheduler.advance(100.0)
    assert harness.changes(old) == []
    assert harness.changes(new)[-1][1] == "Succeeded"
    with pytest.raises(ActionConflict):
        harness.lifecycle.force_outcome(old, 0, ScriptedOutcome.DELIVERED)


async def test_clear_deletes_flows_and_their_scheduled_changes() -> None:
    """After a clear there are no flows, and no more changes."""
    harness = LifecycleHarness()
    flow = harness.send(SMS)
    harness.lifecycle.clear()
    await harness.scheduler.advance(100.0)
    assert harness.changes(flow) == []
    assert harness.events[-1] == FlowsCleared()
    assert len(harness.lifecycle.flow_store) == 0


async def test_restored_flows_continue_without_repeating_changes() -> None:
    """Restored flows continue from their state: published changes are not published again."""
    harness = LifecycleHarness()
    await harness.scheduler.advance(0.5)
    flow = harness.send(SMS)
    await harness.scheduler.advance(1.5)
    harness.scheduler.clear()
    harness.events.clear()
    harness.lifecycle.restore(2.0)
    await harness.scheduler.advance(100.0)
    assert [at for at, _, _ in harness.changes(flow)] == [2.0, 4.0]


async def test_restore_of_an_empty_store_leaves_the_clock() -> None:
    """An empty store does not move the clock."""
    harness = LifecycleHarness()
    harness.lifecycle.restore(0.0)
    assert (harness.clock.now(), harness.scheduler.next_due) == (0.0, None)
