"""Every flow is followed: each change is published once, at its own time, whatever is done to it on its way."""

from datetime import UTC, datetime
from typing import Any

import pytest

from routee_failover.sandbox.simulation.event_bus import EventBus, FlowAccepted, FlowChanged, FlowsCleared, SandboxEvent
from routee_failover.sandbox.simulation.flow_store import AcceptedFlow, FlowStore
from routee_failover.sandbox.simulation.lifecycle import ActionConflict, FlowLifecycle
from routee_failover.sandbox.simulation.outcomes import ScriptedMessage, ScriptedOutcome
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock

ADA = "+306912345678"
SMS = {"type": "Sms", "to": ADA, "from": "a", "message": {"body": "b"}}
VIBER = {"type": "Viber", "to": ADA, "ttl": 1}


class LifecycleHarness:
    """Journeys on a clock of one's own, and what was published."""

    def __init__(self, speed: float = 0, keep: int = 100) -> None:
        self.clock = VirtualClock(speed)
        self.agenda = Scheduler(self.clock)
        self.feed = EventBus()
        self.journeys = FlowLifecycle(self.clock, self.agenda, FlowStore(keep), self.feed)
        self.heard: list[SandboxEvent] = []
        self.feed.add_listener(self.heard.append)
        self._made = 0

    def send(self, *steps: dict[str, Any], endpoint: str = "standard", **more: Any) -> AcceptedFlow:
        """Take a flow of these steps."""
        self._made += 1
        flow = AcceptedFlow(
            endpoint=endpoint,
            id=f"flow-{self._made}",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            number=self._made,
            body={"flow": list(steps)},
            accepted_at=self.clock.now(),
            message_ids=tuple(f"message-{self._made}-{position}" for position, _ in enumerate(steps)),
            **more,
        )
        self.journeys.start(flow)
        return flow

    def told(self, flow: AcceptedFlow) -> list[tuple[float, str, list[str]]]:
        """When and how a flow was said to have changed, with its messages' statuses then."""
        return [
            (event.at, event.state.status, [message.status_at(event.at).name for message in event.state.messages])
            for event in self.heard
            if isinstance(event, FlowChanged) and event.flow.id == flow.id
        ]


async def test_each_change_once_and_at_its_time() -> None:
    """A flow is accepted, and then changes at each moment of its line, as the clock comes there."""
    stage = LifecycleHarness()
    flow = stage.send(VIBER, SMS, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED), None))
    assert stage.heard == [FlowAccepted(flow, flow.timeline.state_at(0.0))]
    await stage.agenda.advance(61.5)
    await stage.agenda.advance(1_000.0)
    assert stage.told(flow) == [
        (1.0, "InProgress", ["QUEUED"]),
        (61.0, "InProgress", ["EXPIRED", "Queued"]),
        (62.0, "InProgress", ["EXPIRED", "Sent"]),
        (64.0, "Succeeded", ["EXPIRED", "Delivered"]),
    ]
    assert stage.agenda.next_due is None


async def test_flows_are_told_in_the_order_of_time() -> None:
    """What happens to many flows is told by the clock, not flow by flow."""
    stage = LifecycleHarness()
    first = stage.send(SMS)
    await stage.agenda.advance(0.5)
    second = stage.send(SMS)
    await stage.agenda.advance(100.0)
    changes = [event for event in stage.heard if isinstance(event, FlowChanged)]
    moments = [event.flow.accepted_at + event.at for event in changes]
    assert moments == sorted(moments)
    assert [event.flow.id for event in changes] == [first.id, second.id] * 3


async def test_no_moment_is_missed_by_the_last_bit_of_a_float() -> None:
    """Told at a moment, a flow stands so at that moment, however the sums of the clock come out."""
    stage = LifecycleHarness()
    for _ in range(50):
        await stage.agenda.advance(0.1)
        flow = stage.send(SMS)
        await stage.agenda.advance(1.0)
        assert stage.journeys.snapshot(flow).state.status == "InProgress"
        await stage.agenda.advance(2.9)
        assert stage.journeys.snapshot(flow).state.status == "InProgress"
        await stage.agenda.advance(0.1)
        assert stage.journeys.snapshot(flow).state.status == "Succeeded"


