"""Who holds a run, stops it or takes its ledger away loses nothing and sends nothing twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta

import pytest

from routee_failover import AnyFlow, LedgerError
from routee_failover.bulk import ErrorBudget, Phase, SendWindow, rows_of
from routee_failover.ledger import ClaimRequest, ClaimResult, MemoryLedger, Transition, TransitionDetails
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import ERROR_STATUSES, NO_FAULT
from tests.chaos.sample_flows import new_call, otp
from tests.client.fake_routee import until

from .helpers import OtpFlows, client, number, run, sender


async def test_a_stopped_run_drains_and_the_next_one_goes_on(server: ListingServer) -> None:
    """After `stop` nothing more begins, what has left gets its answer, and the next run sends the rest."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            made = sender(routee, ledger)
            running = asyncio.create_task(made.run(rows_of(OtpFlows(300))))
            await until(lambda: len(server.accepted) >= 40)
            made.stop()
            progress = await running
        sent = len(server.accepted)
        assert 40 <= sent < 300
        assert progress.counts.accepted == sent
        assert progress.counts.sending == progress.counts.unknown == 0
        progress = await run(server, ledger, OtpFlows(300))
    assert progress.counts.accepted == 300
    assert set(server.accepted.values()) == {1}


async def test_a_paused_run_begins_nothing_until_it_goes_on(server: ListingServer) -> None:
    """While a run is paused no message leaves; afterwards all of them do, though their leases have run out."""
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, lease=timedelta(milliseconds=50))
        made.pause("the office is closed")
        running = asyncio.create_task(made.run(rows_of(OtpFlows(30))))
        await until(lambda: made.progress.phase is Phase.PAUSED and made.progress.read)
        await asyncio.sleep(0.2)
        assert (made.progress.pause_reason, len(server.request_counts)) == ("the office is closed", 0)
        made.resume()
        progress = await running
    assert progress.counts.accepted == 30
    assert set(server.accepted.values()) == {1}


async def test_too_many_failures_pause_the_run(server: ListingServer) -> None:
    """Once the budget is spent the run rests, and then goes on where it was."""
    refusing = itertools.chain([ERROR_STATUSES[400]] * 10, itertools.repeat(NO_FAULT))
    server.next_fault = lambda: next(refusing)
    budget = ErrorBudget(max_failure_share=0.5, sample_size=10, min_messages=10, pause=timedelta(seconds=0.3))
    pauses: list[str] = []
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, error_budget=budget, concurrency=1)
        running = asyncio.create_task(made.run(rows_of(OtpFlows(40))))
        await until(lambda: made.progress.pause_reason)
        pauses.append(str(made.progress.pause_reason))
        assert len(server.request_counts) == 10
        progress = await running
    assert "10 of the last 10 messages failed" in pauses[0]
    assert (progress.counts.rejected, progress.counts.accepted) == (10, 30)


async def test_a_run_that_gets_nowhere_stops_by_itself(server: ListingServer) -> None:
    """Where nothing is accepted for as long as the patience lasts, the run ends, and says why."""
    server.next_fault = lambda: ERROR_STATUSES[400]
    budget = ErrorBudget(max_failure_share=0.1, sample_size=10, min_messages=5, pause=timedelta(seconds=5))
    async with MemoryLedger() as ledger:
        progress = await run(
            server, ledger, OtpFlows(500), error_budget=budget, stall_timeout=timedelta(milliseconds=200)
        )
    assert progress.phase is Phase.DONE
    assert "no message was accepted" in str(progress.pause_reason)
    assert progress.counts.rejected < 100
    assert progress.counts.sending == 0


async def test_quiet_hours_wait_for_their_end(server: ListingServer) -> None:
    """A recipient whose hours have not begun is written to once they have, and nobody else waits for that."""
    opens = datetime.now(UTC) + timedelta(seconds=0.5)
    late = {number(2), number(4)}

    class Window(SendWindow):
        def opens(self, number: str, now: datetime) -> datetime | None:
            return opens if number in late and now < opens else None

    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, send_window=Window(start=time(9), end=time(20)))
        running = asyncio.create_task(made.run(rows_of(OtpFlows(5))))
        await until(lambda: len(server.accepted) == 3)
        assert made.progress.deferred == 2
        progress = await running
    assert progress.counts.accepted == 5
    assert server.arrivals.keys() >= late
    assert max(server.arrivals[number(1)]) < min(min(server.arrivals[to]) for to in late)


async def test_a_number_that_no_hour_is_fine_for_is_invalid_until_the_hours_say_more(server: ListingServer) -> None:
    """A Russian mobile in a window that its zones do not share is told and not sent; another run may have others."""
    calls = [otp("+79161234567"), otp(number(1)), otp("+881612345678")]
    told: list[str] = []
    async with MemoryLedger() as ledger:
        progress = await run(
            server,
            ledger,
            [calls[0], calls[2]],
            send_window=SendWindow.parse("09:00-13:00"),
            on_invalid_row=lambda line, to, problems: told.append(f"{line} {to} {problems[0]}"),
        )
        assert (progress.counts.invalid, progress.deferred, server.accepted) == (2, 0, {})
        assert all("no hour of the window in common" in line and "****" in line for line in told)
        progress = await run(server, ledger, calls, send_window=None)
    assert (progress.counts.accepted, progress.counts.invalid) == (3, 0)


