"""Searches that prove nothing: they lag, fail, or show several flows. Unknown messages stay unknown."""

from datetime import timedelta

import pytest

from routee_failover import RouteeClient
from routee_failover.bulk.reconciliation import UnknownPolicy, lookup_schedule
from routee_failover.errors import InvalidConfig
from routee_failover.ledger import EntryState

from .helpers import ADA, BEN, CAT, ManualClock, Run, otp, reconcile_until_done, sandbox_run, transactional, viber_first


@pytest.mark.parametrize("make_flow", [viber_first, transactional, otp])
async def test_lagging_search_proves_no_absence(make_flow: object) -> None:
    """A search that lags for longer than `reconcile_after` does not show the canary either: nothing is absent."""
    async with sandbox_run(make_flow, speed=1) as run:
        run.sandbox.search_lag = timedelta(hours=1)
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        reconciler = run.reconciler()
        result = await reconcile_until_done(reconciler)
        assert (result.absent, result.unknown) == (0, 1)
        assert await run.state(ADA) is EntryState.UNKNOWN
        run.sandbox.search_lag = timedelta(0)
        await run.sandbox.advance(timedelta(seconds=30))
        assert (await reconcile_until_done(run.reconciler())).accepted == 1


async def test_canary_older_than_the_lag_proves_no_absence(clock: ManualClock) -> None:
    """A canary from before the lag proves nothing about later messages, although the search finds it."""
    async with sandbox_run(speed=1) as run:
        await run.send(CAT)
        await run.sandbox.advance(timedelta(hours=2))
        run.sandbox.search_lag = timedelta(hours=1)
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        reconciler = run.reconciler()
        await reconciler.reconcile()
        clock.advance(1.2)
        result = await reconciler.reconcile()
        assert result.absent == 0
        assert await run.state(ADA) is EntryState.UNKNOWN


async def test_rejected_search_proves_nothing_until_routee_responds_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejection or a missing response proves nothing; once Routee responds again, the message is resolved."""
    monkeypatch.setattr(lookup_schedule, "_MAX_NO_RESPONSES", 2)
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        rule = run.sandbox.script(endpoint="reading", response=403)
        reconciler = run.reconciler()
        result = await reconcile_until_done(reconciler)
        assert result.unknown_by_reason == {"Routee rejected the search with 403": 1}
        run.sandbox.forget(rule)
        assert (await reconcile_until_done(run.reconciler())).absent == 1


async def test_unreachable_routee_leaves_the_message_unknown() -> None:
    """The reconciliation continues although Routee cannot be reached."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        unreachable = RouteeClient(run.sandbox.config(api_url="http://127.0.0.1:9", poll_rate=1000))
        async with unreachable:
            result = await Run(run.sandbox, unreachable, run.ledger, run.make_flow).reconciler().reconcile()
    assert result.unknown == 1


async def test_several_unlabelled_flows_to_one_number_are_inconclusive() -> None:
    """Several flows to one number without a label prove nothing, in whichever order they came."""
    async with sandbox_run(transactional) as run:
        await run.routee.send(transactional(ADA, None))
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        result = await reconcile_until_done(run.reconciler())
        assert result.unknown_by_reason == {"several flows to the same number show no label": 1}


async def test_unlabelled_flow_from_another_time_is_inconclusive() -> None:
    """A flow without a label that was accepted long before the attempt proves neither presence nor absence."""
    async with sandbox_run(transactional) as run:
        await run.routee.send(transactional(ADA, None))
        run.set_clock_forward(3600)
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        result = await reconcile_until_done(run.reconciler())
        (reason,) = result.unknown_by_reason
        assert "was not accepted when this one was sent" in reason


async def test_flow_of_another_message_of_the_run_is_not_matched() -> None:
    """A flow that is known to belong to another message is not matched to the unknown one."""
    async with sandbox_run(transactional) as run:
        await run.send(ADA, "order 1")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        assert (await reconcile_until_done(run.reconciler())).absent == 1
        assert await run.state(ADA, "order 2") is EntryState.NEW


async def test_one_unlabelled_flow_resolves_neither_of_two_unknown_messages() -> None:
    """Of two unknown messages to one number, one flow without a label resolves neither."""
    async with sandbox_run(transactional) as run:
        await run.send(ADA, "order 1", fault="reset")
        await run.send(ADA, "order 2", fault="reset-before")
        await run.send(BEN, "order 3")
        result = await reconcile_until_done(run.reconciler())
        assert (result.accepted, result.absent, result.unknown) == (0, 0, 2)


async def test_clock_set_forward_by_a_year_proves_no_absence() -> None:
    """If the clock jumped a year ahead since the last canary, the search covers the whole time between."""
    async with sandbox_run() as run:
        await run.send(BEN)
        run.set_clock_forward(366 * 86400)
        await run.send(ADA, fault="reset")
        await run.send(CAT)
        result = await reconcile_until_done(run.reconciler())
        assert result.absent == 0
        assert await run.state(ADA) is not EntryState.NEW


def test_invalid_settings_are_refused() -> None:
    """A `reconcile_after` of zero, and a policy that does not exist, are refused."""
    run = Run(None, None, None, viber_first)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig):
        run.reconciler(reconcile_after=timedelta(0))
    with pytest.raises(ValueError, match="never"):
        run.reconciler(on_unknown="never")
    assert list(UnknownPolicy) == ["keep", "reconcile", "resend"]
