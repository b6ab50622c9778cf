"""What holds a run that says nothing of the message at hand: an account that is refused, an outage, a client closed."""

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
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again soon whether the account is well."""
    monkeypatch.setattr("routee_failover.bulk.sender._ACCOUNT_PROBE_INTERVAL", 0.05)
    monkeypatch.setattr("routee_failover.bulk.row_sender._OUTAGE_PAUSE", 0.05)


def _while(holds: Callable[[], bool], fault: Fault) -> Callable[[], Fault]:
    return lambda: fault if holds() else NO_FAULT


@pytest.mark.parametrize("status", [401, 403])
async def test_an_account_that_is_refused_holds_the_run(server: ListingServer, status: int) -> None:
    """Where everything is refused for who we are, nobody is REJECTED for it; once it is mended, all are written to."""
    refused = [True]
    server.next_fault = _while(lambda: refused[0], ERROR_STATUSES[status])
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger)
        running = asyncio.create_task(made.run(rows_of(OtpFlows(30))))
        await until(lambda: made.progress.phase is Phase.PAUSED)
        refused[0] = False
        progress = await running
    assert (progress.counts.accepted, progress.counts.rejected) == (30, 0)
    assert set(server.accepted.values()) == {1}


async def test_one_message_that_is_forbidden_is_rejected_in_the_end(server: ListingServer) -> None:
    """A 403 that only one message gets is about that message: it is tried three times, and holds nobody up."""
    forbidden = number(3)
    server.faults_by_recipient[forbidden] = ERROR_STATUSES[403]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(10))
        (rejected,) = [intent async for intent in ledger.entries() if intent.state == "REJECTED"]
    assert (progress.counts.accepted, rejected.recipient, rejected.attempt) == (9, forbidden, 3)


async def test_an_outage_is_waited_out(server: ListingServer) -> None:
    """While the client's breaker is open the run rests, and nothing is counted against any message."""
    down = [True]
    server.next_fault = _while(
        lambda: down[0], Fault("503", accepts=False, response=fixed_response(http("503 Service Unavailable")))
    )
    async with MemoryLedger() as ledger:
        async with RouteeClient(server.config(circuit_breaker=True, total_timeout=timedelta(seconds=1))) as routee:
            made = sender(routee, ledger, add_labels=True)
            running = asyncio.create_task(made.run(rows_of(OtpFlows(60))))
            await until(lambda: "circuit breaker is open" in str(made.progress.pause_reason))
            down[0] = False
            await running
        counts = await ledger.counts()
    assert counts.accepted + counts.unknown + counts.new == 60
    assert counts.rejected == 0


async def test_a_client_that_is_closed_ends_the_run(server: ListingServer) -> None:
    """Nothing can be sent any more: what is left stays for the next run."""
    async with MemoryLedger() as ledger:
        routee = client(server)
        async with routee:
            running = asyncio.create_task(sender(routee, ledger).run(rows_of(OtpFlows(500))))
            await until(lambda: len(server.accepted) > 20)
        progress = await running
    assert "closed" in str(progress.pause_reason)
    assert progress.counts.accepted < 500
    assert progress.counts.rejected == 0


async def test_a_balance_that_does_not_rise_ends_the_run(server: ListingServer) -> None:
    """Where the account stays empty, the run stops when its patience is over, and says what it waited for."""
    server.next_fault = lambda: FAILED_FLOW
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(20), stall_timeout=timedelta(seconds=0.4))
    assert "cannot pay" in str(progress.pause_reason)
    assert (progress.counts.rejected, progress.counts.new) == (0, 20)


async def test_a_pause_of_the_user_has_no_end_but_theirs(server: ListingServer) -> None:
    """A run that somebody has paused does not lose its patience."""
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, stall_timeout=timedelta(seconds=0.1))
        made.pause()
        running = asyncio.create_task(made.run(rows_of(OtpFlows(3))))
        await asyncio.sleep(1.2)
        assert not running.done()
        made.resume()
        progress = await running
    assert progress.counts.accepted == 3


async def test_after_a_pause_the_rate_is_kept(server: ListingServer) -> None:
    """Those who waited together do not all leave at once."""
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger, rate=50.0)
        made.pause()
        running = asyncio.create_task(made.run(rows_of(OtpFlows(20))))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        made.resume()
        await running
    arrivals = sorted(at for times in server.arrivals.values() for at in times)
    assert arrivals[-1] - began > 0.25


async def test_a_sender_runs_once(server: ListingServer) -> None:
    """A second run with the same object is refused: its counts and its brakes are those of the first."""
    async with MemoryLedger() as ledger, client(server) as routee:
        made = sender(routee, ledger)
        await made.run(rows_of(OtpFlows(1)))
        with pytest.raises(InvalidConfig, match="runs once"):
            await made.run(rows_of(OtpFlows(1)))


def test_a_budget_counts_the_last_messages_alone() -> None:
    """What is older than the window counts no more, and each pause is longer until most is accepted again."""
    spending = ErrorBudgetTracker(
        ErrorBudget(max_failure_share=0.5, sample_size=4, min_messages=4, pause=timedelta(seconds=1))
    )
    assert [spending.record(failed=failed) for failed in (True, True, False, False, True, True)] == [False] * 6
    assert spending.record(failed=True)
    assert spending.start_pause() == (1.0, 3, 4)
    assert [spending.record(failed=True) for _ in range(4)] == [False, False, False, True]
    assert spending.start_pause() == (2.0, 4, 4)
    for _ in range(4):
        assert not spending.record(failed=False)
    assert spending.start_pause()[0] == 1.0


async def test_brakes_hold_for_several_reasons() -> None:
    """A run goes on once the last reason is gone; `stop` ends every wait."""
    brakes = RunControl()
    brakes.pause("one", "first")
    brakes.pause("two", "second")
    waiting = asyncio.create_task(brakes.wait_until_allowed())
    brakes.resume("one")
    brakes.resume("unknown")
    await asyncio.sleep(0)
    assert (brakes.pause_reason, brakes.may_send, waiting.done()) == ("second", False, False)
    brakes.stop("over")
    assert await waiting is False
    brakes.stop("later")
    assert brakes.stop_reason == "over"


def test_patience_is_renewed_by_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is spent in waiting counts, all of it together, and anew after a message was accepted."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    patience = StallTimer(10.0)
    for moment, waits in ((6.0, True), (100.0, False), (103.0, True)):
        now[0] = moment
        patience.update(waiting=waits)
        assert not patience.expired
    now[0] = 104.0
    patience.update(waiting=True)
    assert patience.expired
    patience.reset()
    assert not patience.expired
