"""Callbacks that a sandbox posts over real sockets: in order, repeated, turned round, refused, forged, and lost."""

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
from .recorders import Heard, Notes
from .servers import AT, SERVERS

BOTH = pytest.mark.parametrize("server", ["aiohttp", "fastapi"])
TO = "+306900000300"
"""Viber expires, and the SMS arrives."""
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Stage(NamedTuple):
    """A sandbox, a client of it, and a service that it can call."""

    sandbox: Sandbox
    routee: RouteeClient
    inbox: CallbackInbox
    signer: CallbackSigner
    url: str
    notes: Notes

    def otp(self, intent: str = "login") -> OtpFlow:
        """A one-time password that is reported to the service."""
        viber = ViberOtpStep(
            to=TO,
            ttl=MINUTE,
            pin="739164",
            sender_info_tracking_id="my-sender",
            template_id="0aac888f-2ee2-4112-9659-1755a951966a",
        )
        sms = OtpSmsStep(to=TO, message="Your code is 739164", ttl=MINUTE)
        return OtpFlow(steps=[viber, sms], callback=Callback(url=self.signer.url(intent)))

    def standard(self, intent: str = "order", to: str = TO, strategy: str = "OnStep") -> StandardFlow:
        """A message that is reported to the service, replies as well."""
        viber = ViberStep(
            to=to,
            ttl=MINUTE,
            message="Hello",
            sender_info_tracking_id="my-sender",
            inbound_url=self.signer.url(f"reply to {intent}"),
        )
        sms = SmsStep(from_="Demo", to=to, message="Hello")
        return StandardFlow(steps=[viber, sms], callback=Callback(url=self.signer.url(intent), strategy=strategy))


@asynccontextmanager
async def stage(server: str = "aiohttp", **settings: Any) -> AsyncIterator[Stage]:
    """Everything, with a clock that stands still."""
    signer, notes = CallbackSigner("k" * 40, base_url="http://127.0.0.1"), Notes()
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        if settings.pop("confirmed", False):
            settings["confirm"] = routee.track
        if settings.pop("told", False):
            settings["tell"] = routee.notify
        async with CallbackInbox(observers=[notes], **settings) as inbox, SERVERS[server](inbox, signer) as url:
            here = CallbackSigner("k" * 40, base_url=url + AT)
            yield Stage(sandbox, routee, inbox, here, url, notes)


@BOTH
async def test_a_login(server: str) -> None:
    """Each change of a one-time password's flow comes once, in order, to whoever it was sent for."""
    async with stage(server) as here:
        heard = Heard(here.inbox)
        receipt = await here.routee.send(here.otp("login of Ada"))
        await here.sandbox.advance(DAY)
        await heard.until(lambda events: events[-1].record.final)
        tracked = await here.routee.track(receipt)
    assert {event.tracking_id for event in heard.events} == {receipt.flow_id}
    assert {event.reference for event in heard.events} == {"login of Ada"}
    said = [tuple(str(step.status) for step in event.record.steps) for event in heard.events]
    assert len(said) == len(set(said)) > 2
    assert heard.events[-1].record == tracked


@BOTH
@pytest.mark.parametrize("order", ["as-is", "reversed", "shuffled"])
async def test_repeated_and_turned_round(server: str, order: Any) -> None:
    """However often and in whatever order callbacks come, what is handed out goes forward, and the end comes once."""
    async with stage(server) as here:
        heard = Heard(here.inbox)
        here.sandbox.script(callbacks=CallbackScript(repeat=3, order=order))
        await here.routee.send(here.standard())
        await here.routee.send(here.otp())
        await here.sandbox.advance(DAY)
        assert {record.state for record in here.sandbox.callbacks} == {"delivered"}
        await heard.until(lambda events: {event.kind for event in events if event.record.final} == {"flow", "otp"})
    for kind in ("flow", "otp"):
        finals = [event.record.final for event in heard.events if event.kind == kind]
        assert finals == [False] * (len(finals) - 1) + [True]
    assert len(heard.events) + len(here.notes.dropped) == len(here.sandbox.callbacks)


async def test_an_end_that_routee_confirms() -> None:
    """With `confirm`, the end is Routee's own record, over the client's connections."""
    async with stage(confirmed=True) as here:
        heard = Heard(here.inbox)
        receipt = await here.routee.send(here.standard(strategy="OnCompletion"))
        await here.sandbox.advance(DAY)
        (event,) = await heard.count(1)
        assert event.confirmed
        assert event.record == await here.routee.track(receipt)