async def test_a_flow_that_ends_at_once_is_told_of() -> None:
    """A ttl of nothing ends a flow in the moment in which it is sent; that is told, too, after the acceptance."""
    stage = LifecycleHarness()
    flow = stage.send({**SMS, "ttl": 0}, endpoint="otp")
    assert stage.told(flow) == []
    await stage.agenda.advance(0.0)
    assert stage.told(flow) == [(0.0, "Succeeded", ["Delivered"])]
    soon = stage.send({**SMS, "ttl": 1}, endpoint="otp")
    await stage.agenda.advance(1.0)
    assert stage.told(soon) == [(1.0, "Succeeded", ["Delivered"])]


async def test_a_forced_flow_leaves_its_old_way() -> None:
    """A message that is made to end changes the flow there and then; what was due on the old way is never told."""
    stage = LifecycleHarness()
    flow = stage.send(
        VIBER, SMS, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED), ScriptedMessage(ScriptedOutcome.EXPIRED))
    )
    await stage.agenda.advance(10.0)
    changed = stage.journeys.force_outcome(flow, 0, ScriptedOutcome.FAILED)
    assert stage.journeys.flow_store.find(flow.id) is changed
    await stage.agenda.advance(5.0)
    stage.journeys.force_outcome(flow, 1, ScriptedOutcome.DELIVERED)
    await stage.agenda.advance(10_000.0)
    assert stage.told(flow) == [
        (1.0, "InProgress", ["QUEUED"]),
        (10.0, "InProgress", ["FAILED", "Queued"]),
        (11.0, "InProgress", ["FAILED", "Sent"]),
        (15.0, "Succeeded", ["FAILED", "Delivered"]),
    ]


async def test_what_was_due_before_is_told_before() -> None:
    """On a clock that runs, what was due when somebody acts, and had no turn yet, is told first and as it was."""
    stage = LifecycleHarness()
    flow = stage.send(VIBER, scripts=(ScriptedMessage(ScriptedOutcome.EXPIRED),))
    stage.clock.advance(7.0)
    stage.journeys.force_outcome(flow, 0, ScriptedOutcome.SEEN)
    assert stage.told(flow) == [(1.0, "InProgress", ["QUEUED"]), (7.0, "Succeeded", ["SEEN"])]


@pytest.mark.parametrize(
    ("position", "ending", "why"),
    [
        (0, ScriptedOutcome.FAILED, "The message is DELIVERED: it can no longer"),
        (1, ScriptedOutcome.DELIVERED, "not sent yet"),
        (7, ScriptedOutcome.DELIVERED, "not sent yet"),
    ],
)
async def test_what_cannot_be_done(position: int, ending: ScriptedOutcome, why: str) -> None:
    """A message that has ended, was not sent, or does not exist cannot be made to end, and nothing changes."""
    stage = LifecycleHarness()
    flow = stage.send(VIBER, SMS)
    await stage.agenda.advance(100.0)
    told = stage.told(flow)
    with pytest.raises(ActionConflict, match=why):
        stage.journeys.force_outcome(flow, position, ending)
    assert stage.told(flow) == told
    assert stage.journeys.flow_store.find(flow.id) is flow


async def test_a_flow_that_was_forgotten() -> None:
    """Of a flow that gave way to newer ones nothing is told any more, and nothing can be done to it."""
    stage = LifecycleHarness(keep=1)
    old = stage.send(SMS)
    new = stage.send(SMS)
    await stage.agenda.advance(100.0)
    assert stage.told(old) == []
    assert stage.told(new)[-1][1] == "Succeeded"
    with pytest.raises(ActionConflict):
        stage.journeys.force_outcome(old, 0, ScriptedOutcome.DELIVERED)


async def test_clear() -> None:
    """Cleared, there are no flows, and nothing more becomes of them."""
    stage = LifecycleHarness()
    flow = stage.send(SMS)
    stage.journeys.clear()
    await stage.agenda.advance(100.0)
    assert stage.told(flow) == []
    assert stage.heard[-1] == FlowsCleared()
    assert len(stage.journeys.flow_store) == 0


async def test_flows_of_before_are_followed_on() -> None:
    """Flows that were kept go on from where they stood: what was told is not told again."""
    stage = LifecycleHarness()
    await stage.agenda.advance(0.5)
    flow = stage.send(SMS)
    await stage.agenda.advance(1.5)
    stage.agenda.clear()
    stage.heard.clear()
    stage.journeys.restore(2.0)
    await stage.agenda.advance(100.0)
    assert [at for at, _, _ in stage.told(flow)] == [2.0, 4.0]


async def test_no_flows_of_before() -> None:
    """An empty book moves no clock."""
    stage = LifecycleHarness()
    stage.journeys.restore(0.0)
    assert (stage.clock.now(), stage.agenda.next_due) == (0.0, None)
