"""Lists that deviate from their documentation, the limit of tracked messages, and incomplete records."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from routee_failover.bulk.reconciliation import flow_lookup, lookup_schedule, reconciler, report_fetcher
from routee_failover.bulk.reconciliation.lookup import Absent, Found, Inconclusive, Unlabelled
from routee_failover.bulk.reconciliation.otp_lookup import OtpLookup
from routee_failover.bulk.reconciliation.reconcile_after import ReconcileAfter
from routee_failover.bulk.reconciliation.report_mapping import delivery_report_of
from routee_failover.errors import NotFound
from routee_failover.flows import Endpoint
from routee_failover.ledger import EntryState
from routee_failover.records import FlowRecord, OtpRecord

from .helpers import ADA, BEN, CAT, Run, otp, reconcile_until_done, sandbox_run, transactional, viber_first, viber_otp

_NOW = "when the test runs"
OTP = OtpRecord.from_dict({"flowId": "f-1", "status": "InProgress", "steps": []})


class _FixedLists:
    """A client whose lists return fixed records."""

    def __init__(self, run: Run, *records: Any, is_empty: bool = False, found_on: tuple[int, ...] = ()) -> None:
        self.config = run.routee.config
        self.request_count, self._found_on = 0, found_on
        self._records, self._is_empty = records, is_empty

    def search_otp(self, **_query: Any) -> AsyncIterator[Any]:
        """Yield the same records for any query."""
        return self.search()

    async def search(self, **query: Any) -> AsyncIterator[Any]:
        """Yield the same records for any query."""
        self.request_count += 1
        if self._is_empty and self.request_count not in self._found_on:
            raise NotFound("no such flows", status=404)
        for record in self._records:
            yield record


async def test_list_that_ignores_the_label_filter_is_inconclusive() -> None:
    """If the list of OTP flows returns something for an unused label, its results cannot be attributed."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        lookup = OtpLookup(_FixedLists(run, OTP), run.ledger)  # type: ignore[arg-type]
        result = await lookup.find(await run.entry(ADA), 0.0)
    assert isinstance(result, Inconclusive)
    assert not result.retryable


async def test_404_for_every_list_means_absent() -> None:
    """A 404 from the list of OTP flows means that it is empty."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        lookup = OtpLookup(_FixedLists(run, is_empty=True), run.ledger)  # type: ignore[arg-type]
        entry = await run.entry(ADA)
        assert await lookup.find(entry, 0.0) == Absent()
        assert not await lookup.finds_canary(entry)
        assert await lookup.resolve_unlabelled([(entry, Unlabelled(()))]) == {entry.number: Absent()}


async def test_404_is_an_error_if_an_empty_list_gives_200() -> None:
    """If an empty list is returned with 200, a 404 proves nothing about what Routee has."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        entry = await run.entry(ADA)
        lists = _FixedLists(run, is_empty=True, found_on=(2,))
        lookup = OtpLookup(lists, run.ledger)  # type: ignore[arg-type]
        for request_count in (2, 3):
            with pytest.raises(NotFound):
                await lookup.find(entry, 0.0)
            assert lists.request_count == request_count


@pytest.mark.parametrize(
    ("fields", "result_type"),
    [
        ({"flowKind": "standard"}, Absent),
        ({"flowKind": "transactional"}, Inconclusive),
        ({"flowKind": "transactional", "messages": [{"type": "Viber"}]}, Inconclusive),
        ({"messages": [{"type": "Viber"}], "createdAt": _NOW}, Found),
        ({"messages": [{"type": "Sms", "label": "spring"}]}, Absent),
        ({"messages": [{"type": "Sms"}], "createdAt": _NOW}, Found),
    ],
)
async def test_transactional_record_gives_found_absent_or_inconclusive(fields: Any, result_type: type) -> None:
    """Another kind, another label, no message yet, no time: each proves what it can, and no more."""
    async with sandbox_run(transactional) as run:
        await run.send(ADA, fault="reset-before")
        entry = await run.entry(ADA)
        if fields.get("createdAt") == _NOW:
            fields = {**fields, "createdAt": datetime.now(UTC).isoformat()}
        lists: Any = _FixedLists(run, FlowRecord.from_dict({"trackingId": "t-1", **fields}))
        lookup = flow_lookup.FlowLookup(lists, run.ledger, Endpoint.TRANSACTIONAL)
        found = await lookup.find(entry, 0.0)
        if isinstance(found, Unlabelled):
            found = (await lookup.resolve_unlabelled([(entry, found)]))[entry.number]
    assert isinstance(found, result_type)


async def test_messages_beyond_the_tracking_limit_wait_and_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages beyond the limit wait until others are resolved, and are counted."""
    monkeypatch.setattr(lookup_schedule, "_MAX_PENDING", 1)
    monkeypatch.setattr(reconciler, "_BATCH_SIZE", 1)
    async with sandbox_run() as run:
        for to in (ADA, BEN, CAT):
            await run.send(to, fault="reset")
        first = await run.reconciler().reconcile()
        assert reconciler.TOO_MANY_UNKNOWN in first.unknown_by_reason
        second_reconciler = run.reconciler()
        for _ in range(20):
            await reconcile_until_done(second_reconciler)
        assert (await run.ledger.counts()).accepted == 3


async def test_delivery_reports_are_collected_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows are processed in chunks; one without an id is not tracked."""
    monkeypatch.setattr(report_fetcher, "_CHUNK_SIZE", 1)
    async with sandbox_run(viber_otp, speed=0) as run:
        for to in (ADA, BEN):
            await run.send(to)
        assert await run.reconciler().collect_delivery_reports() == 2


async def test_next_attempt_starts_a_new_lookup_schedule() -> None:
    """The lookups of one attempt do not count for the next."""
    async with sandbox_run() as run:
        entry = await run.send(ADA, fault="reset-before")
        schedule = lookup_schedule.LookupSchedule(ReconcileAfter(run.ledger, timedelta(minutes=1)))
        pending = schedule.schedule(entry, entry.lease_expires_at)
        assert pending is not None
        schedule.record_lookup(pending, "nothing")
        second = schedule.schedule(SimpleNamespace(**{**entry.__dict__, "attempt": 2}), entry.lease_expires_at)  # type: ignore[arg-type]
        assert second is not None
        assert second.lookups == 0
        leased = schedule.schedule(entry, entry.lease_expires_at - 30)
        assert leased is not None
        assert schedule.age(leased) < 0


def test_final_record_without_details_gives_a_delivery_report() -> None:
    """A final record without any details is final."""
    for record in (
        FlowRecord.from_dict({"status": "Failed", "statusCode": "1"}),
        OtpRecord.from_dict({"status": "Failed", "statusCode": 1}),
    ):
        report = delivery_report_of(7, record)
        assert report is not None
        assert (report.number, report.status, report.reason) == (7, "Failed", "insufficient balance")
        assert (report.channel, report.price, report.country, report.delivery_time) == (None, None, None, None)
    assert delivery_report_of(7, OTP) is None


async def test_flow_with_another_label_of_the_run_is_not_matched() -> None:
    """A flow of the same run to the same number with another label is not the unknown message's."""
    async with sandbox_run(viber_first) as run:
        await run.send(ADA, "order 1")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        assert (await reconcile_until_done(run.reconciler())).absent == 1
        assert await run.state(ADA, "order 2") is EntryState.NEW
