"""A run that is paused, stopped, cancelled or loses its ledger loses no message and sends none twice."""

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


async def test_stopped_run_waits_for_responses_and_the_next_one_resumes(server: ListingServer) -> None:
    """After `stop` no new message is sent, those in flight get their responses, and the next run sends the rest."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            bulk_sender = sender(routee, ledger)
            task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(300))))
            await until(lambda: len(server.accepted) >= 40)
            bulk_sender.stop()
            progress = await task
        sent = len(server.accepted)
        assert 40 <= sent < 300
        assert progress.counts.accepted == sent
        assert progress.counts.sending == progress.counts.unknown == 0
        progress = await run(server, ledger, OtpFlows(300))
    assert progress.counts.accepted == 300
    assert set(server.accepted.values()) == {1}


async def test_paused_run_sends_nothing_until_resumed(server: ListingServer) -> None:
    """While a run is paused no message is sent; afterwards all of them are, though their leases have expired."""
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, lease=timedelta(milliseconds=50))
        bulk_sender.pause("the office is closed")
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(30))))
        await until(lambda: bulk_sender.progress.phase is Phase.PAUSED and bulk_sender.progress.read)
        await asyncio.sleep(0.2)
        assert (bulk_sender.progress.pause_reason, len(server.request_counts)) == ("the office is closed", 0)
        bulk_sender.resume()
        progress = await task
    assert progress.counts.accepted == 30
    assert set(server.accepted.values()) == {1}


async def test_exhausted_error_budget_pauses_the_run(server: ListingServer) -> None:
    """Once the error budget is exhausted the run pauses, and then resumes."""
    faults = itertools.chain([ERROR_STATUSES[400]] * 10, itertools.repeat(NO_FAULT))
    server.next_fault = lambda: next(faults)
    budget = ErrorBudget(max_failure_share=0.5, sample_size=10, min_messages=10, pause=timedelta(seconds=0.3))
    pauses: list[str] = []
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, error_budget=budget, concurrency=1)
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(40))))
        await until(lambda: bulk_sender.progress.pause_reason)
        pauses.append(str(bulk_sender.progress.pause_reason))
        assert len(server.request_counts) == 10
        progress = await task
    assert "10 of the last 10 messages failed" in pauses[0]
    assert (progress.counts.rejected, progress.counts.accepted) == (10, 30)


async def test_run_without_accepted_messages_stops_after_the_stall_timeout(server: ListingServer) -> None:
    """If nothing is accepted during the stall timeout, the run stops, with the reason."""
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


async def test_deferred_messages_are_sent_once_their_window_opens(server: ListingServer) -> None:
    """A recipient whose window is closed is written to once it opens, and no other recipient waits for that."""
    opening = datetime.now(UTC) + timedelta(seconds=0.5)
    deferred_numbers = {number(2), number(4)}

    class Window(SendWindow):
        def opens_at(self, number: str, now: datetime) -> datetime | None:
            return opening if number in deferred_numbers and now < opening else None

    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, send_window=Window(start=time(9), end=time(20)))
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(5))))
        await until(lambda: len(server.accepted) == 3)
        assert bulk_sender.progress.deferred == 2
        progress = await task
    assert progress.counts.accepted == 5
    assert server.arrivals.keys() >= deferred_numbers
    assert max(server.arrivals[number(1)]) < min(min(server.arrivals[to]) for to in deferred_numbers)


async def test_number_whose_window_never_opens_is_invalid(server: ListingServer) -> None:
    """A Russian mobile in a window that its zones do not share is reported, not sent; another run may have another."""
    flows = [otp("+79161234567"), otp(number(1)), otp("+881612345678")]
    reported: list[str] = []
    async with MemoryLedger() as ledger:
        progress = await run(
            server,
            ledger,
            [flows[0], flows[2]],
            send_window=SendWindow.parse("09:00-13:00"),
            on_invalid_row=lambda line, to, problems: reported.append(f"{line} {to} {problems[0]}"),
        )
        assert (progress.counts.invalid, progress.deferred, server.accepted) == (2, 0, {})
        assert all("no hour of the window in common" in line and "****" in line for line in reported)
        progress = await run(server, ledger, flows, send_window=None)
    assert (progress.counts.accepted, progress.counts.invalid) == (3, 0)


async def test_deadline_before_sending_expires_the_message(server: ListingServer) -> None:
    """A message past its deadline is not sent, also not by the next run."""
    flows = [new_call(), new_call()]
    await server.hold()
    async with MemoryLedger() as ledger:
        async with client(server, total_timeout=timedelta(seconds=20)) as routee:
            bulk_sender = sender(routee, ledger, deadline=timedelta(seconds=0.2))
            progress = await bulk_sender.run(rows_of(flows))
        assert progress.counts.expired == 2
        await server.release()
        repeated = await run(server, ledger, flows)
    assert (repeated.counts.expired, repeated.skipped) == (2, 2)
    assert not server.request_counts


class FullLedger(MemoryLedger):
    """A ledger whose disk is full after a number of claims."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.failed = False

    def record(self, transition: Transition, details: TransitionDetails) -> None:
        """Discard the record once the ledger has failed."""
        if not self.failed:
            super().record(transition, details)

    async def claim(self, requests: Sequence[ClaimRequest], *, lease: float) -> list[ClaimResult]:
        """Claim while there is capacity."""
        self.capacity -= len(requests)
        if self.capacity < 0:
            self.failed = True
            raise LedgerError("the ledger cannot be written: the disk is full; nothing more is sent")
        return await super().claim(requests, lease=lease)


