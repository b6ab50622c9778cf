"""Searches that prove nothing: they lag, fail, or show several flows. What is in doubt stays so."""

from datetime import timedelta

import pytest

from routee_failover import RouteeClient
from routee_failover.bulk.reconciliation import UnknownPolicy, lookup_schedule
from routee_failover.errors import InvalidConfig
from routee_failover.ledger import EntryState

from .helpers import ADA, BEN, CAT, ManualClock, Run, otp, reconcile_until_done, sandbox_run, template, viber_first


@pytest.mark.parametrize("make", [viber_first, template, otp])
async def test_a_search_that_lags(make: object) -> None:
    """A search that lags for longer than the settling time does not show the control either: nothing is absent."""
    async with sandbox_run(make, speed=1) as run:
        run.sandbox.search_lag = timedelta(hours=1)
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        settler = run.reconciler()
        settled = await reconcile_until_done(settler)
        assert (settled.absent, settled.in_doubt) == (0, 1)
        assert await run.state(ADA) is EntryState.UNKNOWN
        run.sandbox.search_lag = timedelta(0)
        await run.sandbox.advance(timedelta(seconds=30))
        assert (await reconcile_until_done(run.reconciler())).accepted == 1


async def test_a_lag_that_began_after_the_control(hand: ManualClock) -> None:
    """A control that was begun before the lag stands for nothing that came after it, however well it is found."""
    async with sandbox_run(speed=1) as run:
        await run.send(CAT)
        await run.sandbox.advance(timedelta(hours=2))
        run.sandbox.search_lag = timedelta(hours=1)
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        settler = run.reconciler()
        await settler.reconcile()
        hand.advance(1.2)
        settled = await settler.reconcile()
        assert settled.absent == 0
        assert await run.state(ADA) is EntryState.UNKNOWN


async def test_a_search_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Routee refuses or does not answer proves nothing; once it answers again, the doubt is settled."""
    monkeypatch.setattr(lookup_schedule, "_MAX_NO_RESPONSES", 2)
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        rule = run.sandbox.script(endpoint="reading", response=403)
        settler = run.reconciler()
        settled = await reconcile_until_done(settler)
        assert settled.kept == {"Routee refused the search with 403": 1}
        run.sandbox.forget(rule)
        assert (await reconcile_until_done(run.reconciler())).absent == 1


async def test_a_search_that_gets_no_answer() -> None:
    """The run goes on while Routee cannot be asked."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        gone = RouteeClient(run.sandbox.config(api_url="http://127.0.0.1:9", poll_rate=1000))
        async with gone:
            settled = await Run(run.sandbox, gone, run.ledger, run.make).reconciler().reconcile()
    assert settled.unknown == 1


async def test_flows_of_others_without_a_label() -> None:
    """Several flows to one number that show no label prove nothing, in whichever order they came."""
    async with sandbox_run(template) as run:
        await run.routee.send(template(ADA, None))
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        settled = await reconcile_until_done(run.reconciler())
        assert settled.kept == {"several flows to the same number show no label": 1}


async def test_a_flow_from_long_before() -> None:
    """One flow without a label that was not accepted in the minutes of the attempt is neither it nor its absence."""
    async with sandbox_run(template) as run:
        await run.routee.send(template(ADA, None))
        run.set_clock_forward(3600)
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        settled = await reconcile_until_done(run.reconciler())
        (why,) = settled.kept
        assert "was not accepted when this one was sent" in why


async def test_messages_of_the_run_to_one_number() -> None:
    """A flow that is known as another message's is not taken for the one in doubt."""
    async with sandbox_run(template) as run:
        await run.send(ADA, "order 1")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        assert (await reconcile_until_done(run.reconciler())).absent == 1
        assert await run.state(ADA, "order 2") is EntryState.NEW


async def test_two_doubts_to_one_number() -> None:
    """Of two messages in doubt to one number, one flow without a label settles neither."""
    async with sandbox_run(template) as run:
        await run.send(ADA, "order 1", fault="reset")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        settled = await reconcile_until_done(run.reconciler())
        assert (settled.accepted, settled.absent, settled.in_doubt) == (0, 0, 2)


async def test_a_clock_that_was_set_forward() -> None:
    """Where our clock is a year ahead since the last control, a doubt is looked for in all the time between."""
    async with sandbox_run() as run:
        await run.send(BEN)
        run.set_clock_forward(366 * 86400)
        await run.send(ADA, fault="reset")
        await run.send(CAT)
        settled = await reconcile_until_done(run.reconciler())
        assert settled.absent == 0
        assert await run.state(ADA) is not EntryState.NEW


def test_settings_that_cannot_work() -> None:
    """A time to settle of nothing, and a policy that does not exist, are refused."""
    run = Run(None, None, None, viber_first)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig):
        run.reconciler(reconcile_after=timedelta(0))
    with pytest.raises(ValueError, match="never"):
        run.reconciler(on_unknown="never")
    assert list(UnknownPolicy) == ["keep", "reconcile", "resend"]
