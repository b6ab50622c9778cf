"""Tracking and reading templates, against the sandbox and against malformed responses."""

import asyncio
import json
import pickle
from typing import Any

import pytest
from aiohttp import web

from routee_failover import (
    BadRequest,
    ConnectFailed,
    Endpoint,
    FlowRecord,
    FlowStatus,
    InvalidFlow,
    MessageStatus,
    NoResponse,
    NotFound,
    OtpRecord,
    OtpTemplateId,
    Outcome,
    RouteeClient,
    ViberOtpRecord,
)
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, always
from .rendered_errors import shown
from .sample_flows import PIN, otp, standard, transactional, viber_otp


async def _until_final(client: RouteeClient, message: Any) -> Any:
    record = await client.track(message)
    while not record.final:
        await asyncio.sleep(0.01)
        record = await client.track(message)
    return record


async def test_receipt_is_tracked_at_its_own_endpoint() -> None:
    """A receipt alone is enough to track its message to the end, whichever endpoint accepted it."""
    async with Sandbox(speed=100_000) as sandbox, RouteeClient(sandbox.config()) as client:
        flow = await _until_final(client, await client.send(standard("+306900000100")))
        assert isinstance(flow, FlowRecord)
        assert flow.status is FlowStatus.SUCCEEDED
        assert [message.status for message in flow.messages] == [MessageStatus.UNDELIVERED, MessageStatus.DELIVERED]
        template = await _until_final(client, await client.send(transactional()))
        assert isinstance(template, FlowRecord)
        password = await _until_final(client, await client.send(otp("+306900000100")))
        assert isinstance(password, OtpRecord)
        assert [step.role for step in password.steps] == ["primary", "failover"]
        viber = await _until_final(client, await client.send(viber_otp()))
        assert isinstance(viber, ViberOtpRecord)
        assert viber.status is MessageStatus.DELIVERED


async def test_id_is_tracked_at_the_given_endpoint() -> None:
    """An id and its endpoint, as enum or text, find the same record as the receipt; standard is the default."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        flow, password, viber = (
            await client.send(standard()),
            await client.send(otp()),
            await client.send(viber_otp()),
        )
        flow_record = await client.track(flow.tracking_id)
        assert isinstance(flow_record, FlowRecord)
        assert flow_record.tracking_id == flow.tracking_id
        assert isinstance(await client.track(flow.tracking_id, "transactional"), FlowRecord)
        otp_record = await client.track(password.flow_id, Endpoint.OTP)
        assert isinstance(otp_record, OtpRecord)
        viber_record = await client.track(viber.tracking_id, "viber-otp")
        assert isinstance(viber_record, ViberOtpRecord)
        assert password.sent_step is not None
        assert password.sent_step.tracking_id is not None
        by_token = await client.track(password.sent_step.tracking_id, Endpoint.OTP)
        assert isinstance(by_token, OtpRecord)
        assert by_token.flow_id == password.flow_id


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_unknown_id_raises_not_found(endpoint: Endpoint) -> None:
    """An id that Routee does not know is NotFound at every endpoint."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(NotFound) as caught:
            await client.track("no-such-id", endpoint)
    assert caught.value.status == 404
    assert caught.value.developer_message


HINTS = {
    Endpoint.STANDARD: "endpoint='otp' or 'viber-otp'",
    Endpoint.TRANSACTIONAL: "endpoint='otp' or 'viber-otp'",
    Endpoint.OTP: "endpoint='standard' or 'viber-otp'",
    Endpoint.VIBER_OTP: "endpoint='standard' or 'otp'",
}


@pytest.mark.parametrize(("endpoint", "hint"), HINTS.items())
async def test_id_that_is_not_found_names_the_endpoint_and_the_others(endpoint: Endpoint, hint: str) -> None:
    """An id says nothing about its endpoint: NotFound says which one was asked, and how to ask the others."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        receipt = await client.send(otp())
        wrong = receipt.flow_id if endpoint is not Endpoint.OTP else "no-such-id"
        with pytest.raises(NotFound, match=f"the endpoint {endpoint} was asked: .*{hint}"):
            await client.track(wrong, endpoint)
        with pytest.raises(NotFound, match=f"the endpoint {endpoint} was asked: .*{hint}"):
            await client.wait(wrong, endpoint, timeout=30)
        assert isinstance(await client.track(receipt.flow_id, "otp"), OtpRecord)


async def test_receipt_that_is_not_found_has_no_hint_at_endpoints() -> None:
    """A receipt knows its endpoint, so that its NotFound says nothing about others."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NotFound) as caught:
            await client.track(FlowRecord.from_dict({"trackingId": "t-1"}))
    assert "endpoint" not in str(caught.value)


@pytest.mark.parametrize("tracking_id", ["a/b", "a?b=c", "a#b", "ä %", "a%2Fb"])
async def test_id_is_quoted_within_the_path(tracking_id: str) -> None:
    """An id from outside cannot reach another path: whatever it holds is quoted."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NotFound):
            await client.track(tracking_id)
        path = server.requests[0].path
    assert path.startswith("/failover/tracking/")
    assert path.count("/") == 3
    assert "?" not in path


@pytest.mark.parametrize("tracking_id", ["..", ".", ""])
async def test_id_of_dots_or_nothing_is_refused_before_any_request(tracking_id: str) -> None:
    """An id that is not a segment of a path is not sent as another request."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Exception, match="id"):
            await client.track(tracking_id)
        assert server.requests == []


