"""What happens is told to everybody in order, and to the slow that they missed something."""

import asyncio

from routee_failover.sandbox.life.feed import Cleared, ClockSet, Event, Feed, Lagged, RulesChanged


async def test_listeners_hear_in_order() -> None:
    """Every listener hears every event in turn, in the order in which they came to listen."""
    feed, heard = Feed(), list[tuple[str, Event]]()
    feed.listen(lambda event: heard.append(("first", event)))
    feed.listen(lambda event: heard.append(("second", event)))
    feed.publish(ClockSet())
    feed.publish(Cleared())
    assert heard == [("first", ClockSet()), ("second", ClockSet()), ("first", Cleared()), ("second", Cleared())]


async def test_a_listener_may_publish() -> None:
    """What a listener makes happen is told as well, while the first is still being told."""
    feed, heard = Feed(), list[Event]()

    def answer(event: Event) -> None:
        if isinstance(event, ClockSet):
            feed.publish(Cleared())

    feed.listen(answer)
    feed.listen(heard.append)
    feed.publish(ClockSet())
    assert heard == [Cleared(), ClockSet()]


async def test_a_reader_reads_in_its_own_time() -> None:
    """A subscription holds what happened since it began, until it is read; after it, nothing is held."""
    feed = Feed()
    feed.publish(Cleared())
    with feed.subscription() as events:
        feed.publish(ClockSet())
        feed.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [ClockSet(), RulesChanged()]
        waiting = asyncio.create_task(anext(aiter(events)))
        await asyncio.sleep(0)
        assert not waiting.done()
        feed.publish(Cleared())
        assert await waiting == Cleared()
    feed.publish(ClockSet())
    assert feed._listeners == []


async def test_a_slow_reader_is_told_that_it_missed_something() -> None:
    """Who does not keep up finds one Lagged in the place of all that was dropped, and then what came after it."""
    feed = Feed()
    with feed.subscription(most_waiting=3) as events:
        for _ in range(3):
            feed.publish(ClockSet())
        feed.publish(Cleared())
        feed.publish(RulesChanged())
        assert [await anext(events), await anext(events)] == [Lagged(), RulesChanged()]
        for _ in range(50):
            feed.publish(ClockSet())
        assert isinstance(await anext(events), Lagged)


async def test_readers_of_a_closed_feed_come_to_an_end() -> None:
    """When the feed is closed, what waits is still read, and then there is no more."""
    feed = Feed()
    with feed.subscription() as one, feed.subscription() as other:
        feed.publish(ClockSet())
        feed.close()
        assert [event async for event in one] == [ClockSet()]
        assert await other.together() == [ClockSet()]
        assert await other.together() == []
