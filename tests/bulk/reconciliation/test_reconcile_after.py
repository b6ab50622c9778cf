"""How long an unknown message waits where no setting says it: as its flow lives, within limits, known by the ledger."""

from datetime import timedelta

import pytest

from routee_failover import OtpFlow, OtpSmsStep, SmsStep, StandardFlow
from routee_failover.bulk import BulkReconciler, BulkSettings, rows_of
from routee_failover.bulk.reconciliation.reconcile_after import TTL_DOCUMENT_NAME, reconcile_after_for
from routee_failover.flows import AnyFlow
from routee_failover.ledger import MemoryLedger
from tests.bulk.helpers import KEEP, OtpFlows, client, number, run
from tests.bulk.test_reconcile_scheduler import DROPPED, _first
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.faults import NO_FAULT
from tests.chaos.sample_flows import otp, viber_otp

from .helpers import ManualClock


@pytest.mark.parametrize(
    ("lives", "waits"), [(0, 120), (1, 120), (60, 120), (61, 121), (120, 180), (240, 300), (540, 600), (86400, 600)]
)
def test_it_follows_the_time_to_live(lives: int, waits: int) -> None:
    """It is the time to live and a minute, but never less than two minutes, since a search lags, nor more than ten."""
    assert reconcile_after_for(timedelta(seconds=lives)) == timedelta(seconds=waits)
    assert reconcile_after_for(timedelta.max) == timedelta(minutes=10)


def _sms(ttl: timedelta | None) -> StandardFlow:
    return StandardFlow(steps=[SmsStep(from_="Demo", to=number(1), message="Hello", ttl=ttl)])


@pytest.mark.parametrize(
    ("flows", "kept"),
    [
        ([otp(number(1))], 120.0),
        ([viber_otp(number(1))], 60.0),
        ([_sms(timedelta(minutes=3))], 180.0),
        ([_sms(None)], 600.0),
    ],
)
async def test_the_ledger_knows_it(server: ListingServer, flows: list[AnyFlow], kept: float) -> None:
    """What all steps may take together is in the ledger before the first message leaves; an omitted ttl is Routee's."""
    async with MemoryLedger() as ledger:
        await run(server, ledger, [*rows_of(flows)])
        assert await ledger.get_document(TTL_DOCUMENT_NAME) == {"seconds": kept}


async def test_the_longest_counts(server: ListingServer) -> None:
    """Of messages that live differently, in one run or in several, the longest time holds; it never gets shorter."""

    def lives(place: int, seconds: int) -> OtpFlow:
        return OtpFlow(steps=[OtpSmsStep(to=number(place), message="4711", ttl=timedelta(seconds=seconds))])

    async with MemoryLedger() as ledger:
        for seconds, kept in ((60, 60), (200, 200), (30, 200)):
            await run(server, ledger, [*rows_of([lives(seconds, seconds), lives(seconds + 1, 10)])])
            assert await ledger.get_document(TTL_DOCUMENT_NAME) == {"seconds": kept}


async def test_a_ledger_that_does_not_say_it(server: ListingServer, hand: ManualClock) -> None:
    """A ledger of an earlier version has messages of which it is not known how long they live: it is ten minutes."""
    async with MemoryLedger() as ledger:
        await ledger.put_document("endpoint", {"endpoint": "otp"})
        await run(server, ledger, OtpFlows(2))
        assert await ledger.get_document(TTL_DOCUMENT_NAME) is None
        server.next_fault = _first(DROPPED)  # type: ignore[assignment]
        await run(server, ledger, OtpFlows(3), on_unknown=KEEP)
        server.next_fault = lambda: NO_FAULT
        async with client(server) as routee:
            settler = BulkReconciler(routee, ledger, endpoint="otp")
            await settler.reconcile()
            hand.now += 599
            assert (await settler.reconcile()).unknown == 1


@pytest.mark.parametrize(("passes", "absent"), [(359.0, 0), (361.0, 1)])
async def test_an_otp_waits_for_minutes_only(
    server: ListingServer, hand: ManualClock, passes: float, absent: int
) -> None:
    """An OTP that lives for two minutes is in doubt for three, or twice that where no later message is found."""
    server.next_fault = _first(NO_FAULT, DROPPED)  # type: ignore[assignment]
    async with MemoryLedger() as ledger, client(server) as routee:
        await run(server, ledger, OtpFlows(2), concurrency=1, on_unknown=KEEP)
        settler = BulkReconciler(routee, ledger, endpoint="otp")
        await settler.reconcile()
        hand.now += 181
        assert (await settler.reconcile()).unknown == 1
        hand.now += passes - 181
        assert (await settler.reconcile()).absent == absent


def test_what_is_given_holds() -> None:
    """A setting goes before the time to live."""
    assert BulkSettings().reconcile_after is None
    assert BulkSettings(reconcile_after=timedelta(seconds=5)).reconcile_after == timedelta(seconds=5)
