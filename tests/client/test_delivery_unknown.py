"""What is done about a message of unknown outcome: it is told, or somebody is asked first; it is never sent again."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from routee_failover import (
    BadRequest,
    ConnectFailed,
    DeliveryUnknown,
    FlowReceipt,
    InvalidConfig,
    OnUnknown,
    Outcome,
    Rejected,
    RouteeClient,
)

from .fake_routee import Answering, FakeRoutee, Seen, accepted, always
from .sample_flows import otp, sms

RECEIPT = FlowReceipt.from_dict({"trackingId": "found"})


class Finds:
    """A reconciler that returns what it is given, or raises it, or what it was asked about."""

    def __init__(self, found: Any = None) -> None:
        self.found = found
        self.asked: list[tuple[Any, DeliveryUnknown]] = []

    async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> Any:
        """Find out."""
        self.asked.append((flow, unknown))
        await asyncio.sleep(0)
        if self.found is None:
            raise unknown
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


async def _unreadable(_seen: Seen) -> web.StreamResponse:
    return web.Response(text="<html>")


UNKNOWN: dict[str, Answering] = {"500": always(500), "an answer that cannot be read": _unreadable}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("named", [{}, {"on_unknown": OnUnknown.RAISE}, {"on_unknown": "raise"}])
async def test_an_unknown_outcome_is_raised(answer: Answering, named: Any) -> None:
    """Unless told otherwise, `send` raises DeliveryUnknown, and asks a reconciler that is there nothing."""
    finds = Finds(RECEIPT)
    async with FakeRoutee(answer) as server, RouteeClient(server.config(), reconciler=finds) as client:
        with pytest.raises(DeliveryUnknown) as caught:
            await client.send(sms(), **named)
        assert (caught.value.outcome, len(server.requests), finds.asked) == (Outcome.UNKNOWN, 1, [])


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("on_unknown", [OnUnknown.RECONCILE, "reconcile"])
async def test_a_reconciler_may_find_the_receipt(answer: Answering, on_unknown: Any) -> None:
    """The reconciler is asked once, with the flow and the error, and its receipt is returned; nothing is sent again."""
    finds, flow = Finds(RECEIPT), sms()
    async with FakeRoutee(answer) as server, RouteeClient(server.config(), reconciler=finds) as client:
        assert await client.send(flow, on_unknown=on_unknown) is RECEIPT
        assert len(server.requests) == 1
    ((asked, unknown),) = finds.asked
    assert asked is flow
    assert unknown.correlation["endpoint"] == "standard"


@pytest.mark.parametrize(
    "found", [None, ConnectFailed("it never came; nothing was sent"), BadRequest("no", status=400)]
)
async def test_a_reconciler_may_raise(found: Exception | None) -> None:
    """What it raises is raised: the DeliveryUnknown that it was given, or what it could prove."""
    finds = Finds(found)
    async with FakeRoutee(always(502)) as server, RouteeClient(server.config(), reconciler=finds) as client:
        with pytest.raises(type(found) if found else DeliveryUnknown) as caught:
            await client.send(otp(), on_unknown=OnUnknown.RECONCILE)
        assert caught.value is (found or finds.asked[0][1])
        assert len(server.requests) == 1


KNOWN: dict[str, tuple[Answering, type[Exception] | None]] = {
    "accepted": (always(200, {"trackingId": "t-1"}), None),
    "rejected": (always(400), Rejected),
}


@pytest.mark.parametrize(("answer", "error"), KNOWN.values(), ids=KNOWN)
async def test_a_reconciler_is_asked_about_nothing_else(answer: Answering, error: type[Exception] | None) -> None:
    """What is known is not asked about."""
    finds = Finds(RECEIPT)
    async with FakeRoutee(answer) as server, RouteeClient(server.config(), reconciler=finds) as client:
        if error is None:
            receipt = await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
            assert receipt.tracking_id == "t-1"
        else:
            with pytest.raises(error):
                await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
    assert finds.asked == []


async def test_a_message_that_was_not_sent_is_not_asked_about() -> None:
    """Where nobody listens there is nothing to find."""
    finds = Finds(RECEIPT)
    async with FakeRoutee() as server:
        config = server.config(api_url="http://127.0.0.1:1", max_attempts=1)
        async with RouteeClient(config, reconciler=finds) as client:
            with pytest.raises(ConnectFailed):
                await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
    assert finds.asked == []


async def _accept(_seen: Seen) -> web.StreamResponse:
    return accepted()


@pytest.mark.parametrize("on_unknown", [OnUnknown.RECONCILE, "reconcile", "again", None, True])
async def test_what_cannot_be_done_is_refused_before_anything_is_sent(on_unknown: Any) -> None:
    """RECONCILE without a reconciler, and what is neither, are mistakes in the program: nothing is on the wire."""
    async with FakeRoutee(_accept) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidConfig, match="on_unknown") as caught:
            await client.send(sms(), on_unknown=on_unknown)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert (server.requests, server.token_requests) == ([], 0)


async def test_a_caller_may_leave_while_somebody_is_asked() -> None:
    """Cancelling a send that is being reconciled cancels the reconciler, and sends nothing."""
    begun, left = asyncio.Event(), asyncio.Event()

    class Slow:
        async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> Any:
            begun.set()
            try:
                await asyncio.sleep(3600)
            finally:
                left.set()

    async with FakeRoutee(always(500)) as server, RouteeClient(server.config(), reconciler=Slow()) as client:
        sending = asyncio.create_task(client.send(sms(), on_unknown=OnUnknown.RECONCILE))
        await begun.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        assert left.is_set()
        assert len(server.requests) == 1


async def test_a_client_from_the_environment_may_have_a_reconciler() -> None:
    """from_env takes a reconciler beside the settings."""
    async with FakeRoutee(always(500)) as server:
        environ = {
            "ROUTEE_APPLICATION_ID": "application",
            "ROUTEE_APPLICATION_SECRET": "canary-key",
            "ROUTEE_API_URL": server.url,
            "ROUTEE_AUTH_URL": server.url,
        }
        async with RouteeClient.from_env(environ, reconciler=Finds(RECEIPT)) as client:
            assert await client.send(sms(), on_unknown=OnUnknown.RECONCILE) is RECEIPT
