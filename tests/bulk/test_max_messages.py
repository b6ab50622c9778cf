"""Message limit: Routee never has more messages than the limit, whatever fails, and a higher limit sends the rest."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import InvalidConfig
from routee_failover.bulk import BulkSettings
from routee_failover.ledger import MemoryLedger
from tests.chaos.bulk.listing_server import ListingServer, random_faults
from tests.chaos.faults import ERROR_STATUSES, NO_FAULT

from .helpers import KEEP, RESEND, OtpFlows, invalid_row, number, row, run
from .test_reconcile_scheduler import LOST_REQUEST, LOST_RESPONSE, faults_in_order


@pytest.mark.parametrize("settings", [{"concurrency": 100}, {"concurrency": 3}, {"concurrency": 50, "rate": 400.0}])
async def test_exactly_the_limit_is_sent_at_any_concurrency_and_rate(
    server: ListingServer, settings: dict[str, Any]
) -> None:
    """The server accepts exactly that number of messages, and the final progress says why the rest waits."""
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(300), max_messages=130, **settings)
        assert sum(server.accepted.values()) == progress.counts.accepted == 130
        assert (progress.pause_reason, progress.limit_reached) == ("the limit of 130 messages is reached", True)
        repeated = await run(server, ledger, OtpFlows(300), max_messages=130, **settings)
        assert sum(server.accepted.values()) == 130
        assert repeated.limit_reached
        higher = await run(server, ledger, OtpFlows(300), max_messages=131)
        assert (sum(server.accepted.values()), higher.limit_reached) == (131, True)
        unlimited = await run(server, ledger, OtpFlows(300))
    assert (sum(server.accepted.values()), max(server.accepted.values()), unlimited.limit_reached) == (300, 1, False)


async def test_limit_that_holds_back_no_row_is_not_reported(server: ListingServer) -> None:
    """If every row is sent, or the rows beyond the limit are only invalid or duplicates, the run is done."""
    rows = [row(1, 1), row(2, 2), row(3, 2), row(4, 3), invalid_row(5), row(6, 1)]
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, rows, max_messages=3)
    assert (progress.counts.accepted, progress.duplicates, progress.counts.invalid) == (3, 2, 1)
    assert (progress.pause_reason, progress.limit_reached) == (None, False)


async def test_unknown_message_counts_until_it_is_proven_absent(server: ListingServer) -> None:
    """A message of unknown outcome counts; once it is proven not to be accepted, another is sent."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_RESPONSE, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger:
        kept = await run(server, ledger, OtpFlows(20), concurrency=1, max_messages=5, on_unknown=KEEP)
        assert (kept.counts.accepted, kept.counts.unknown, sum(server.accepted.values())) == (3, 2, 4)
        progress = await run(server, ledger, OtpFlows(20), max_messages=5)
    assert (progress.counts.accepted, sum(server.accepted.values()), progress.limit_reached) == (5, 5, True)


async def test_rejected_messages_count(server: ListingServer) -> None:
    """A message that Routee has rejected was sent, and counts."""
    server.faults_by_recipient = {number(index): ERROR_STATUSES[404] for index in range(1, 4)}
    async with MemoryLedger() as ledger:
        progress = await run(server, ledger, OtpFlows(20), max_messages=5)
    assert (progress.counts.rejected + progress.counts.accepted, sum(server.accepted.values())) == (5, 2)


@pytest.mark.parametrize("seed", range(4))
async def test_limit_holds_among_random_faults_and_cancelled_runs(server: ListingServer, seed: int) -> None:
    """Among faults of every kind, with runs that are cancelled, the server never has more than the limit."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, OtpFlows(400), max_messages=5)  # canaries for the searches
        server.next_fault = random_faults(seed, 0.3)
        for _ in range(4):
            task = asyncio.ensure_future(
                run(server, ledger, OtpFlows(400), max_messages=150, concurrency=60, lease=timedelta(milliseconds=80))
            )
            await asyncio.wait([task], timeout=0.4)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert sum(server.accepted.values()) <= 150
        server.next_fault = lambda: NO_FAULT
        progress = await run(server, ledger, OtpFlows(400), max_messages=150)
        counts = progress.counts
    assert sum(server.accepted.values()) <= 150
    assert max(server.accepted.values(), default=1) == 1  # a slow machine may have sent none before the cancellation
    assert counts.accepted + counts.rejected + counts.unknown == 150


def test_invalid_limits_and_resend_are_refused() -> None:
    """A limit is a positive integer, and cannot be combined with a policy that may send a message twice."""
    for wrong in (0, -1, 1.5, True):
        with pytest.raises(InvalidConfig):
            BulkSettings(max_messages=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig, match="max_messages cannot be combined with on_unknown resend"):
        BulkSettings(max_messages=5, on_unknown=RESEND)
