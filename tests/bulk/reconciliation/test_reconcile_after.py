"""Default of `reconcile_after`: the time to live of the flows, within limits, as stored in the ledger."""

from datetime import timedelta

import pytest

from routee_failover import OtpFlow, OtpSmsStep, SmsStep, StandardFlow
from routee_failover.bulk import BulkReconciler, BulkSettings, rows_of
from routee_failover.bulk.reconciliation.reconcile_after import TTL_DOCUMENT_NAME, reconcile_after_for
from routee_failover.flows import AnyFlow
from routee_failover.ledger import MemoryLedger
from tests.bulk.helpers import KEEP, OtpFlows, client, number, run
from tests.bulk.test_reconcile_scheduler import LOST_REQUEST, faults_in_order
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import NO_FAULT
from tests.chaos.sample_flows import otp, viber_otp

from .helpers import ManualClock


@pytest.mark.parametrize(
    ("ttl", "expected"), [(0, 120), (1, 120), (60, 120), (61, 121), (120, 180), (240, 300), (540, 600), (86400, 600)]
)
def test_default_is_the_ttl_and_a_minute_within_limits(ttl: int, expected: int) -> None:
    """It is the time to live and a minute, but at least two minutes, since a search lags, and at most ten."""
    assert reconcile_after_for(timedelta(seconds=ttl)) == timedelta(seconds=expected)
    assert reconcile_after_for(timedelta.max) == timedelta(minutes=10)


def _sms(ttl: timedelta | None) -> StandardFlow:
    return StandardFlow(steps=[SmsStep(from_="Demo", to=number(1), message="Hello", ttl=ttl)])


@pytest.mark.parametrize(
    ("flows", "stored"),
    [
        ([otp(number(1))], 120.0),
        ([viber_otp(number(1))], 60.0),
        ([_sms(timedelta(minutes=3))], 180.0),
        ([_sms(None)], 600.0),
    ],
)
async def test_longest_ttl_of_a_flow_is_stored_before_sending(
    server: ListingServer, flows: list[AnyFlow], stored: float
) -> None:
    """The total ttl of all steps is in the ledger before the first message is sent.

    An omitted ttl is Routee's default.
    """
    async with MemoryLedger() as ledger:
        await run(server, ledger, [*rows_of(flows)])
        assert await ledger.get_document(TTL_DOCUMENT_NAME) == {"seconds": stored}


async def test_longest_ttl_of_all_runs_is_kept(server: ListingServer) -> None:
    """Of messages with different ttls, in one run or in several, the longest applies; it never gets shorter."""

    def flow_with_ttl(index: int, seconds: int) -> OtpFlow:
        return OtpFlow(steps=[OtpSmsStep(to=number(index), message="4711", ttl=timedelta(seconds=seconds))])

    async with MemoryLedger() as ledger:
        for seconds, stored in ((60, 60), (200, 200), (30, 200)):
            await run(server, ledger, [*rows_of([flow_with_ttl(seconds, seconds), flow_with_ttl(seconds + 1, 10)])])
            assert await ledger.get_document(TTL_DOCUMENT_NAME) == {"seconds": stored}


async def test_ledger_without_a_ttl_gives_ten_minutes(server: ListingServer, clock: ManualClock) -> None:
    """In a ledger of an earlier version the ttl of the messages is not known: the default is ten minutes."""
    async with MemoryLedger() as ledger:
        await ledger.put_document("endpoint", {"endpoint": "otp"})
        await run(server, ledger, OtpFlows(2))
        assert await ledger.get_document(TTL_DOCUMENT_NAME) is None
        server.next_fault = faults_in_order(LOST_REQUEST)  # type: ignore[assignment]
        await run(server, ledger, OtpFlows(3), on_unknown=KEEP)
        server.next_fault = lambda: NO_FAULT
        async with client(server) as routee:
            reconciler = BulkReconciler(routee, ledger, endpoint="otp")
            await reconciler.reconcile()
            clock.now += 599
            assert (await reconciler.reconcile()).unknown == 1


@pytest.mark.parametrize(("elapsed", "absent"), [(359.0, 0), (361.0, 1)])
async def test_otp_is_absent_after_twice_its_ttl_and_a_minute(
    server: ListingServer, clock: ManualClock, elapsed: float, absent: int
) -> None:
    """An OTP with a ttl of two minutes is unknown for three, or twice that if no later canary is found."""
    server.next_fault = faults_in_order(NO_FAULT, LOST_REQUEST)  # type: ignore[assignment]
    async with MemoryLedger() as ledger, client(server) as routee:
        await run(server, ledger, OtpFlows(2), concurrency=1, on_unknown=KEEP)
        reconciler = BulkReconciler(routee, ledger, endpoint="otp")
        await reconciler.reconcile()
        clock.now += 181
        assert (await reconciler.reconcile()).unknown == 1
        clock.now += elapsed - 181
        assert (await reconciler.reconcile()).absent == absent


def test_setting_takes_precedence_over_the_ttl() -> None:
    """A setting takes precedence over the time to live."""
    assert BulkSettings().reconcile_after is None
    assert BulkSettings(reconcile_after=timedelta(seconds=5)).reconcile_after == timedelta(seconds=5)
