"""Doubts of each endpoint against the sandbox: what was accepted is found, what was not is proven absent."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.bulk.reconciliation.lookup import NO_RECIPIENT_NUMBER
from routee_failover.bulk.reconciliation.reconciler import NO_LATER_CANARY, NOT_FOUND_YET
from routee_failover.bulk.reconciliation.search_canary import NO_CANARY
from routee_failover.errors import LedgerError
from routee_failover.ledger import ClaimRequest, EntryState, MemoryLedger, Transition, TransitionDetails
from routee_failover.ledger.entry import build_label

from .helpers import (
    ADA,
    BEN,
    SETTLE,
    ManualClock,
    call_first,
    otp,
    reconcile_until_done,
    sandbox_run,
    template,
    viber_first,
)

LABELLED = pytest.mark.parametrize("make", [viber_first, otp])
SEARCHED = pytest.mark.parametrize("make", [viber_first, call_first, template, otp])


@SEARCHED
async def test_what_was_accepted_is_found(make: Any) -> None:
    """A message that Routee took and whose answer was lost is found, with its id and channel."""
    async with sandbox_run(make) as run:
        assert (await run.send(ADA, fault="reset")).state is EntryState.UNKNOWN
        settled = await reconcile_until_done(run.reconciler())
        intent = await run.intent(ADA)
        (flow,) = run.sandbox.accepted
    assert (settled.accepted, settled.in_doubt, settled.next_due) == (1, 0, None)
    assert (intent.state, intent.tracking_id, intent.resolved_by) == (EntryState.ACCEPTED, flow.id, "search")
    assert intent.channel in {"Viber", "viber", "Voice"}


@SEARCHED
async def test_what_was_not_accepted_is_absent(make: Any) -> None:
    """A message that never came to Routee may be sent, once a control shows that the search would have found it."""
    async with sandbox_run(make) as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        settled = await reconcile_until_done(run.reconciler())
        assert (settled.absent, settled.in_doubt) == (1, 0)
        assert await run.state(ADA) is EntryState.NEW
        assert (await run.send(ADA)).state is EntryState.ACCEPTED
        assert [flow.to for flow in run.sandbox.accepted] == [(BEN,), (ADA,)]


@SEARCHED
async def test_without_a_control_nothing_is_absent(make: Any) -> None:
    """Where no message of the run is known to be accepted, one that is not found stays in doubt, and asking ends."""
    async with sandbox_run(make) as run:
        await run.send(ADA, fault="reset-before")
        settled = await reconcile_until_done(run.reconciler())
        assert await run.state(ADA) is EntryState.UNKNOWN
    assert settled.absent == 0
    assert list(settled.kept) == [NO_CANARY]


async def test_what_a_search_has_shown_is_no_control() -> None:
    """A message that only the search itself showed does not prove that the search sees the run."""
    async with sandbox_run() as run:
        await run.send(BEN, fault="reset")
        await run.send(ADA, fault="reset-before")
        settled = await reconcile_until_done(run.reconciler())
        assert (settled.accepted, settled.absent) == (1, 0)
        assert await run.state(ADA) is EntryState.UNKNOWN


@LABELLED
async def test_labels_that_do_not_come_back(make: Any) -> None:
    """Where even an accepted message is not found by its label, nothing that lacks one is absent."""
    async with sandbox_run(make) as run:
        await run.send(ADA, fault="reset", label=lambda *_: "mine")
        await run.send(BEN, label=lambda *_: "mine")
        settled = await reconcile_until_done(run.reconciler())
        assert await run.state(ADA) is EntryState.UNKNOWN
    (why,) = settled.kept
    assert "does not find what Routee is known to have accepted" in why


async def test_a_label_behind_the_users_own() -> None:
    """A message whose label begins with the user's own words is found as well."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset", label=lambda run_id, tag: f"spring sale {build_label(run_id, tag)}")
        assert (await reconcile_until_done(run.reconciler())).accepted == 1


