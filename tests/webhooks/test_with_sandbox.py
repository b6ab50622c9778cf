"""Callbacks that a sandbox posts over real sockets: in order, repeated, reordered, rejected, forged and lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import aiohttp
import pytest

from routee_failover import (
    Callback,
    CallbackInbox,
    CallbackSigner,
    OtpFlow,
    OtpSmsStep,
    RouteeClient,
    SmsStep,
    StandardFlow,
    ViberOtpStep,
    ViberStep,
)
from routee_failover._polling import PollSchedule
from routee_failover.sandbox import CallbackScript, Sandbox

from .payloads import body_of, flow, otp
from .recorders import RecordingHandler, RecordingObserver
from .servers import MOUNT_PATH, SERVERS

BOTH = pytest.mark.parametrize("server", ["aiohttp", "fastapi"])
TO = "+306900000300"
"""A number for which Viber expires and the SMS is delivered."""
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Service(NamedTuple):
    """A sandbox, a client of it, and a service that it can call back."""

    sandbox: Sandbox
    routee: RouteeClient
    inbox: CallbackInbox
    signer: CallbackSigner
    url: str
    observer: RecordingObserver

    def otp(self, reference: str = "login") -> OtpFlow:
        """Return an OTP flow with a callback URL of the service."""
        viber = ViberOtpStep(
            to=TO,
            ttl=MINUTE,
            pin="739164",
            sender_info_tracking_id="my-sender",
            template_id="0aac888f-2ee2-4112-9659-1755a951966a",
        )
        sms = OtpSmsStep(to=TO, message="Your code is 739164", ttl=MINUTE)
        return OtpFlow(steps=[viber, sms], callback=Callback(url=self.signer.url(reference)))

    def standard(self, reference: str = "order", to: str = TO, strategy: str = "OnStep") -> StandardFlow:
        """Return a standard flow with callback URLs of the service, for replies as well."""
        viber = ViberStep(
            to=to,
            ttl=MINUTE,
            message="Hello",
            sender_info_tracking_id="my-sender",
            inbound_url=self.signer.url(f"reply to {reference}"),
        )
        sms = SmsStep(from_="Demo", to=to, message="Hello")
        return StandardFlow(steps=[viber, sms], callback=Callback(url=self.signer.url(reference), strategy=strategy))


@asynccontextmanager
async def serve(server: str = "aiohttp", **settings: Any) -> AsyncIterator[Service]:
    """Serve everything, with a virtual clock that does not run by itself."""
    signer, observer = CallbackSigner("k" * 40, base_url="http://127.0.0.1"), RecordingObserver()
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        if settings.pop("confirmed", False):
            settings["confirm"] = routee.track
        if settings.pop("notified", False):
            settings["notify"] = routee.notify
        async with CallbackInbox(observers=[observer], **settings) as inbox, SERVERS[server](inbox, signer) as url:
            mounted_signer = CallbackSigner("k" * 40, base_url=url + MOUNT_PATH)
            yield Service(sandbox, routee, inbox, mounted_signer, url, observer)


@BOTH
async def test_changes_of_an_otp_flow_are_dispatched_once_in_order(server: str) -> None:
    """Each change of an OTP flow is dispatched once, in order, with the flow's reference."""
    async with serve(server) as service:
        handler = RecordingHandler(service.inbox)
        receipt = await service.routee.send(service.otp("login of Ada"))
        await service.sandbox.advance(DAY)
        await handler.wait_until(lambda events: events[-1].record.final)
        tracked = await service.routee.track(receipt)
    assert {event.tracking_id for event in handler.events} == {receipt.flow_id}
    assert {event.reference for event in handler.events} == {"login of Ada"}
    statuses = [tuple(str(step.status) for step in event.record.steps) for event in handler.events]
    assert len(statuses) == len(set(statuses)) > 2
    assert handler.events[-1].record == tracked


@BOTH
@pytest.mark.parametrize("order", ["as-is", "reversed", "shuffled"])
async def test_repeated_and_reordered_callbacks_advance_to_one_final_status(server: str, order: Any) -> None:
    """However often and in whatever order callbacks come, events advance, and the final status comes once."""
    async with serve(server) as service:
        handler = RecordingHandler(service.inbox)
        service.sandbox.script(callbacks=CallbackScript(repeat=3, order=order))
        await service.routee.send(service.standard())
        await service.routee.send(service.otp())
        await service.sandbox.advance(DAY)
        assert {record.state for record in service.sandbox.callbacks} == {"delivered"}
        await handler.wait_until(
            lambda events: {event.kind for event in events if event.record.final} == {"flow", "otp"}
        )
    for kind in ("flow", "otp"):
        finals = [event.record.final for event in handler.events if event.kind == kind]
        assert finals == [False] * (len(finals) - 1) + [True]
    assert len(handler.events) + len(service.observer.dropped) == len(service.sandbox.callbacks)


