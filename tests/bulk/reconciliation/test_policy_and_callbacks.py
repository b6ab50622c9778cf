"""What settles a doubt beside a search: the policy of the run, and callbacks to the addresses that it signed."""

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


async def test_kept_as_asked() -> None:
    """With KEEP nobody is asked, and the doubts are counted."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset")
        requests = run.sandbox.counts.requests
        settled = await run.reconciler(on_unknown=UnknownPolicy.KEEP).reconcile()
        assert run.sandbox.counts.requests == requests
    assert (settled.unknown, settled.next_due_in) == (1, None)


async def test_viber_otps_stay_in_doubt() -> None:
    """No list shows Viber OTPs: nothing is asked, and nothing is settled."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset")
        await run.send(BEN)
        settled = await reconcile_until_done(run.reconciler())
    assert settled.kept == {"Routee documents no list of Viber OTPs": 1}


async def test_sent_again_where_nobody_can_know() -> None:
    """RESEND lets a message be sent once more, after its lease, and only once."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset", lease=0.1)
        settler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        settled = await settler.reconcile()
        assert settled.to_resend == 0
        await asyncio.sleep(0.15)
        assert (await reconcile_until_done(settler)).again == 1
        assert (await run.intent(ADA)).resolved_by == "policy"
        await run.send(ADA, fault="reset")
        settled = await reconcile_until_done(run.reconciler(on_unknown=UnknownPolicy.RESEND))
        assert (settled.again, settled.in_doubt) == (0, 1)
        assert len(run.sandbox.accepted) == 2


async def test_content_that_has_changed() -> None:
    """What the sender gives back as its content has changed stays in doubt, and is not offered again."""
    async with sandbox_run(viber_otp) as run:
        await run.send(ADA, fault="reset")
        settler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        assert (await reconcile_until_done(settler)).again == 1
        intent = await run.intent(ADA)
        await run.ledger.apply(
            Transition.MARK_UNKNOWN, TransitionDetails(intent.number, intent.attempt, "changed", resolved_by="policy")
        )
        settled = await reconcile_until_done(settler)
        assert (settled.again, settled.in_doubt) == (0, 1)


async def test_sent_again_only_after_every_look() -> None:
    """What a search can find is searched for as long as with RECONCILE before it is sent again."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset-before")
        await run.send(BEN, fault="reset")
        settler = run.reconciler(on_unknown=UnknownPolicy.RESEND)
        first = await settler.reconcile()
        assert first.to_resend == 0
        settled = await reconcile_until_done(settler)
        assert (first.accepted + settled.accepted, settled.again) == (1, 1)


@pytest.mark.parametrize("make", [viber_first, otp])
async def test_a_callback_is_the_receipt(make: Any) -> None:
    """A callback to an address of this run proves acceptance before any search, and its end is kept."""
    inbox = CallbackInbox()
    async with sandbox_run(make) as run, _receiver(inbox) as signer:
        settler = run.reconciler(on_unknown=UnknownPolicy.KEEP)
        inbox.on_flow(settler.handle_callback)
        inbox.on_otp(settler.handle_callback)
        url = signer.url(build_label(run.ledger.run_id, hash_key(ADA)))
        await run.send(ADA, fault="reset", url=url)
        for _ in range(100):
            await run.sandbox.advance(timedelta(minutes=5))
            intent = await run.intent(ADA)
            if intent.delivery_report is not None:
                break
        (flow,) = run.sandbox.accepted
    assert (intent.state, intent.resolved_by, intent.tracking_id) == (EntryState.ACCEPTED, "callback", flow.id)
    assert intent.delivery_report is not None
    assert (intent.delivery_report.status, intent.delivery_report.country) == ("Succeeded", "GR")


async def test_callbacks_of_others() -> None:
    """A callback without an intent, of another run, or of no message of this one changes nothing."""
    async with sandbox_run() as run:
        await run.send(ADA, fault="reset")
        settler, record = (
            run.reconciler(),
            FlowRecord.from_dict({"trackingId": "t-1", "status": "Succeeded", "messages": []}),
        )
        strangers = [
            None,
            "order 4711",
            build_label("aaaaaaaaaaaa", hash_key(ADA)),
            build_label(run.ledger.run_id, hash_key("nobody")),
        ]
        for intent in strangers:
            await settler.handle_callback(CallbackEvent(record=record, reference=intent, received_at=datetime.now(UTC)))
        assert await run.state(ADA) is EntryState.UNKNOWN


def test_what_each_endpoint_can_prove() -> None:
    """Of each endpoint it is said in words what can be proven."""
    assert len({explain_reconciliation(endpoint) for endpoint in Endpoint}) == len(Endpoint)
    assert "Nothing can be proven" in explain_reconciliation("viber-otp")


@asynccontextmanager
async def _receiver(inbox: CallbackInbox) -> AsyncIterator[CallbackSigner]:
    """A receiver of callbacks on this machine; gives what signs its addresses."""
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