async def test_a_deadline_that_passes_before_the_wire_expires_the_message(server: ListingServer) -> None:
    """What is worth nothing any more is not sent, by the next run neither."""
    calls = [new_call(), new_call()]
    await server.hold()
    async with MemoryLedger() as ledger:
        async with client(server, total_timeout=timedelta(seconds=20)) as routee:
            made = sender(routee, ledger, deadline=timedelta(seconds=0.2))
            progress = await made.run(rows_of(calls))
        assert progress.counts.expired == 2
        await server.release()
        again = await run(server, ledger, calls)
    assert (again.counts.expired, again.skipped) == (2, 2)
    assert not server.request_counts


class FullLedger(MemoryLedger):
    """A ledger whose disk is full after so many claims."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.failed = False

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """What is told once it has failed is told to nobody."""
        if not self.failed:
            super().record(transition, details)

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Claim while there is room."""
        self.room -= len(requests)
        if self.room < 0:
            self.failed = True
            raise LedgerError("the ledger cannot be written: the disk is full; nothing more is sent")
        return await super().claim(requests, lease=lease)


async def test_a_ledger_that_fails_ends_the_run(server: ListingServer) -> None:
    """Without an intent nothing is sent, and nothing more leaves whose outcome could not be kept."""
    async with FullLedger(room=40) as ledger:
        with pytest.raises(LedgerError, match="disk is full"):
            await run(server, ledger, OtpFlows(100), concurrency=16)
        counts = await ledger.counts()
    await server.drained()
    assert counts.total <= 40
    under_way = len(server.accepted) - counts.accepted
    assert 0 <= under_way <= 16
    assert len(server.accepted) < 40


async def test_a_source_that_fails_ends_the_run_after_what_was_drawn(server: ListingServer) -> None:
    """An error of the caller's own iterable is raised as it is, once everything that was begun has ended."""

    class Broken:
        def __iter__(self) -> Iterator[AnyFlow]:
            yield from (otp(number(place)) for place in range(1, 301))
            raise ZeroDivisionError

    async with MemoryLedger() as ledger:
        with pytest.raises(ZeroDivisionError):
            await run(server, ledger, Broken())
        counts = await ledger.counts()
    assert counts.sending == 0
    assert counts.accepted == len(server.accepted)


async def test_a_cancelled_run_leaves_what_was_under_way_in_doubt(server: ListingServer) -> None:
    """Who cancels the run gets no answers any more: those are UNKNOWN, the rest is NEW, and the next run sends it."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            made = sender(routee, ledger)
            running = asyncio.create_task(made.run(rows_of(OtpFlows(100))))
            await until(lambda: len(server.accepted) >= 10)
            await server.hold()
            await asyncio.sleep(0.1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            counts = await ledger.counts()
            assert counts.sending == 0
            assert counts.unknown > 0
            await server.release()
        progress = await run(server, ledger, OtpFlows(100))
    assert progress.counts.accepted == 100
    assert set(server.accepted.values()) == {1}


async def test_rows_that_trickle_in_are_sent_as_they_come(server: ListingServer) -> None:
    """An async source that has one row now and the next one later does not hold the first one up."""
    more = asyncio.Event()

    async def trickle() -> AsyncIterator[AnyFlow]:
        yield otp(number(1))
        await more.wait()
        yield otp(number(2))

    async with MemoryLedger() as ledger, client(server) as routee:
        running = asyncio.create_task(sender(routee, ledger).run(rows_of(trickle())))
        await until(lambda: server.accepted)
        more.set()
        progress = await running
    assert progress.counts.accepted == 2


async def test_no_more_than_the_concurrency_are_under_way(server: ListingServer) -> None:
    """With three at once, a server that answers nobody has read three messages and no more."""
    await server.hold()
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        running = asyncio.create_task(sender(routee, ledger, concurrency=3).run(rows_of(OtpFlows(20))))
        await until(lambda: server.token_requests)
        await server.release()
        await until(lambda: server.accepted)
        await server.hold()
        await asyncio.sleep(0.2)
        read = sum(server.request_counts.values())
        taken = (await ledger.counts()).accepted
        await server.release()
        progress = await running
    assert read - taken <= 3
    assert progress.counts.accepted == 20


async def test_the_rate_is_kept(server: ListingServer) -> None:
    """Ten messages at 20 a second take nearly half a second, however many may be under way."""
    async with MemoryLedger() as ledger:
        started = asyncio.get_running_loop().time()  # not the first arrival: a busy server sees that one late
        await run(server, ledger, OtpFlows(10), rate=20.0)
    assert max(at for times in server.arrivals.values() for at in times) - started > 0.4


async def test_progress_tells_what_is_in_flight_and_no_rate_while_paused(server: ListingServer) -> None:
    """What is claimed ahead is not in flight, and a run that is paused has neither a rate nor a time left."""
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=30)) as routee:
        made = sender(routee, ledger, rate=60.0)
        running = asyncio.create_task(made.run(rows_of(OtpFlows(200)), total=200))
        await until(lambda: made.progress.rate > 0)
        assert made.progress.seconds_left is not None
        assert made.progress.in_flight <= 8
        made.pause()
        await until(lambda: made.progress.rate == 0)
        progress = made.progress
        assert (progress.phase, progress.seconds_left, progress.in_flight) == (Phase.PAUSED, None, 0)
        assert (await ledger.counts()).sending > 0
        made.stop()
        assert (await running).in_flight == 0