async def test_ledger_failure_stops_the_run(server: ListingServer) -> None:
    """Without a ledger entry nothing is sent, and no message is sent whose outcome could not be recorded."""
    async with FullLedger(capacity=40) as ledger:
        with pytest.raises(LedgerError, match="disk is full"):
            await run(server, ledger, OtpFlows(100), concurrency=16)
        counts = await ledger.counts()
    await server.drained()
    assert counts.total <= 40
    in_flight = len(server.accepted) - counts.accepted
    assert 0 <= in_flight <= 16
    assert len(server.accepted) < 40


async def test_source_error_is_raised_after_the_rows_before_it_are_sent(server: ListingServer) -> None:
    """An error of the caller's own iterable is raised unchanged, once everything in flight has finished."""

    class Broken:
        def __iter__(self) -> Iterator[AnyFlow]:
            yield from (otp(number(index)) for index in range(1, 301))
            raise ZeroDivisionError

    async with MemoryLedger() as ledger:
        with pytest.raises(ZeroDivisionError):
            await run(server, ledger, Broken())
        counts = await ledger.counts()
    assert counts.sending == 0
    assert counts.accepted == len(server.accepted)


async def test_cancelled_run_leaves_messages_in_flight_unknown(server: ListingServer) -> None:
    """Messages in flight are UNKNOWN, the rest is NEW, and the next run sends it."""
    async with MemoryLedger() as ledger:
        async with client(server) as routee:
            bulk_sender = sender(routee, ledger)
            task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(100))))
            await until(lambda: len(server.accepted) >= 10)
            await server.hold()
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            counts = await ledger.counts()
            assert counts.sending == 0
            assert counts.unknown > 0
            await server.release()
        progress = await run(server, ledger, OtpFlows(100))
    assert progress.counts.accepted == 100
    assert set(server.accepted.values()) == {1}


async def test_slow_async_source_does_not_delay_its_first_rows(server: ListingServer) -> None:
    """An async source that yields one row now and the next one later does not delay the first one."""
    more = asyncio.Event()

    async def trickle() -> AsyncIterator[AnyFlow]:
        yield otp(number(1))
        await more.wait()
        yield otp(number(2))

    # A row whose send times out waits for the next pass, and this source ends only after its first message: hence 20 s.
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        task = asyncio.create_task(sender(routee, ledger).run(rows_of(trickle())))
        await until(lambda: server.accepted)
        more.set()
        progress = await task
    assert progress.counts.accepted == 2


async def test_concurrency_limits_messages_in_flight(server: ListingServer) -> None:
    """With a concurrency of three, a server that does not respond has read no more than three messages."""
    await server.hold()
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=20)) as routee:
        task = asyncio.create_task(sender(routee, ledger, concurrency=3).run(rows_of(OtpFlows(20))))
        await until(lambda: server.token_requests)
        await server.release()
        await until(lambda: server.accepted)
        await server.hold()
        await asyncio.sleep(0.2)
        read = sum(server.request_counts.values())
        accepted = (await ledger.counts()).accepted
        await server.release()
        progress = await task
    assert read - accepted <= 3
    assert progress.counts.accepted == 20


async def test_rate_limit_spreads_messages_over_time(server: ListingServer) -> None:
    """Ten messages at 20 per second take nearly half a second, whatever the concurrency."""
    async with MemoryLedger() as ledger:
        started = asyncio.get_running_loop().time()  # not the first arrival: a busy server sees that one late
        await run(server, ledger, OtpFlows(10), rate=20.0)
    assert max(at for times in server.arrivals.values() for at in times) - started > 0.4


async def test_progress_has_messages_in_flight_and_no_rate_while_paused(server: ListingServer) -> None:
    """Messages that are claimed ahead are not in flight, and a paused run has neither a rate nor a time left."""
    async with MemoryLedger() as ledger, client(server, total_timeout=timedelta(seconds=30)) as routee:
        bulk_sender = sender(routee, ledger, rate=60.0)
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(200)), total=200))
        await until(lambda: bulk_sender.progress.rate > 0)
        assert bulk_sender.progress.seconds_left is not None
        assert bulk_sender.progress.in_flight <= 8
        bulk_sender.pause()
        await until(lambda: bulk_sender.progress.rate == 0)
        progress = bulk_sender.progress
        assert (progress.phase, progress.seconds_left, progress.in_flight) == (Phase.PAUSED, None, 0)
        assert (await ledger.counts()).sending > 0
        bulk_sender.stop()
        assert (await task).in_flight == 0
