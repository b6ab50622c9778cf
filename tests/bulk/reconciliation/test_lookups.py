"""Lists that do not do what is documented, more doubts than are watched at a time, and what records leave out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from routee_failover.bulk.reconciliation import flow_lookup, lookup_schedule, reconciler, report_collector
from routee_failover.bulk.reconciliation.delivery_report import delivery_report_of
from routee_failover.bulk.reconciliation.lookup import Absent, Found, Inconclusive, Unlabelled
from routee_failover.bulk.reconciliation.otp_lookup import OtpLookup
from routee_failover.bulk.reconciliation.reconcile_after import ReconcileAfter
from routee_failover.errors import NotFound
from routee_failover.flows import Endpoint
from routee_failover.ledger import EntryState
from routee_failover.records import FlowRecord, OtpRecord

from .helpers import ADA, BEN, CAT, Run, otp, reconcile_until_done, sandbox_run, template, viber_first, viber_otp

_NOW = "when the test runs"
OTP = OtpRecord.from_dict({"flowId": "f-1", "status": "InProgress", "steps": []})


class _Lists:
    """A Routee whose lists are made up."""

    def __init__(self, run: Run, *records: Any, none: bool = False, but: tuple[int, ...] = ()) -> None:
        self.config = run.routee.config
        self.asked, self._else = 0, but
        self._records, self._none = records, none

    def search_otp(self, **_terms: Any) -> AsyncIterator[Any]:
        """The same whatever is asked for."""
        return self.search()

    async def search(self, **terms: Any) -> AsyncIterator[Any]:
        """The same whatever is asked for."""
        self.asked += 1
        if self._none and self.asked not in self._else:
            raise NotFound("no such flows", status=404)
        for record in self._records:
            yield record


async def test_a_list_that_does_not_go_by_labels() -> None:
    """Where the list of OTP flows shows something for a label that nobody has, what it shows is nobody's."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        lookup = OtpLookup(_Lists(run, OTP), run.ledger)  # type: ignore[arg-type]
        sight = await lookup.find(await run.intent(ADA), 0.0)
    assert isinstance(sight, Inconclusive)
    assert not sight.retryable


async def test_a_list_that_is_not_found() -> None:
    """A 404 from the list of OTP flows says that it has none."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        lookup = OtpLookup(_Lists(run, none=True), run.ledger)  # type: ignore[arg-type]
        intent = await run.intent(ADA)
        assert await lookup.find(intent, 0.0) == Absent()
        assert not await lookup.finds_canary(intent)
        assert await lookup.resolve_unlabelled([(intent, Unlabelled(()))]) == {intent.number: Absent()}


async def test_a_404_that_comes_of_something_else() -> None:
    """Where an empty list is answered with 200, a 404 says nothing of what Routee has."""
    async with sandbox_run(otp) as run:
        await run.send(ADA, fault="reset-before")
        intent = await run.intent(ADA)
        lists = _Lists(run, none=True, but=(2,))
        lookup = OtpLookup(lists, run.ledger)  # type: ignore[arg-type]
        for asked in (2, 3):
            with pytest.raises(NotFound):
                await lookup.find(intent, 0.0)
            assert lists.asked == asked


@pytest.mark.parametrize(
    ("answer", "sight"),
    [
        ({"flowKind": "standard"}, Absent),
        ({"flowKind": "transactional"}, Inconclusive),
        ({"flowKind": "transactional", "messages": [{"type": "Viber"}]}, Inconclusive),
        ({"messages": [{"type": "Viber"}], "createdAt": _NOW}, Found),
        ({"messages": [{"type": "Sms", "label": "spring"}]}, Absent),
        ({"messages": [{"type": "Sms"}], "createdAt": _NOW}, Found),
    ],
)
async def test_what_a_transactional_flow_shows(answer: Any, sight: type) -> None:
    """Another kind, another label, no message yet, no time: each says what it can, and no more."""
    async with sandbox_run(template) as run:
        await run.send(ADA, fault="reset-before")
        intent = await run.intent(ADA)
        if answer.get("createdAt") == _NOW:
            answer = {**answer, "createdAt": datetime.now(UTC).isoformat()}
        lists: Any = _Lists(run, FlowRecord.from_dict({"trackingId": "t-1", **answer}))
        lookup = flow_lookup.FlowLookup(lists, run.ledger, Endpoint.TRANSACTIONAL)
        seen = await lookup.find(intent, 0.0)
        if isinstance(seen, Unlabelled):
            seen = (await lookup.resolve_unlabelled([(intent, seen)]))[intent.number]
    assert isinstance(seen, sight)


async def test_more_doubts_than_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubts beyond those that are watched wait until others are settled, and are counted."""
    monkeypatch.setattr(lookup_schedule, "_MAX_PENDING", 1)
    monkeypatch.setattr(reconciler, "_BATCH_SIZE", 1)
    async with sandbox_run() as run:
        for to in (ADA, BEN, CAT):
            await run.send(to, fault="reset")
        first = await run.reconciler().reconcile()
        assert reconciler.TOO_MANY_UNKNOWN in first.unknown_by_reason
        again = run.reconciler()
        for _ in range(20):
            await reconcile_until_done(again)
        assert (await run.ledger.counts()).accepted == 3


async def test_more_flows_than_are_asked_about_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows are asked about in parts; one without an id is not asked about."""
    monkeypatch.setattr(report_collector, "_CHUNK_SIZE", 1)
    async with sandbox_run(viber_otp, speed=0) as run:
        for to in (ADA, BEN):
            await run.send(to)
        assert await run.reconciler().collect_delivery_reports() == 2


async def test_an_attempt_that_is_another_now() -> None:
    """A watch over one attempt begins anew with the next."""
    async with sandbox_run() as run:
        intent = await run.send(ADA, fault="reset-before")
        watches = lookup_schedule.LookupSchedule(ReconcileAfter(run.ledger, timedelta(minutes=1)))
        watched = watches.schedule(intent, intent.lease_expires_at)
        assert watched is not None
        watches.record_lookup(watched, "nothing")
        second = watches.schedule(SimpleNamespace(**{**intent.__dict__, "attempt": 2}), intent.lease_expires_at)  # type: ignore[arg-type]
        assert second is not None
        assert second.lookups == 0
        held = watches.schedule(intent, intent.lease_expires_at - 30)
        assert held is not None
        assert watches.age(held) < 0


def test_an_end_without_particulars() -> None:
    """A flow that has ended and says nothing else has ended."""
    for record in (
        FlowRecord.from_dict({"status": "Failed", "statusCode": "1"}),
        OtpRecord.from_dict({"status": "Failed", "statusCode": 1}),
    ):
        fate = delivery_report_of(7, record)
        assert fate is not None
        assert (fate.number, fate.status, fate.reason) == (7, "Failed", "insufficient balance")
        assert (fate.channel, fate.price, fate.country, fate.delivery_time) == (None, None, None, None)
    assert delivery_report_of(7, OTP) is None


async def test_a_label_that_stands_on_nothing() -> None:
    """A flow of the same run to the same number with another label is not the one in doubt."""
    async with sandbox_run(viber_first) as run:
        await run.send(ADA, "order 1")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        assert (await reconcile_until_done(run.reconciler())).absent == 1
        assert await run.state(ADA, "order 2") is EntryState.NEW
