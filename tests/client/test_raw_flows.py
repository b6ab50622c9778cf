"""Raw flows are sent as they are, with the same promises about the outcome as every other flow."""

import asyncio
import json
from datetime import timedelta
from typing import Any, assert_type

import pytest
from aiohttp import web

from routee_failover import (
    AnyReceipt,
    BadRequest,
    DeadlinePassed,
    DeliveryUnknown,
    Endpoint,
    FlowFailed,
    FlowReceipt,
    NotSent,
    OtpReceipt,
    Outcome,
    RawFlow,
    RouteeClient,
    ViberOtpReceipt,
    Withdrawn,
)
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, accepted_response, always
from .rendered_errors import shown
from .sample_flows import CANARIES, PHONE, PIN, TEXT, sms

MAPPING: dict[str, Any] = {
    "zeta": {"note": TEXT},
    "flow": [{"to": PHONE.removeprefix("+"), "type": "Rcs", "order": 9, "pin": int(PIN), "ttl": 3600}],
}
PATHS = {
    Endpoint.STANDARD: "/failover",
    Endpoint.TRANSACTIONAL: "/failover/transactional",
    Endpoint.OTP: "/failover-otp/otp/send-failover",
    Endpoint.VIBER_OTP: "/viber/otp",
}
RECEIPTS: dict[Endpoint, tuple[dict[str, Any], type[Any]]] = {
    Endpoint.STANDARD: ({"trackingId": "t-1"}, FlowReceipt),
    Endpoint.TRANSACTIONAL: ({"trackingId": "t-1"}, FlowReceipt),
    Endpoint.OTP: ({"flowId": "t-1", "status": "Queued"}, OtpReceipt),
    Endpoint.VIBER_OTP: ({"trackingId": "t-1", "status": "Queued"}, ViberOtpReceipt),
}


@pytest.mark.parametrize("endpoint", Endpoint)
async def test_mapping_is_posted_as_it_is_and_the_receipt_read_by_the_endpoints_reader(endpoint: Endpoint) -> None:
    """The body is the mapping's JSON in its order, and the receipt is of the endpoint's class."""
    body, receipt_class = RECEIPTS[endpoint]
    async with FakeRoutee(always(200, body)) as server, RouteeClient(server.config()) as client:
        receipt = assert_type(await client.send(RawFlow(endpoint, MAPPING)), AnyReceipt)
    assert type(receipt) is receipt_class
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", PATHS[endpoint])
    assert request.body.decode() == json.dumps(MAPPING, separators=(",", ":"))
    assert request.headers["Content-Type"] == "application/json"


async def test_receipt_of_a_raw_flow_is_tracked_waited_for_and_found() -> None:
    """What Routee accepted of a raw flow is tracked, waited for and searched as every flow of its endpoint."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": PHONE, "message": {"body": "Hi"}}
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        receipt = await client.send(RawFlow("standard", {"flow": [step]}))
        assert isinstance(receipt, FlowReceipt)
        assert (await client.track(receipt)).tracking_id == receipt.tracking_id
        assert (await client.wait(receipt, timeout=30)).final
        assert [found.tracking_id async for found in client.search(to=PHONE)] == [receipt.tracking_id]
        password = await client.send(RawFlow("otp", {"flow": [step | {"ttl": 60}]}))
        assert isinstance(password, OtpReceipt)
        assert (await client.track(password)).flow_id == password.flow_id
        assert [found.flow_id async for found in client.search_otp(phone_number=PHONE)] == [password.flow_id]


async def test_throttled_raw_flow_is_sent_again_with_the_same_body() -> None:
    """A rejection for now is retried as for every flow, with the same bytes."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        if len(server.requests) == 1:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return accepted_response()

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        receipt = await client.send(RawFlow("standard", MAPPING), deadline=timedelta(seconds=30))
    assert isinstance(receipt, FlowReceipt)
    first, second = server.requests
    assert first.body == second.body


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"developerMessage": f"to {PHONE[1:]} of {PIN}: {TEXT}", "code": PIN}, BadRequest),
        (200, {"status": "Failed", "statusCode": 7, "error": f"{PIN} to {PHONE}: {TEXT}"}, FlowFailed),
        (500, {"error": TEXT}, DeliveryUnknown),
        (200, {"neither": TEXT}, DeliveryUnknown),
    ],
)
async def test_errors_say_what_is_proven_and_show_nothing_of_the_content(
    status: int, body: Any, error: type[Any]
) -> None:
    """A raw flow that was not accepted raises what any flow raises, and no text, attribute or frame of it leaks."""
    async with FakeRoutee(always(status, body)) as server, RouteeClient(server.config()) as client:
        flow = RawFlow("otp", MAPPING)
        with pytest.raises(error) as raised:
            await client.send(flow)
    assert len(server.requests) == 1
    assert not [canary for canary in CANARIES if canary in shown(raised.value)]
    if error is DeliveryUnknown:
        assert raised.value.correlation == {"endpoint": "otp"}


async def test_raw_flow_is_not_sent_after_its_deadline_and_keeps_its_ttls_before_it() -> None:
    """Before the deadline a raw flow leaves with its own ttls; after it, `DeadlinePassed` is raised, nothing sent."""
    flow = RawFlow("otp", MAPPING)
    async with FakeRoutee(always(200, {"flowId": "t"})) as server, RouteeClient(server.config()) as client:
        await client.send(flow, deadline=timedelta(seconds=20))
        with pytest.raises(DeadlinePassed):
            await client.send(flow, deadline=timedelta(0))
        with pytest.raises(Withdrawn):
            await client.send(flow, should_send=lambda: False)
    assert [json.loads(request.body) for request in server.requests] == [MAPPING]


async def test_raw_flow_that_waits_past_its_deadline_is_not_sent() -> None:
    """The deadline also holds for a raw flow that waits for a slot: its first byte is not sent after it."""
    async with FakeRoutee(always(200, {"trackingId": "t"})) as server:
        server.response_delay = 0.5
        async with RouteeClient(server.config(concurrency=1, otp_reserve=0)) as client:
            first = asyncio.create_task(client.send(sms()))
            await asyncio.sleep(0)
            with pytest.raises(NotSent):
                await client.send(RawFlow("standard", MAPPING), deadline=timedelta(seconds=0.1))
            await first
    assert len(server.requests) == 1


async def test_send_all_sends_raw_flows_beside_others() -> None:
    """`send_all` yields a result for each raw flow, whose repr shows nothing of it."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        results = [result async for result in client.send_all([RawFlow("standard", MAPPING), sms()], concurrency=1)]
    assert [result.outcome for result in results] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert json.loads(server.requests[0].body) == MAPPING
    assert not [canary for canary in CANARIES if canary in repr(results)]
