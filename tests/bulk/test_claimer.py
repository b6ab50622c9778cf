"""Claiming from sources that change, stall or are stopped: no row is lost, and none is sent twice."""

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


async def test_rows_on_other_lines_are_skipped_not_duplicates(server: ListingServer) -> None:
    """A line inserted at the top of the file makes no row a duplicate, and only the new row is sent."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [row(line + 1, line) for line in range(1, 9)])
        progress = await run(server, ledger, [row(line + 1, (line - 1) or 99) for line in range(1, 10)])
    assert (progress.duplicates, progress.skipped, progress.counts.accepted) == (0, 8, 9)
    assert set(server.accepted.values()) == {1}


async def test_unsent_rows_missing_from_the_source_do_not_keep_the_run_going(server: ListingServer) -> None:
    """Messages that were not sent and are no longer in the source stay NEW; the run does not wait for them."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            bulk_sender = sender(routee, ledger)
            running = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(200))))
            await until(lambda: len(server.accepted) > 20)
            bulk_sender.stop()
            await running
        unsent = (await ledger.counts()).new
        sent = [entry.recipient async for entry in ledger.entries({EntryState.ACCEPTED})]
        started_at = clock.monotonic()
        progress = await run(server, ledger, [otp(to) for to in sent], stall_timeout=timedelta(seconds=60))
    assert progress.counts.new == unsent > 0
    assert clock.monotonic() - started_at < 30
    assert set(server.accepted.values()) == {1}


async def test_valid_row_is_sent_despite_an_invalid_row_with_its_key(server: ListingServer) -> None:
    """Of two rows with one key, one of them invalid, the valid one is sent, whichever comes first."""
    invalid = attrs.evolve(row(3, 1), problems=(Problem(("pin",), "must have 4 to 10 characters"),))
    last = attrs.evolve(row(4, 2), problems=(Problem(("pin",), "must have 4 to 10 characters"),))
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, [row(2, 2), invalid, last, row(5, 1)])
    assert server.accepted == {number(1): 1, number(2): 1}
    assert (progress.counts.accepted, progress.counts.invalid, progress.duplicates) == (2, 2, 0)


async def test_stop_does_not_wait_for_a_silent_source(server: ListingServer) -> None:
    """`stop` does not wait for a source that yields nothing."""

    async def silent() -> AsyncIterator[AnyFlow]:
        yield otp(number(1))
        await asyncio.Event().wait()

    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        bulk_sender = sender(routee, ledger)
        running = asyncio.create_task(bulk_sender.run(rows_of(silent())))
        await until(lambda: server.accepted)
        bulk_sender.stop()
        async with asyncio.timeout(10):
            progress = await running
    assert progress.counts.accepted == 1


async def test_slow_run_stops_at_once_and_claims_few_messages_ahead(server: ListingServer) -> None:
    """At one message a minute few are claimed ahead, and `stop` does not wait for the next minute."""
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        bulk_sender = sender(routee, ledger, rate=1 / 60, concurrency=50)
        running = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(100))))
        await until(lambda: server.accepted)
        await asyncio.sleep(0.2)
        assert (await ledger.counts()).total <= 4
        bulk_sender.stop()
        async with asyncio.timeout(10):
            progress = await running
    assert (progress.counts.accepted, progress.counts.sending) == (1, 0)


async def test_at_most_one_and_a_half_batches_wait_to_be_sent(server: ListingServer) -> None:
    """While the server does not respond, few messages are claimed ahead: after a kill all of them are UNKNOWN."""
    await server.hold()
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        running = asyncio.create_task(sender(routee, ledger, concurrency=40).run(rows_of(OtpFlows(300))))
        await until(lambda: server.token_requests)
        await asyncio.sleep(0.2)
        claimed = (await ledger.counts()).total
        await server.release()
        progress = await running
    assert 40 < claimed <= 40 + 60
    assert progress.counts.accepted == 300


async def test_send_window_is_checked_again_after_a_pause(server: ListingServer) -> None:
    """A send window that closes while a run is paused is checked again before anything is sent."""
    is_night = [False]
    opens = datetime.now(UTC) + timedelta(seconds=1.5)

    class Window(SendWindow):
        def opens_at(self, number: str, now: datetime) -> datetime | None:
            return opens if is_night[0] and now < opens else None

    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, send_window=Window(start=time(9), end=time(20)))
        bulk_sender.pause()
        running = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(10))))
        await asyncio.sleep(0.3)
        is_night[0] = True
        bulk_sender.resume()
        await asyncio.sleep(0.4)
        assert not server.request_counts
        progress = await running
    assert progress.counts.accepted == 10
    assert set(server.accepted.values()) == {1}


async def test_run_killed_at_its_first_messages_can_be_reconciled(server: ListingServer, tmp_path: Any) -> None:
    """The endpoint is in the ledger before the first message is sent, so that the next run knows what to search."""
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
