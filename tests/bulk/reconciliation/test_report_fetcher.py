"""Delivery reports of accepted flows: collected from lists or one by one, until no flow is in progress."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.bulk.reconciliation import report_fetcher
from routee_failover.flows import Endpoint
from routee_failover.ledger import EntryState

from .helpers import ADA, BEN, otp, sandbox_run, transactional, viber_first, viber_otp

DELIVERED, BY_SMS, FAILED = "+306900000000", "+306900000100", "+306900000110"
LATER = timedelta(days=2)


@pytest.mark.parametrize("make_flow", [viber_first, transactional, otp])
async def test_delivery_reports_of_final_flows_are_recorded(make_flow: Any) -> None:
    """Status, last channel, price, country and reason of each flow are recorded once it is final."""
    async with sandbox_run(make_flow, speed=0) as run:
        for to in (DELIVERED, BY_SMS, FAILED):
            await run.send(to)
        reconciler = run.reconciler()
        assert await reconciler.collect_delivery_reports() == 3
        await run.sandbox.advance(LATER)
        assert await reconciler.collect_delivery_reports() == 0
        reports = [(await run.entry(to)).delivery_report for to in (DELIVERED, BY_SMS, FAILED)]
        assert [report.status for report in reports if report] == ["Succeeded", "Succeeded", "Failed"]
        assert [str(report.channel).lower() for report in reports if report] == ["viber", "sms", "sms"]
        assert all(report.price is not None and report.country == "GR" for report in reports if report)
        assert reports[2] is not None
        assert reports[2].reason == "no next step"
        requests = run.sandbox.counts.requests
        assert await reconciler.collect_delivery_reports() == 0
        assert run.sandbox.counts.requests == requests


async def test_viber_otps_are_tracked_one_by_one() -> None:
    """No list shows Viber OTPs: each is tracked."""
    async with sandbox_run(viber_otp, speed=0) as run:
        await run.send(ADA)
        await run.send(BEN)
        assert await run.reconciler().collect_delivery_reports() == 2
        await run.sandbox.advance(LATER)
        assert await run.reconciler().collect_delivery_reports() == 0
        report = (await run.entry(ADA)).delivery_report
    assert report is not None
    assert (report.status.upper(), report.channel, report.country) == ("DELIVERED", "Viber", "GR")


@pytest.mark.parametrize("make_flow", [viber_first, otp])
async def test_many_flows_are_read_from_a_list(make_flow: Any) -> None:
    """Many flows take one request per page instead of one per flow."""
    async with sandbox_run(make_flow, speed=0) as run:
        for number in range(130):
            await run.send(f"+306900020{number:03}")
        await run.sandbox.advance(LATER)
        before = run.sandbox.counts.requests
        assert await run.reconciler().collect_delivery_reports() == 0
        assert run.sandbox.counts.requests - before <= 4


@pytest.mark.parametrize("make_flow", [viber_first, otp])
async def test_few_flows_among_many_are_tracked_one_by_one(make_flow: Any) -> None:
    """A list that is far longer than the run is not read."""
    async with sandbox_run(make_flow, speed=0) as run:
        for number in range(250):
            await run.routee.send(make_flow(f"+306900020{number:03}", None))
        await run.send(ADA)
        await run.sandbox.advance(LATER)
        before = run.sandbox.counts.requests
        assert await run.reconciler().collect_delivery_reports() == 0
        assert run.sandbox.counts.requests - before == 2


async def test_each_call_tracks_the_next_flows_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call tracks the next flows, also if the first ones never become final."""
    monkeypatch.setattr(report_fetcher, "MAX_TRACKED", 2)
    async with sandbox_run(viber_otp, speed=0) as run:
        recipients = [f"+306900020{number:03}" for number in range(5)]
        for to in recipients:
            await run.send(to)
        reconciler = run.reconciler()
        assert await reconciler.collect_delivery_reports() == 5
        await run.sandbox.advance(LATER)
        assert [await reconciler.collect_delivery_reports() for _ in range(3)] == [3, 2, 0]


@pytest.mark.parametrize("fault", [403, None])
async def test_flow_counts_as_in_progress_if_routee_rejects_or_has_no_record(fault: int | None) -> None:
    """Nothing is raised, and the flow is looked up again by the next call."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA)
        if fault is None:
            run.sandbox.reset()
        else:
            run.sandbox.script(endpoint="reading", response=fault)
        assert await run.reconciler().collect_delivery_reports() == 1


async def test_report_of_a_flow_found_by_search_is_recorded() -> None:
    """A message that the search shows as final is not tracked again."""
    async with sandbox_run(speed=0) as run:
        await run.send(DELIVERED, fault="reset")
        await run.sandbox.advance(LATER)
        reconciler = run.reconciler(endpoint=Endpoint.STANDARD)
        assert (await reconciler.reconcile()).accepted == 1
        entry = await run.entry(DELIVERED)
    assert entry.state is EntryState.ACCEPTED
    assert entry.delivery_report is not None
