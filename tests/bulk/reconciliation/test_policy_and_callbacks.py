"""Resolution without a search: the policy of the run, and callbacks to the URLs that it signed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import CallbackEvent, CallbackInbox, CallbackSigner, FlowRecord
from routee_failover.bulk.reconciliation import UnknownPolicy, explain_reconciliation
from routee_failover.flows import Endpoint
from routee_failover.ledger import EntryState, Transition, TransitionDetails
from routee_failover.ledger.entry import build_label, hash_key
from routee_failover.webhooks import aiohttp_receiver

from .helpers import ADA, BEN, otp, reconcile_until_done, sandbox_run, viber_first, viber_otp


async def test_keep_policy_sends_no_requests() -> None:
    """With KEEP no request is sent, and the unknown messages are counted."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset")
        requests = run.sandbox.counts.requests
        result = await run.reconciler(on_unknown=UnknownPolicy.KEEP).reconcile()
        assert run.sandbox.counts.requests == requests
    assert (result.unknown, result.next_due_in) == (1, None)


async def test_viber_otps_stay_unknown() -> None:
    """No list shows Viber OTPs: nothing is looked up, and nothing is resolved."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        result = await reconcile_until_done(run.reconciler())
    assert result.unknown_by_reason == {"Routee documents no list of Viber OTPs": 1}


async def test_unprovable_message_is_resent_once_after_its_lease() -> None:
    """RESEND lets a message be sent once more, after its lease, and only once."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset", lease=0.1)
        reconciler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        result = await reconciler.reconcile()
        assert result.to_resend == 0
        await asyncio.sleep(0.15)
        assert (await reconcile_until_done(reconciler)).to_resend == 1
        assert (await run.entry(ADA)).resolved_by == "policy"
        await run.send(ADA, fault="reset")
        result = await reconcile_until_done(run.reconciler(on_unknown=UnknownPolicy.RESEND))
        assert (result.to_resend, result.unknown) == (0, 1)
        assert len(run.sandbox.accepted) == 2


async def test_message_with_changed_content_is_not_resent() -> None:
    """A message that was released because its content has changed stays unknown, and is not resent."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset")
        reconciler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        assert (await reconcile_until_done(reconciler)).to_resend == 1
        entry = await run.entry(ADA)
        await run.ledger.apply(
            Transition.MARK_UNKNOWN, TransitionDetails(entry.number, entry.attempt, "changed", resolved_by="policy")
        )
        result = await reconcile_until_done(reconciler)
        assert (result.to_resend, result.unknown) == (0, 1)


async def test_resend_follows_all_lookups() -> None:
    """Before a resend a message is looked up as often as with RECONCILE."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN, fault="reset")
        reconciler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        first = await reconciler.reconcile()
        assert first.to_resend == 0
        result = await reconcile_until_done(reconciler)
        assert (first.accepted + result.accepted, result.to_resend) == (1, 1)


@pytest.mark.parametrize("make_flow", [viber_first, otp])
async def test_callback_proves_acceptance_and_reports_delivery(make_flow: Any) -> None:
    """A callback to a URL of this run proves acceptance before any search, and its delivery report is recorded."""
    inbox = CallbackInbox()
    async with sandbox_run(make_flow) as run, _receiver(inbox) as signer:
        reconciler = run.reconciler(on_unknown=UnknownPolicy.KEEP)
        inbox.on_flow(reconciler.handle_callback)
        inbox.on_otp(reconciler.handle_callback)
        url = signer.url(build_label(run.ledger.run_id, hash_key(ADA)))
        await run.send(ADA, fault="reset", url=url)
        for _ in range(100):
            await run.sandbox.advance(timedelta(minutes=5))
            entry = await run.entry(ADA)
            if entry.delivery_report is not None:
                break
        (flow,) = run.sandbox.accepted
    assert (entry.state, entry.resolved_by, entry.tracking_id) == (EntryState.ACCEPTED, "callback", flow.id)
    assert entry.delivery_report is not None
    assert (entry.delivery_report.status, entry.delivery_report.country) == ("Succeeded", "GR")


async def test_foreign_callbacks_change_nothing() -> None:
    """A callback without a reference, of another run, or of no message of this one changes nothing."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset")
        reconciler, record = (
            run.reconciler(),
            FlowRecord.from_dict({"trackingId": "t-1", "status": "Succeeded", "messages": []}),
        )
        references = [
            None,
            "order 4711",
            build_label("aaaaaaaaaaaa", hash_key(ADA)),
            build_label(run.ledger.run_id, hash_key("nobody")),
        ]
        for reference in references:
            await reconciler.handle_callback(
                CallbackEvent(record=record, reference=reference, received_at=datetime.now(UTC))
            )
        assert await run.state(ADA) is EntryState.UNKNOWN


def test_each_endpoint_has_an_explanation() -> None:
    """Each endpoint has a description of what can be proven."""
    assert len({explain_reconciliation(endpoint) for endpoint in Endpoint}) == len(Endpoint)
    assert "Nothing can be proven" in explain_reconciliation("viber-otp")


@asynccontextmanager
async def _receiver(inbox: CallbackInbox) -> AsyncIterator[CallbackSigner]:
    """Run a callback receiver on this machine; yields the signer of its URLs."""
    key = "k" * 40
    app = web.Application()
    app.add_subapp("/routee", aiohttp_receiver(inbox, CallbackSigner(key, base_url="http://127.0.0.1:1/routee")))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield CallbackSigner(key, base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/routee")
    finally:
        await runner.cleanup()
