"""The event bus: order of events, subscriptions, and slow subscribers."""

import asyncio

from routee_failover.sandbox.simulation.event_bus import (
    ClockChanged,
    EventBus,
    FlowsCleared,
    RulesChanged,
    SandboxEvent,
    SubscriberLagged,
)


async def test_listeners_get_every_event_in_order() -> None:
    """Every listener gets every event, in the order in which the listeners were added."""
    event_bus, received = EventBus(), list[tuple[str, SandboxEvent]]()
    event_bus.add_listener(lambda event: received.append(("first", event)))
    event_bus.add_listener(lambda event: received.append(("second", event)))
    event_bus.publish(ClockChanged())
    event_bus.publish(FlowsCleared())
    assert received == [
        ("first", ClockChanged()),
        ("second", ClockChanged()),
        ("first", FlowsCleared()),
        ("second", FlowsCleared()),
    ]


async def test_listener_may_publish_another_event() -> None:
    """An event that a listener publishes is delivered, even while the first event is still being delivered."""
    event_bus, received = EventBus(), list[SandboxEvent]()

    def publish_another(event: SandboxEvent) -> None:
        if isinstance(event, ClockChanged):
            event_bus.publish(FlowsCleared())

    event_bus.add_listener(publish_another)
    event_bus.add_listener(received.append)
    event_bus.publish(ClockChanged())
    assert received == [FlowsCleared(), ClockChanged()]


async def test_subscription_queues_events_until_they_are_read() -> None:
    """A subscription queues the events since it began until they are read; after its end nothing is queued."""
    event_bus = EventBus()
    event_bus.publish(FlowsCleared())
    with event_bus.subscribe() as events:
        event_bus.publish(ClockChanged())
        event_bus.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [ClockChanged(), RulesChanged()]
        waiting = asyncio.create_task(anext(aiter(events)))
        await asyncio.sleep(0)
        assert not waiting.done()
        event_bus.publish(FlowsCleared())
        assert await waiting == FlowsCleared()
    event_bus.publish(ClockChanged())
    assert event_bus._listeners == []


async def test_full_queue_is_replaced_by_lagged() -> None:
    """A slow subscriber gets one `SubscriberLagged` in place of all dropped events, and then later events."""
    event_bus = EventBus()
    with event_bus.subscribe(max_pending=3) as events:
        for _ in range(3):
            event_bus.publish(ClockChanged())
        event_bus.publish(FlowsCleared())
        event_bus.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [SubscriberLagged(), RulesChanged()]
        for _ in range(50):
            event_bus.publish(ClockChanged())
        assert isinstance(await anext(events), SubscriberLagged)


async def test_closing_the_bus_ends_subscriptions_after_queued_events() -> None:
    """When the bus is closed, queued events are still read, and then the subscription ends."""
    event_bus = EventBus()
    with event_bus.subscribe() as one, event_bus.subscribe() as other:
        event_bus.publish(ClockChanged())
        event_bus.close()
        assert [event async for event in one] == [ClockChanged()]
        assert await other.next_batch() == [ClockChanged()]
        assert await other.next_batch() == []
