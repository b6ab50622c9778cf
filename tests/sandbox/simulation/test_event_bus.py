"""What happens is told to everybody in order, and to the slow that they missed something."""

import asyncio

from routee_failover.sandbox.simulation.event_bus import (
    ClockChanged,
    EventBus,
    FlowsCleared,
    RulesChanged,
    SandboxEvent,
    SubscriberLagged,
)


async def test_listeners_hear_in_order() -> None:
    """Every listener hears every event in turn, in the order in which they came to listen."""
    feed, heard = EventBus(), list[tuple[str, SandboxEvent]]()
    feed.add_listener(lambda event: heard.append(("first", event)))
    feed.add_listener(lambda event: heard.append(("second", event)))
    feed.publish(ClockChanged())
    feed.publish(FlowsCleared())
    assert heard == [
        ("first", ClockChanged()),
        ("second", ClockChanged()),
        ("first", FlowsCleared()),
        ("second", FlowsCleared()),
    ]


async def test_a_listener_may_publish() -> None:
    """What a listener makes happen is told as well, while the first is still being told."""
    feed, heard = EventBus(), list[SandboxEvent]()

    def answer(event: SandboxEvent) -> None:
        if isinstance(event, ClockChanged):
            feed.publish(FlowsCleared())

    feed.add_listener(answer)
    feed.add_listener(heard.append)
    feed.publish(ClockChanged())
    assert heard == [FlowsCleared(), ClockChanged()]


async def test_a_reader_reads_in_its_own_time() -> None:
    """A subscription holds what happened since it began, until it is read; after it, nothing is held."""
    feed = EventBus()
    feed.publish(FlowsCleared())
    with feed.subscribe() as events:
        feed.publish(ClockChanged())
        feed.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [ClockChanged(), RulesChanged()]
        waiting = asyncio.create_task(anext(aiter(events)))
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.publish(FlowsCleared())
        assert await waiting == FlowsCleared()
    feed.publish(ClockChanged())
    assert feed._listeners == []


async def test_a_slow_reader_is_told_that_it_missed_something() -> None:
    """Who does not keep up finds one Lagged in the place of all that was dropped, and then what came after it."""
    feed = EventBus()
    with feed.subscribe(max_pending=3) as events:
        for _ in range(3):
            feed.publish(ClockChanged())
        feed.publish(FlowsCleared())
        feed.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [SubscriberLagged(), RulesChanged()]
        for _ in range(50):
            feed.publish(ClockChanged())
        assert isinstance(await anext(events), SubscriberLagged)


async def test_readers_of_a_closed_feed_come_to_an_end() -> None:
    """When the feed is closed, what waits is still read, and then there is no more."""
    feed = EventBus()
    with feed.subscribe() as one, feed.subscribe() as other:
        feed.publish(ClockChanged())
        feed.close()
        assert [event async for event in one] == [ClockChanged()]
        assert await other.next_batch() == [ClockChanged()]
        assert await other.next_batch() == []
