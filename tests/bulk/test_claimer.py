"""A source that is not what it was, or says nothing, and a run that is stopped or slow: nobody is lost or hit twice."""

import asyncio
import time as clock
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import attrs

from routee_failover import AnyFlow, Problem
from routee_failover.bulk import SendWindow, rows_of
from routee_failover.ledger import EntryState, MemoryLedger, SqliteLedger
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import NO_FAULT
from tests.chaos.sample_flows import otp
from tests.client.fake_routee import until

from .helpers import OtpFlows, client, number, row, run, sender


async def test_rows_that_have_moved_are_no_duplicates(server: ListingServer) -> None:
    """A line more at the top of the file makes nobody a duplicate, and only the new row is sent."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(place + 1, place) for place in range(1, 9)])
        progress = await run(server, ledger, [row(place + 1, (place - 1) or 99) for place in range(1, 10)])
    assert (progress.duplicates, progress.skipped, progress.counts.accepted) == (0, 8, 9)
    assert set(server.accepted.values()) == {1}


async def test_rows_that_are_gone_from_the_source_end_the_run(server: ListingServer) -> None:
    """What was not sent and is not in the source any more stays NEW; the run does not look for it for ever."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            made = sender(routee, ledger)
            running = asyncio.create_task(made.run(rows_of(OtpFlows(200))))
            await until(lambda: len(server.accepted) > 20)
            made.stop()
            await running
        left = (await ledger.counts()).new
        sent = [intent.recipient async for intent in ledger.entries({EntryState.ACCEPTED})]
        began = clock.monotonic()
        progress = await run(server, ledger, [otp(to) for to in sent], stall_timeout=timedelta(seconds=60))
    assert progress.counts.new == left > 0
    assert clock.monotonic() - began < 30
    assert set(server.accepted.values()) == {1}


async def test_a_broken_row_does_not_take_the_good_one_of_its_key_with_it(server: ListingServer) -> None:
    """Of two rows with one key, one of them broken, the good one is sent, whichever comes first."""
    broken = attrs.evolve(row(3, 1), problems=(Problem(("pin",), "must have 4 to 10 characters"),))
    last = attrs.evolve(row(4, 2), problems=(Problem(("pin",), "must have 4 to 10 characters"),))
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [row(2, 2), broken, last, row(5, 1)])
    assert server.accepted == {number(1): 1, number(2): 1}
    assert (progress.counts.accepted, progress.counts.invalid, progress.duplicates) == (2, 2, 0)


async def test_a_run_over_a_silent_source_can_be_stopped(server: ListingServer) -> None:
    """`stop` does not wait for a source that has nothing to say."""

    async def silent() -> AsyncIterator[AnyFlow]:
        yield otp(number(1))
        await asyncio.Event().wait()

    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger)
        running = asyncio.create_task(made.run(rows_of(silent())))
        await until(lambda: server.accepted)
        made.stop()
        async with asyncio.timeout(10):
            progress = await running
    assert progress.counts.accepted == 1


async def test_a_slow_run_is_stopped_at_once_and_holds_little(server: ListingServer) -> None:
    """At one message in a minute few are claimed ahead, and `stop` does not wait for the next minute."""
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, rate=1 / 60, concurrency=50)
        running = asyncio.create_task(made.run(rows_of(OtpFlows(100))))
        await until(lambda: server.accepted)
        await asyncio.sleep(0.2)
        assert (await ledger.counts()).total <= 4
        made.stop()
        async with asyncio.timeout(10):
            progress = await running
    assert (progress.counts.accepted, progress.counts.sending) == (1, 0)


async def test_nobody_is_written_to_after_a_pause_into_the_night(server: ListingServer) -> None:
    """Hours that end while a run is paused are asked for again before anything leaves."""
    night = [False]
    opens = datetime.now(UTC) + timedelta(seconds=1.5)

    class Window(SendWindow):
        def opens(self, number: str, now: datetime) -> datetime | None:
            return opens if night[0] and now < opens else None

    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, send_window=Window(start=time(9), end=time(20)))
        made.pause()
        running = asyncio.create_task(made.run(rows_of(OtpFlows(10))))
        await asyncio.sleep(0.3)
        night[0] = True
        made.resume()
        await asyncio.sleep(0.4)
        assert not server.request_counts
        progress = await running
    assert progress.counts.accepted == 10
    assert set(server.accepted.values()) == {1}


async def test_a_run_that_died_at_its_first_messages_can_be_settled(server: ListingServer, tmp_path: Any) -> None:
    """Where its messages go is in the ledger before the first of them: the next run knows where to ask."""
    async with SqliteLedger(tmp_path / "run.sqlite") as ledger, client(server) as routee:
        running = asyncio.create_task(sender(routee, ledger).run(rows_of(OtpFlows(40))))
        await until(lambda: server.accepted)
        running.cancel()
        await asyncio.wait([running])
        assert await ledger.get_document("endpoint") == {"endpoint": "otp"}
    server.next_fault = lambda: NO_FAULT
    async with SqliteLedger(tmp_path / "run.sqlite") as ledger:
        progress = await run(server, ledger, OtpFlows(40))
    assert progress.counts.accepted == 40
    assert set(server.accepted.values()) == {1}