async def test_confirmed_final_status_equals_the_tracked_record() -> None:
    """With `confirm`, the final status is Routee's own record, over the client's connections."""
    async with serve(confirmed=True) as service:
        handler = RecordingHandler(service.inbox)
        receipt = await service.routee.send(service.standard(strategy="OnCompletion"))
        await service.sandbox.advance(DAY)
        (event,) = await handler.wait_for(1)
        assert event.confirmed
        assert event.record == await service.routee.track(receipt)


async def test_forged_callback_has_no_effect() -> None:
    """A caller without a URL gets a 404; one with a leaked URL cannot forge a final status if `confirm` is set."""
    async with serve(confirmed=True) as service, aiohttp.ClientSession() as session:
        handler = RecordingHandler(service.inbox)
        receipt = await service.routee.send(service.otp())
        forged = body_of(otp("Succeeded", "DELIVERED", tracking_id=str(receipt.flow_id)))
        async with session.post(f"{service.url}{MOUNT_PATH}/login", data=forged) as response:
            assert response.status == 404
        async with session.post(service.signer.url("login"), data=forged) as response:
            assert response.status == 200
        assert service.inbox.pending == 1
        await service.sandbox.advance(DAY)
        await handler.wait_until(lambda events: events[-1].record.final)
        assert [step.status for step in handler.events[-1].record.steps] == ["Expired", "Delivered"]
    assert sum(event.record.final for event in handler.events) == 1


async def test_callback_to_a_full_inbox_is_repeated() -> None:
    """A callback that got a 503 comes again on Routee's schedule, and is dispatched then."""
    async with serve(capacity=1) as service:
        events = aiter(service.inbox)
        assert service.inbox.receive(flow(tracking_id="first")) == "new"
        await service.routee.send(service.standard(strategy="OnCompletion"))
        await service.sandbox.advance(timedelta(minutes=3))
        assert service.observer.rejected
        assert {record.state for record in service.sandbox.callbacks} == {"pending"}
        assert (await anext(events)).tracking_id == "first"
        await service.sandbox.advance(timedelta(hours=1))
        assert (await anext(events)).record.raw["status"] == "Succeeded"
        assert {record.state for record in service.sandbox.callbacks} == {"delivered"}


async def test_reply_has_the_reference_of_its_own_url() -> None:
    """An inbound message has the reference of its own URL, and names the message that it replies to."""
    async with serve() as service:
        handler = RecordingHandler(service.inbox)
        receipt = await service.routee.send(service.standard(to="+306900000000", strategy="OnCompletion"))
        await service.sandbox.advance(MINUTE)
        service.sandbox.reply(str(receipt.tracking_id), "Yes, please")
        await service.sandbox.advance(MINUTE)
        await handler.wait_for(2)
        record = await service.routee.track(receipt)
    reply = handler.events[-1]
    assert (reply.kind, reply.reference, reply.record.message) == ("inbound", "reply to order", "Yes, please")
    assert (reply.record.from_, reply.record.label) == ("+306900000000", None)
    assert reply.record.reference_tracking_id == record.messages[0].raw["trackingId"]


@pytest.fixture
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """`wait` never polls: only a callback can end it."""
    monkeypatch.setattr(PollSchedule, "interval_after", lambda *_: 3600.0)


@BOTH
@pytest.mark.parametrize("order", ["as-is", "reversed", "shuffled"])
@pytest.mark.usefixtures("no_polling")
async def test_callback_ends_wait_without_polling(server: str, order: Any) -> None:
    """A request handler that awaits `wait` continues by the callback alone, even repeated and reordered."""
    async with serve(server, notified=True) as service:
        service.sandbox.script(callbacks=CallbackScript(repeat=3, order=order))
        waiting = asyncio.create_task(service.routee.wait(await service.routee.send(service.otp()), timeout=60))
        await asyncio.sleep(0)
        requests = service.sandbox.counts.requests
        await service.sandbox.advance(DAY)
        assert (await waiting).status == "Succeeded"
        assert service.sandbox.counts.requests == requests


@BOTH
@pytest.mark.usefixtures("no_polling")
async def test_forged_final_status_does_not_end_wait(server: str) -> None:
    """With `confirm`, a forged final status does not end the wait, and the true one does."""
    async with serve(server, notified=True, confirmed=True) as service, aiohttp.ClientSession() as session:
        receipt = await service.routee.send(service.otp())
        waiting = asyncio.create_task(service.routee.wait(receipt, timeout=60))
        forged = body_of(otp("Succeeded", "DELIVERED", tracking_id=str(receipt.flow_id)))
        async with session.post(service.signer.url("login"), data=forged) as response:
            assert response.status == 200
        assert service.inbox.pending == 1
        assert not waiting.done()
        await service.sandbox.advance(DAY)
        assert [step.status for step in (await waiting).steps] == ["Expired", "Delivered"]


@BOTH
async def test_wait_polls_if_every_callback_is_lost(server: str) -> None:
    """If every callback is lost, the final status is found by polling."""
    async with serve(server, notified=True) as service:
        service.sandbox.script(callbacks=CallbackScript(drop=True))
        waiting = asyncio.create_task(service.routee.wait(await service.routee.send(service.otp()), timeout=60))
        await service.sandbox.advance(DAY)
        assert (await waiting).status == "Succeeded"
