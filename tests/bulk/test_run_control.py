"""Pauses that concern no single message: a refused account, an outage, a closed client, the user, the error budget."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from routee_failover import InvalidConfig, RouteeClient
from routee_failover.bulk import ErrorBudget, Phase, rows_of
from routee_failover.bulk.run_control import ErrorBudgetTracker, RunControl, StallTimer
from routee_failover.ledger import MemoryLedger
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import ERROR_STATUSES, FAILED_FLOW, NO_FAULT, Fault, fixed_response, http
from tests.client.fake_routee import until

from .helpers import OtpFlows, client, number, run, sender


@pytest.fixture(autouse=True)
def fast_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens the intervals of account probes and outage pauses."""
    monkeypatch.setattr("routee_failover.bulk.sender._ACCOUNT_PROBE_INTERVAL", 0.05)
    monkeypatch.setattr("routee_failover.bulk.message_sender._OUTAGE_PAUSE", 0.05)


def _while(is_active: Callable[[], bool], fault: Fault) -> Callable[[], Fault]:
    return lambda: fault if is_active() else NO_FAULT


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_account_pauses_the_run_and_rejects_no_message(server: ListingServer, status: int) -> None:
    """While the account is refused no message is REJECTED for it; once it has access again, all are sent."""
    is_refused = [True]
    server.next_fault = _while(lambda: is_refused[0], ERROR_STATUSES[status])
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger)
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(30))))
        await until(lambda: bulk_sender.progress.phase is Phase.PAUSED)
        is_refused[0] = False
        progress = await task
    assert (progress.counts.accepted, progress.counts.rejected) == (30, 0)
    assert set(server.accepted.values()) == {1}


async def test_single_forbidden_message_is_rejected_after_three_attempts(server: ListingServer) -> None:
    """A 403 that only one message gets is about that message: it is attempted three times, and delays no other."""
    forbidden = number(3)
    server.faults_by_recipient[forbidden] = ERROR_STATUSES[403]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10))
        (rejected,) = [entry async for entry in ledger.entries() if entry.state == "REJECTED"]
    assert (progress.counts.accepted, rejected.recipient, rejected.attempt) == (9, forbidden, 3)


async def test_open_circuit_breaker_pauses_the_run(server: ListingServer) -> None:
    """While the client's circuit breaker is open the run pauses, and no message is charged for it."""
    is_down = [True]
    server.next_fault = _while(
        lambda: is_down[0], Fault("503", accepts=False, response=fixed_response(http("503 Service Unavailable")))
    )
    async with MemoryLedger() as ledger:
        async with RouteeClient(server.config(circuit_breaker=True, total_timeout=timedelta(seconds=1))) as routee:
            bulk_sender = sender(routee, ledger, add_labels=True)
            task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(60))))
            await until(lambda: "circuit breaker is open" in str(bulk_sender.progress.pause_reason))
            is_down[0] = False
            await task
        counts = await ledger.counts()
    assert counts.accepted + counts.unknown + counts.new == 60
    assert counts.rejected == 0


async def test_closed_client_stops_the_run(server: ListingServer) -> None:
    """Nothing can be sent any more: the remaining messages are left for the next run."""
    async with MemoryLedger() as ledger:
        routee = client(server)
        async with routee:
            task = asyncio.create_task(sender(routee, ledger).run(rows_of(OtpFlows(500))))
            await until(lambda: len(server.accepted) > 20)
        progress = await task
    assert "closed" in str(progress.pause_reason)
    assert progress.counts.accepted < 500
    assert progress.counts.rejected == 0


async def test_account_without_balance_stops_the_run_after_the_stall_timeout(server: ListingServer) -> None:
    """If the account stays empty, the run stops after its stall timeout, and names what it waited for."""
    server.next_fault = lambda: FAILED_FLOW
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(20), stall_timeout=timedelta(seconds=0.4))
    assert "cannot pay" in str(progress.pause_reason)
    assert (progress.counts.rejected, progress.counts.new) == (0, 20)


async def test_stall_timeout_does_not_apply_to_a_pause_by_the_user(server: ListingServer) -> None:
    """A run that the user has paused stays paused until the user resumes it."""
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, stall_timeout=timedelta(seconds=0.1))
        bulk_sender.pause()
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(3))))
        await asyncio.sleep(1.2)
        assert not task.done()
        bulk_sender.resume()
        progress = await task
    assert progress.counts.accepted == 3


async def test_rate_limit_holds_after_a_pause(server: ListingServer) -> None:
    """Workers that waited together do not all send at once."""
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger, rate=50.0)
        bulk_sender.pause()
        task = asyncio.create_task(bulk_sender.run(rows_of(OtpFlows(20))))
        await asyncio.sleep(0.3)
        started_at = time.monotonic()
        bulk_sender.resume()
        await task
    arrivals = sorted(at for times in server.arrivals.values() for at in times)
    assert arrivals[-1] - started_at > 0.25


async def test_second_run_of_a_sender_is_refused(server: ListingServer) -> None:
    """A second run with the same object is refused: its counters and its run control belong to the first."""
    async with MemoryLedger() as ledger, client(server) as routee:
        bulk_sender = sender(routee, ledger)
        await bulk_sender.run(rows_of(OtpFlows(1)))
        with pytest.raises(InvalidConfig, match="runs once"):
            await bulk_sender.run(rows_of(OtpFlows(1)))


def test_error_budget_counts_recent_messages_and_doubles_its_pause() -> None:
    """Results older than the sample do not count, and each pause is longer until messages are accepted again."""
    tracker = ErrorBudgetTracker(
        ErrorBudget(max_failure_share=0.5, sample_size=4, min_messages=4, pause=timedelta(seconds=1))
    )
    assert [tracker.record(failed=failed) for failed in (True, True, False, False, True, True)] == [False] * 6
    assert tracker.record(failed=True)
    assert tracker.start_pause() == (1.0, 3, 4)
    assert [tracker.record(failed=True) for _ in range(4)] == [False, False, False, True]
    assert tracker.start_pause() == (2.0, 4, 4)
    for _ in range(4):
        assert not tracker.record(failed=False)
    assert tracker.start_pause()[0] == 1.0


async def test_run_resumes_when_its_last_pause_reason_is_removed() -> None:
    """A run resumes once no pause reason is left; `stop` ends every wait."""
    control = RunControl()
    control.pause("one", "first")
    control.pause("two", "second")
    waiting = asyncio.create_task(control.wait_until_allowed())
    control.resume("one")
    control.resume("unknown")
    await asyncio.sleep(0)
    assert (control.pause_reason, control.may_send, waiting.done()) == ("second", False, False)
    control.stop("over")
    assert await waiting is False
    control.stop("later")
    assert control.stop_reason == "over"


def test_stall_timer_sums_waiting_time_and_is_reset_by_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only time spent waiting counts, in total, and from zero after a message was accepted."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stall_timer = StallTimer(10.0)
    for now_value, waiting in ((6.0, True), (100.0, False), (103.0, True)):
        now[0] = now_value
        stall_timer.update(waiting=waiting)
        assert not stall_timer.expired
    now[0] = 104.0
    stall_timer.update(waiting=True)
    assert stall_timer.expired
    stall_timer.reset()
    assert not stall_timer.expired
