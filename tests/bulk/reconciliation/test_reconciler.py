"""Reconciliation of each endpoint against the sandbox: accepted messages are found, others are proven absent."""

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
    RECONCILE_AFTER,
    ManualClock,
    call_first,
    otp,
    reconcile_until_done,
    sandbox_run,
    transactional,
    viber_first,
)

LABELLED = pytest.mark.parametrize("make_flow", [viber_first, otp])
SEARCHED = pytest.mark.parametrize("make_flow", [viber_first, call_first, transactional, otp])


@SEARCHED
async def test_accepted_message_without_response_is_found(make_flow: Any) -> None:
    """A message that Routee accepted and whose response was lost is found, with its id and channel."""
    async with sandbox_run(make_flow) as run:
        assert (await run.send(ADA, fault="reset")).state is EntryState.UNKNOWN
        result = await reconcile_until_done(run.reconciler())
        entry = await run.entry(ADA)
        (flow,) = run.sandbox.accepted
    assert (result.accepted, result.unknown, result.next_due_in) == (1, 0, None)
    assert (entry.state, entry.tracking_id, entry.resolved_by) == (EntryState.ACCEPTED, flow.id, "search")
    assert entry.channel in {"Viber", "viber", "Voice"}


@SEARCHED
async def test_message_that_never_arrived_is_absent(make_flow: Any) -> None:
    """A message that never reached Routee may be sent, once a canary shows that the search would have found it."""
    async with sandbox_run(make_flow) as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN)
        result = await reconcile_until_done(run.reconciler())
        assert (result.absent, result.unknown) == (1, 0)
        assert await run.state(ADA) is EntryState.NEW
        assert (await run.send(ADA)).state is EntryState.ACCEPTED
        assert [flow.to for flow in run.sandbox.accepted] == [(BEN,), (ADA,)]


@SEARCHED
async def test_nothing_is_absent_without_a_canary(make_flow: Any) -> None:
    """If no message of the run is known to be accepted, one that is not found stays unknown, and the lookups end."""
    async with sandbox_run(make_flow) as run:
        await run.send(ADA, fault="reset-before")
        result = await reconcile_until_done(run.reconciler())
        assert await run.state(ADA) is EntryState.UNKNOWN
    assert result.absent == 0
    assert list(result.unknown_by_reason) == [NO_CANARY]


async def test_message_found_by_search_is_no_canary() -> None:
    """A message that only the search itself has found does not prove that the search sees the run."""
    async with sandbox_run() as run:
        await run.send(BEN, fault="reset")
        await run.send(ADA, fault="reset-before")
        result = await reconcile_until_done(run.reconciler())
        assert (result.accepted, result.absent) == (1, 0)
        assert await run.state(ADA) is EntryState.UNKNOWN


@LABELLED
async def test_nothing_is_absent_if_labels_are_not_returned(make_flow: Any) -> None:
    """If not even an accepted message is found by its label, nothing without one is absent."""
    async with sandbox_run(make_flow) as run:
        await run.send(ADA, fault="reset", label=lambda *_: "mine")
        await run.send(BEN, label=lambda *_: "mine")
        result = await reconcile_until_done(run.reconciler())
        assert await run.state(ADA) is EntryState.UNKNOWN
    (reason,) = result.unknown_by_reason
    assert "does not find what Routee is known to have accepted" in reason


async def test_label_after_the_users_own_is_matched() -> None:
    """A message whose label begins with the user's own text is found as well."""
    async with sandbox_run() as run:
        await run.send(
            ADA, fault="reset", label=lambda run_id, key_hash: f"spring sale {build_label(run_id, key_hash)}"
        )
        assert (await reconcile_until_done(run.reconciler())).accepted == 1


async def test_absence_takes_twice_reconcile_after_with_an_older_canary(clock: ManualClock) -> None:
    """If the only canary is older than the unknown message, twice `reconcile_after` has to pass."""
    async with sandbox_run() as run:
        await run.send(BEN)
        await run.send(ADA, fault="reset-before")
        reconciler = run.reconciler()
        for periods, reason in (
            (0, NOT_FOUND_YET),
            (0.9, NOT_FOUND_YET),
            (0.3, NO_LATER_CANARY),
            (0.7, NO_LATER_CANARY),
        ):
            clock.advance(periods)
            assert (await reconciler.reconcile()).unknown_by_reason == {reason: 1}
        clock.advance(0.2)
        assert (await reconciler.reconcile()).absent == 1


async def test_absence_takes_reconcile_after_with_a_later_canary(clock: ManualClock) -> None:
    """With a canary that was claimed well after the unknown message, `reconcile_after` has to pass."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await asyncio.sleep(RECONCILE_AFTER.total_seconds() / 2)
        await run.send(BEN)
        reconciler = run.reconciler()
        for periods in (0, 0.9):
            clock.advance(periods)
            assert (await reconciler.reconcile()).unknown_by_reason == {NOT_FOUND_YET: 1}
        clock.advance(0.2)
        assert (await reconciler.reconcile()).absent == 1


async def test_message_with_a_lease_is_not_looked_up(clock: ManualClock) -> None:
    """While its sender may still send it, a message is not absent, and `reconcile_after` does not start."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before", lease=60)
        await run.send(BEN)
        reconciler = run.reconciler()
        for _ in range(3):
            assert (await reconciler.reconcile()).unknown == 0
            clock.advance(3)
        assert await run.state(ADA) is EntryState.SENDING
        run.set_clock_forward(61)
        assert (await reconciler.reconcile()).unknown_by_reason == {NOT_FOUND_YET: 1}
        clock.advance(2.1)
        assert (await reconciler.reconcile()).absent == 1


async def test_many_unknown_messages_are_resolved_individually() -> None:
    """Accepted and absent messages are distinguished among many."""
    async with sandbox_run() as run:
        for number in range(30):
            fault = (None, "reset", "reset-before")[number % 3]
            await run.send(f"+3069000020{number:02}", fault=fault)
        result = await reconcile_until_done(run.reconciler())
        counts = await run.ledger.counts()
    assert (result.accepted, result.absent, result.unknown) == (10, 10, 0)
    assert (counts.accepted, counts.new) == (20, 10)


async def test_flow_without_messages_is_inconclusive() -> None:
    """A flow that has no message yet may be the unknown one: it is neither matched nor ruled out."""
    async with sandbox_run(speed=0) as run:
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        reconciler = run.reconciler()
        result = await reconciler.reconcile()
        assert list(result.unknown_by_reason) == ["a flow to the same number shows no message yet"]
        await run.sandbox.advance(timedelta(seconds=30))
        assert (await reconcile_until_done(reconciler)).accepted == 1


async def test_ledger_error_is_raised() -> None:
    """The error of a ledger that cannot be written is raised unchanged."""

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
async def test_message_without_a_recipient_number_is_not_looked_up(make_flow: Any) -> None:
    """A message to no number, such as a call to a SIP address, is not looked up."""
    async with sandbox_run(make_flow) as run:
        (found,) = await run.ledger.claim([ClaimRequest(1, "ada@example.test", "", 1)], lease=0)
        run.ledger.record(Transition.MARK_UNKNOWN, TransitionDetails(found.number, found.attempt))
        await run.send(BEN)
        result = await reconcile_until_done(run.reconciler())
        assert result.unknown_by_reason == {NO_RECIPIENT_NUMBER: 1}