async def test_the_time_to_settle_counts_twice(hand: ManualClock) -> None:
    """With a control from before the doubt alone, twice the settling time has to pass."""
    async with sandbox_run() as run:
        await run.send(BEN)
        await run.send(ADA, fault="reset-before")
        settler = run.reconciler()
        for passes, why in ((0, NOT_FOUND_YET), (0.9, NOT_FOUND_YET), (0.3, NO_LATER_CANARY), (0.7, NO_LATER_CANARY)):
            hand.advance(passes)
            assert (await settler.reconcile()).unknown_by_reason == {why: 1}
        hand.advance(0.2)
        assert (await settler.reconcile()).absent == 1


async def test_the_time_to_settle_counts_once(hand: ManualClock) -> None:
    """With a control that was begun well after the doubt, the settling time has to pass."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await asyncio.sleep(SETTLE.total_seconds() / 2)
        await run.send(BEN)
        settler = run.reconciler()
        for passes in (0, 0.9):
            hand.advance(passes)
            assert (await settler.reconcile()).unknown_by_reason == {NOT_FOUND_YET: 1}
        hand.advance(0.2)
        assert (await settler.reconcile()).absent == 1


async def test_a_lease_that_is_not_over(hand: ManualClock) -> None:
    """While its sender may be at it, a message is not absent, and the time to settle has not begun."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before", lease=60)
        await run.send(BEN)
        settler = run.reconciler()
        for _ in range(3):
            assert (await settler.reconcile()).unknown == 0
            hand.advance(3)
        assert await run.state(ADA) is EntryState.SENDING
        run.set_clock_forward(61)
        assert (await settler.reconcile()).unknown_by_reason == {NOT_FOUND_YET: 1}
        hand.advance(2.1)
        assert (await settler.reconcile()).absent == 1


async def test_many_doubts_in_one_pass() -> None:
    """What was taken and what was not are told apart among many."""
    async with sandbox_run() as run:
        for number in range(30):
            fault = (None, "reset", "reset-before")[number % 3]
            await run.send(f"+3069000020{number:02}", fault=fault)
        settled = await reconcile_until_done(run.reconciler())
        counts = await run.ledger.counts()
    assert (settled.accepted, settled.absent, settled.in_doubt) == (10, 10, 0)
    assert (counts.accepted, counts.new) == (20, 10)


async def test_a_flow_that_shows_no_message_yet() -> None:
    """A flow that waits for its first message may be the one in doubt: it is neither taken for it nor passed over."""
    async with sandbox_run(speed=0) as run:
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        settler = run.reconciler()
        settled = await settler.reconcile()
        assert list(settled.unknown_by_reason) == ["a flow to the same number shows no message yet"]
        await run.sandbox.advance(timedelta(seconds=30))
        assert (await reconcile_until_done(settler)).accepted == 1


async def test_a_ledger_that_fails() -> None:
    """The error of a ledger that cannot be written is raised as it is."""

    class Full(MemoryLedger):
        async def apply(self, transition: Transition, details: TransitionDetails) -> bool:
            raise LedgerError("the disk is full")

    async with sandbox_run() as run:
        run.ledger = Full()
        await run.send(ADA, fault="reset")
        await run.send(BEN, fault="reset")
        with pytest.raises(LedgerError, match="disk is full"):
            await reconcile_until_done(run.reconciler())


@SEARCHED
async def test_a_message_to_no_number(make: Any) -> None:
    """What goes to no number, a call to a SIP address for example, is not looked for."""
    async with sandbox_run(make) as run:
        (found,) = await run.ledger.claim([ClaimRequest(1, "ada@example.test", "", 1)], lease=0)
        run.ledger.record(Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt))
        await run.send(BEN)
        settled = await reconcile_until_done(run.reconciler())
        assert settled.kept == {NO_RECIPIENT_NUMBER: 1}
