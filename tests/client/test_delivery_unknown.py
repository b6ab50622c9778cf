"""A message of unknown outcome: raised, or passed to a reconciler first; never sent again."""

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

from .fake_routee import FakeRoutee, ReceivedRequest, Responder, accepted_response, always
from .sample_flows import otp, sms

RECEIPT = FlowReceipt.from_dict({"trackingId": "found"})


class StubReconciler:
    """A reconciler that returns or raises what it is given, or raises the error that it was asked about."""

    def __init__(self, result: Any = None) -> None:
        self.result = result
        self.calls: list[tuple[Any, DeliveryUnknown]] = []

    async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> Any:
        """Record the call and return or raise the result."""
        self.calls.append((flow, unknown))
        await asyncio.sleep(0)
        if self.result is None:
            raise unknown
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def _unreadable_response(_request: ReceivedRequest) -> web.StreamResponse:
    return web.Response(text="<html>")


UNKNOWN: dict[str, Responder] = {"500": always(500), "an unreadable response": _unreadable_response}


@pytest.mark.parametrize("responder", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("options", [{}, {"on_unknown": OnUnknown.RAISE}, {"on_unknown": "raise"}])
async def test_unknown_outcome_is_raised_by_default(responder: Responder, options: Any) -> None:
    """By default `send` raises DeliveryUnknown, and does not ask a reconciler even if there is one."""
    reconciler = StubReconciler(RECEIPT)
    async with FakeRoutee(responder) as server, RouteeClient(server.config(), reconciler=reconciler) as client:
        with pytest.raises(DeliveryUnknown) as caught:
            await client.send(sms(), **options)
        assert (caught.value.outcome, len(server.requests), reconciler.calls) == (Outcome.UNKNOWN, 1, [])


@pytest.mark.parametrize("responder", UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("on_unknown", [OnUnknown.RECONCILE, "reconcile"])
async def test_reconciled_receipt_is_returned(responder: Responder, on_unknown: Any) -> None:
    """The reconciler is asked once, with the flow and the error, and its receipt is returned; nothing is sent again."""
    reconciler, flow = StubReconciler(RECEIPT), sms()
    async with FakeRoutee(responder) as server, RouteeClient(server.config(), reconciler=reconciler) as client:
        assert await client.send(flow, on_unknown=on_unknown) is RECEIPT
        assert len(server.requests) == 1
    ((reconciled_flow, unknown),) = reconciler.calls
    assert reconciled_flow is flow
    assert unknown.correlation["endpoint"] == "standard"


@pytest.mark.parametrize(
    "result", [None, ConnectFailed("it never came; nothing was sent"), BadRequest("no", status=400)]
)
async def test_error_of_the_reconciler_is_raised(result: Exception | None) -> None:
    """What the reconciler raises is raised: the DeliveryUnknown that it was given, or what it could prove."""
    reconciler = StubReconciler(result)
    async with FakeRoutee(always(502)) as server, RouteeClient(server.config(), reconciler=reconciler) as client:
        with pytest.raises(type(result) if result else DeliveryUnknown) as caught:
            await client.send(otp(), on_unknown=OnUnknown.RECONCILE)
        assert caught.value is (result or reconciler.calls[0][1])
        assert len(server.requests) == 1


KNOWN: dict[str, tuple[Responder, type[Exception] | None]] = {
    "accepted": (always(200, {"trackingId": "t-1"}), None),
    "rejected": (always(400), Rejected),
}


@pytest.mark.parametrize(("responder", "error"), KNOWN.values(), ids=KNOWN)
async def test_known_outcome_does_not_call_the_reconciler(responder: Responder, error: type[Exception] | None) -> None:
    """A message whose outcome is known is not reconciled."""
    reconciler = StubReconciler(RECEIPT)
    async with FakeRoutee(responder) as server, RouteeClient(server.config(), reconciler=reconciler) as client:
        if error is None:
            receipt = await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
            assert receipt.tracking_id == "t-1"
        else:
            with pytest.raises(error):
                await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
    assert reconciler.calls == []


async def test_unsent_message_does_not_call_the_reconciler() -> None:
    """If no server listens there is nothing to reconcile."""
    reconciler = StubReconciler(RECEIPT)
    async with FakeRoutee() as server:
        config = server.config(api_url="http://127.0.0.1:1", max_attempts=1)
        async with RouteeClient(config, reconciler=reconciler) as client:
            with pytest.raises(ConnectFailed):
                await client.send(sms(), on_unknown=OnUnknown.RECONCILE)
    assert reconciler.calls == []


async def _accept(_request: ReceivedRequest) -> web.StreamResponse:
    return accepted_response()


@pytest.mark.parametrize("on_unknown", [OnUnknown.RECONCILE, "reconcile", "again", None, True])
async def test_invalid_on_unknown_is_refused_before_anything_is_sent(on_unknown: Any) -> None:
    """RECONCILE without a reconciler, and any other value, are mistakes in the program: nothing is on the wire."""
    async with FakeRoutee(_accept) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidConfig, match="on_unknown") as caught:
            await client.send(sms(), on_unknown=on_unknown)
        assert caught.value.outcome is Outcome.NOT_SENT
        assert (server.requests, server.token_requests) == ([], 0)


async def test_cancelled_send_cancels_the_reconciler() -> None:
    """Cancelling a send that is being reconciled cancels the reconciler, and sends nothing."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    class SlowReconciler:
        async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> Any:
            started.set()
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()

    async with FakeRoutee(always(500)) as server, RouteeClient(server.config(), reconciler=SlowReconciler()) as client:
        sending = asyncio.create_task(client.send(sms(), on_unknown=OnUnknown.RECONCILE))
        await started.wait()
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()
        assert cancelled.is_set()
        assert len(server.requests) == 1


async def test_from_env_accepts_a_reconciler() -> None:
    """from_env accepts a reconciler beside the settings."""
    async with FakeRoutee(always(500)) as server:
        environ = {
            "ROUTEE_APPLICATION_ID": "application",
            "ROUTEE_APPLICATION_SECRET": "canary-key",
            "ROUTEE_API_URL": server.url,
            "ROUTEE_AUTH_URL": server.url,
        }
        async with RouteeClient.from_env(environ, reconciler=StubReconciler(RECEIPT)) as client:
            assert await client.send(sms(), on_unknown=OnUnknown.RECONCILE) is RECEIPT