async def test_otp_templates_are_records_with_all_that_routee_says() -> None:
    """Each OTP template has its id and its type, and Routee's own JSON in `raw`."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        templates = await client.otp_templates()
    assert [template.template_id for template in templates] == [*OtpTemplateId]
    assert templates[2].template_type == "with_business_name"
    assert templates[0].raw == {"templateId": OtpTemplateId.BASIC, "name": "Basic OTP", "templateType": "basic"}


@pytest.mark.parametrize("response", ["words", 5, None, True])
async def test_otp_templates_that_are_neither_list_nor_object_raise_no_response(response: object) -> None:
    """A response that cannot hold templates is not taken for an empty list."""
    async with FakeRoutee(always(200, response)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="neither a list nor an object"):
            await client.otp_templates()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
async def test_unreadable_record_raises_no_response(body: bytes) -> None:
    """A read call whose response is not a record raises NoResponse, quotes nothing, and can be repeated."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="repeat the request") as caught:
            await client.track("t-1")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "html" not in shown(caught.value)


SLIPS = [
    rb'{"trackingId":"t-1","status":"Succeeded","messages":[{"type":"Sms","body":"see you \ud83d"}]}',
    b'\xef\xbb\xbf{"trackingId":"t-1","status":"Succeeded"}',
    b'{"trackingId":"t-1","status":"Succeeded","name":"Ren\xe9"}',
    b'{"trackingId":"t-1","status":"Succeeded","price":NaN,"rate":1e999}',
    '{"trackingId":"t-1","status":"Succeeded"}'.encode("utf-16"),
]


@pytest.mark.parametrize("body", SLIPS, ids=["half an emoji", "BOM", "Latin-1", "NaN", "UTF-16"])
async def test_response_with_a_slip_in_its_json_is_a_receipt_and_a_record(body: bytes) -> None:
    """Half an emoji, an invalid byte, NaN or a byte order mark hides neither an acceptance nor the end of a wait."""

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    async def token(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=b'\xef\xbb\xbf{"access_token":"token-1","scope":"\\ud83d"}')

    async with FakeRoutee(respond, token) as server, RouteeClient(server.config()) as client:
        receipt = await client.send(standard())
        assert receipt.tracking_id == "t-1"
        record = await client.wait(receipt, timeout=30)
        assert record.status is FlowStatus.SUCCEEDED
        assert (await client.track("t-1")).raw == record.raw
    assert server.requests[0].headers["Authorization"] == "Bearer token-1"
    json.dumps(record.raw, ensure_ascii=False, allow_nan=False).encode()
    assert pickle.loads(pickle.dumps(record)) == record


@pytest.mark.parametrize(("status", "error"), [(400, BadRequest), (404, NotFound)])
async def test_rejection_with_a_slip_in_its_json_still_says_why(status: int, error: type[Exception]) -> None:
    """Routee's message is read from a rejection that holds half an emoji, and can be logged."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=rb'{"code":"4000","developerMessage":"no such id \ud83d"}', status=status)

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(error, match="no such id \ufffd") as caught:
            await client.track("t-1")
    assert str(caught.value).encode()


async def test_templates_that_are_not_json_raise_no_response() -> None:
    """Templates that cannot be read raise NoResponse, and no byte of them is in a frame of the traceback."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=b"<canary>")

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="the response is not JSON") as caught:
            await client.otp_templates()
    assert "canary>" not in shown(caught.value)


async def test_read_call_retries_500_and_then_raises_no_response() -> None:
    """A 500 proves nothing, but reading is safe to repeat: it is retried, and the last result is NoResponse."""
    async with FakeRoutee(always(500, {"trackingId": "t"})) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="Routee answered 500"):
            await client.track("t-1")
        assert len(server.requests) == 3


async def test_rejected_read_call_raises_bad_request() -> None:
    """A 400 to a read call is the same error as a send's."""
    body = {"code": "400000000", "developerMessage": "No such thing"}
    async with FakeRoutee(always(400, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(BadRequest, match="No such thing") as caught:
            await client.track("t-1")
        assert len(server.requests) == 1
    assert caught.value.code == "400000000"


async def test_read_call_without_a_server_raises_connect_failed() -> None:
    """If no connection can be made, the error says that the request did not reach Routee."""
    async with FakeRoutee() as server:
        config = server.config(api_url="http://127.0.0.1:1")
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed, match="can be repeated"):
                await client.track("t-1")


async def test_record_masks_echoed_pin_and_text() -> None:
    """A PIN, and the text with the PIN in it, are masked in the record of a tracking response."""
    body = {"flowId": "f", "status": "InProgress", "steps": [{"pin": PIN, "note": f"x{PIN}x", "body": "Canary"}]}
    async with FakeRoutee(always(200, body)) as server, RouteeClient(server.config()) as client:
        record = await client.track("f", "otp")
    assert PIN not in repr(record) + json.dumps(record.raw)
    assert "Canary" not in json.dumps(record.raw)


@pytest.mark.parametrize("wrong", [None, 5, b"t-1"])
async def test_tracking_another_type_is_refused_with_the_expected_ones(wrong: Any) -> None:
    """Tracking an object that is neither receipt nor text raises an error that says what is expected."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Exception, match="receipt"):
            await client.track(wrong)
        assert server.requests == []


async def test_record_is_tracked_like_its_receipt() -> None:
    """A record can be tracked as its receipt can: each knows its endpoint. One without an id is refused before I/O."""
    async with Sandbox(speed=600) as sandbox, RouteeClient(sandbox.config()) as client:
        for flow in (standard(), otp(), viber_otp()):
            record: Any = await client.track(await client.send(flow))
            tracked_again = await client.track(record)
            assert type(tracked_again) is type(record)
            assert tracked_again.raw.keys() == record.raw.keys()
        with pytest.raises(InvalidFlow, match="takes a receipt, a record, or the id of one"):
            await client.track(FlowRecord.from_dict({}))