async def test_forged() -> None:
    """A stranger finds no address; one who has found an address, with `confirm`, ends nothing by it."""
    async with stage(confirmed=True) as here, aiohttp.ClientSession() as session:
        heard = Heard(here.inbox)
        receipt = await here.routee.send(here.otp())
        forged = body_of(otp("Succeeded", "DELIVERED", identity=str(receipt.flow_id)))
        async with session.post(f"{here.url}{AT}/login", data=forged) as answer:
            assert answer.status == 404
        async with session.post(here.signer.url("login"), data=forged) as answer:
            assert answer.status == 200
        assert here.inbox.pending == 1
        await here.sandbox.advance(DAY)
        await heard.until(lambda events: events[-1].record.final)
        assert [step.status for step in heard.events[-1].record.steps] == ["Expired", "Delivered"]
    assert sum(event.record.final for event in heard.events) == 1


async def test_a_full_inbox_is_called_again() -> None:
    """What was answered 503 comes again on Routee's schedule, and is handed out then."""
    async with stage(capacity=1) as here:
        events = aiter(here.inbox)
        assert here.inbox.receive(flow(identity="first")) == "taken"
        await here.routee.send(here.standard(strategy="OnCompletion"))
        await here.sandbox.advance(timedelta(minutes=3))
        assert here.notes.refused
        assert {record.state for record in here.sandbox.callbacks} == {"pending"}
        assert (await anext(events)).tracking_id == "first"
        await here.sandbox.advance(timedelta(hours=1))
        assert (await anext(events)).record.raw["status"] == "Succeeded"
        assert {record.state for record in here.sandbox.callbacks} == {"delivered"}


async def test_a_reply() -> None:
    """What the person writes back arrives with the intent of its own address, and names the message that it answers."""
    async with stage() as here:
        heard = Heard(here.inbox)
        receipt = await here.routee.send(here.standard(to="+306900000000", strategy="OnCompletion"))
        await here.sandbox.advance(MINUTE)
        here.sandbox.reply(str(receipt.tracking_id), "Yes, please")
        await here.sandbox.advance(MINUTE)
        await heard.count(2)
        record = await here.routee.track(receipt)
    reply = heard.events[-1]
    assert (reply.kind, reply.reference, reply.record.message) == ("inbound", "reply to order", "Yes, please")
    assert (reply.record.from_, reply.record.label) == ("+306900000000", None)
    assert reply.record.reference_tracking_id == record.messages[0].raw["trackingId"]


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits asks nothing by itself: only a callback can end the wait."""
    monkeypatch.setattr(PollSchedule, "interval_after", lambda *_: 3600.0)


@BOTH
@pytest.mark.parametrize("order", ["as-is", "reversed", "shuffled"])
@pytest.mark.usefixtures("unasked")
async def test_a_callback_ends_the_wait(server: str, order: Any) -> None:
    """A request handler that awaits `wait` goes on by the callback alone, repeated and turned round as it may come."""
    async with stage(server, told=True) as here:
        here.sandbox.script(callbacks=CallbackScript(repeat=3, order=order))
        waiting = asyncio.create_task(here.routee.wait(await here.routee.send(here.otp()), timeout=60))
        await asyncio.sleep(0)
        asked = here.sandbox.counts.requests
        await here.sandbox.advance(DAY)
        assert (await waiting).status == "Succeeded"
        assert here.sandbox.counts.requests == asked


@BOTH
@pytest.mark.usefixtures("unasked")
async def test_a_forged_end_ends_no_wait(server: str) -> None:
    """With `confirm`, an end that somebody made up leaves the wait waiting, and the true one ends it."""
    async with stage(server, told=True, confirmed=True) as here, aiohttp.ClientSession() as session:
        receipt = await here.routee.send(here.otp())
        waiting = asyncio.create_task(here.routee.wait(receipt, timeout=60))
        forged = body_of(otp("Succeeded", "DELIVERED", identity=str(receipt.flow_id)))
        async with session.post(here.signer.url("login"), data=forged) as answer:
            assert answer.status == 200
        assert here.inbox.pending == 1
        assert not waiting.done()
        await here.sandbox.advance(DAY)
        assert [step.status for step in (await waiting).steps] == ["Expired", "Delivered"]


@BOTH
async def test_a_request_that_waits(server: str) -> None:
    """Where every callback is lost, the end is found by asking."""
    async with stage(server, told=True) as here:
        here.sandbox.script(callbacks=CallbackScript(drop=True))
        waiting = asyncio.create_task(here.routee.wait(await here.routee.send(here.otp()), timeout=60))
        await here.sandbox.advance(DAY)
        assert (await waiting).status == "Succeeded"
