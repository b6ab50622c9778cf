"""How accepted flows ended: learned from lists or one by one, and asked for until nothing is under way."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.bulk.reconciliation import report_collector
from routee_failover.flows import Endpoint
from routee_failover.ledger import EntryState

from .helpers import ADA, BEN, otp, sandbox_run, template, viber_first, viber_otp

DELIVERED, BY_SMS, FAILED = "+306900000000", "+306900000100", "+306900000110"
LATER = timedelta(days=2)


@pytest.mark.parametrize("make", [viber_first, template, otp])
async def test_how_flows_ended(make: Any) -> None:
    """Status, last channel, price, country and reason of each flow are kept once it has ended."""
    async with sandbox_run(make, speed=0) as run:
        for to in (DELIVERED, BY_SMS, FAILED):
            await run.send(to)
        settler = run.reconciler()
        assert await settler.collect_delivery_reports() == 3
        await run.sandbox.advance(LATER)
        assert await settler.collect_delivery_reports() == 0
        fates = [(await run.intent(to)).delivery_report for to in (DELIVERED, BY_SMS, FAILED)]
        assert [fate.status for fate in fates if fate] == ["Succeeded", "Succeeded", "Failed"]
        assert [str(fate.channel).lower() for fate in fates if fate] == ["viber", "sms", "sms"]
        assert all(fate.price is not None and fate.country == "GR" for fate in fates if fate)
        assert fates[2] is not None
        assert fates[2].reason == "no next step"
        requests = run.sandbox.counts.requests
        assert await settler.collect_delivery_reports() == 0
        assert run.sandbox.counts.requests == requests


async def test_viber_otps_are_asked_about_one_by_one() -> None:
    """No list shows Viber OTPs: each is tracked."""
    async with sandbox_run(viber_otp, speed=0) as run:
        await run.send(ADA)
        await run.send(BEN)
        assert await run.reconciler().collect_delivery_reports() == 2
        await run.sandbox.advance(LATER)
        assert await run.reconciler().collect_delivery_reports() == 0
        fate = (await run.intent(ADA)).delivery_report
    assert fate is not None
    assert (fate.status.upper(), fate.channel, fate.country) == ("DELIVERED", "Viber", "GR")


@pytest.mark.parametrize("make", [viber_first, otp])
async def test_many_are_read_off_a_list(make: Any) -> None:
    """Many flows take a question for a page and not one for each."""
    async with sandbox_run(make, speed=0) as run:
        for number in range(130):
            await run.send(f"+306900020{number:03}")
        await run.sandbox.advance(LATER)
        before = run.sandbox.counts.requests
        assert await run.reconciler().collect_delivery_reports() == 0
        assert run.sandbox.counts.requests - before <= 4


@pytest.mark.parametrize("make", [viber_first, otp])
async def test_few_among_many_are_asked_about_one_by_one(make: Any) -> None:
    """A list that is far longer than the run is not read."""
    async with sandbox_run(make, speed=0) as run:
        for number in range(250):
            await run.routee.send(make(f"+306900020{number:03}", None))
        await run.send(ADA)
        await run.sandbox.advance(LATER)
        before = run.sandbox.counts.requests
        assert await run.reconciler().collect_delivery_reports() == 0
        assert run.sandbox.counts.requests - before == 2


async def test_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are asked about one by one, each call takes the next ones, also where the first never end."""
    monkeypatch.setattr(report_collector, "MAX_TRACKED", 2)
    async with sandbox_run(viber_otp, speed=0) as run:
        people = [f"+306900020{number:03}" for number in range(5)]
        for to in people:
            await run.send(to)
        settler = run.reconciler()
        assert await settler.collect_delivery_reports() == 5
        await run.sandbox.advance(LATER)
        assert [await settler.collect_delivery_reports() for _ in range(3)] == [3, 2, 0]


@pytest.mark.parametrize("fault", [403, None])
async def test_routee_does_not_say(fault: int | None) -> None:
    """Where Routee refuses to say, or knows nothing of a flow, it counts as under way, and nothing is raised."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA)
        if fault is None:
            run.sandbox.reset()
        else:
            run.sandbox.script(endpoint="reading", response=fault)
        assert await run.reconciler().collect_delivery_reports() == 1


async def test_what_a_search_found_has_ended_already() -> None:
    """A message that the search for it shows at its end is not asked about again."""
    async with sandbox_run(speed=0) as run:
        await run.send(DELIVERED, fault="reset")
        await run.sandbox.advance(LATER)
        settler = run.reconciler(endpoint=Endpoint.STANDARD)
        assert (await settler.reconcile()).accepted == 1
        intent = await run.intent(DELIVERED)
    assert intent.state is EntryState.ACCEPTED
    assert intent.delivery_report is not None
