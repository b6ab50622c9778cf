"""Following messages and reading templates, against the sandbox and against answers out of the ordinary."""

import asyncio
import json
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
    Outcome,
    RouteeClient,
    ViberOtpRecord,
)
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, Seen, always
from .rendered_errors import shown
from .sample_flows import PIN, otp, standard, transactional, viber_otp


async def _final(client: RouteeClient, message: Any) -> Any:
    record = await client.track(message)
    while not record.final:
        await asyncio.sleep(0.01)
        record = await client.track(message)
    return record


async def test_each_receipt_is_tracked_where_it_belongs() -> None:
    """A receipt alone is enough to follow its message to the end, whichever endpoint took it."""
    async with Sandbox(speed=100_000) as sandbox, RouteeClient(sandbox.config()) as client:
        flow = await _final(client, await client.send(standard("+306900000100")))
        assert isinstance(flow, FlowRecord)
        assert flow.status is FlowStatus.SUCCEEDED
        assert [message.status for message in flow.messages] == [MessageStatus.UNDELIVERED, MessageStatus.DELIVERED]
        template = await _final(client, await client.send(transactional()))
        assert isinstance(template, FlowRecord)
        password = await _final(client, await client.send(otp("+306900000100")))
        assert isinstance(password, OtpRecord)
        assert [step.role for step in password.steps] == ["primary", "failover"]
        viber = await _final(client, await client.send(viber_otp()))
        assert isinstance(viber, ViberOtpRecord)
        assert viber.status is MessageStatus.DELIVERED


async def test_ids_are_tracked_with_their_endpoint() -> None:
    """An id and its endpoint, as enum or text, find the same record as the receipt; standard is assumed."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        flow, password, viber = (
            await client.send(standard()),
            await client.send(otp()),
            await client.send(viber_otp()),
        )
        first = await client.track(flow.tracking_id)
        assert isinstance(first, FlowRecord)
        assert first.tracking_id == flow.tracking_id
        assert isinstance(await client.track(flow.tracking_id, "transactional"), FlowRecord)
        second = await client.track(password.flow_id, Endpoint.OTP)
        assert isinstance(second, OtpRecord)
        third = await client.track(viber.tracking_id, "viber-otp")
        assert isinstance(third, ViberOtpRecord)
        assert password.sent_step is not None
        assert password.sent_step.tracking_id is not None
        by_token = await client.track(password.sent_step.tracking_id, Endpoint.OTP)
        assert isinstance(by_token, OtpRecord)
        assert by_token.flow_id == password.flow_id


@pytest.mark.parametrize("endpoint", list(Endpoint))
async def test_an_unknown_id_is_not_found(endpoint: Endpoint) -> None:
    """An id that Routee does not know is NotFound at every endpoint."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(NotFound) as caught:
            await client.track("no-such-id", endpoint)
    assert caught.value.status == 404
    assert caught.value.developer_message


@pytest.mark.parametrize("identity", ["a/b", "a?b=c", "a#b", "ä %", "a%2Fb"])
async def test_an_id_never_leaves_its_place_in_the_path(identity: str) -> None:
    """An id from outside cannot reach another path: whatever it holds is quoted."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NotFound):
            await client.track(identity)
        path = server.requests[0].path
    assert path.startswith("/failover/tracking/")
    assert path.count("/") == 3
    assert "?" not in path


@pytest.mark.parametrize("identity", ["..", ".", ""])
async def test_an_id_of_dots_or_nothing_asks_for_no_other_path(identity: str) -> None:
    """An id that is no segment of a path is not sent as another request."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Exception, match="id"):
            await client.track(identity)
        assert server.requests == []


async def test_templates_come_as_routee_gives_them() -> None:
    """The OTP templates are Routee's own JSON."""
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        templates = await client.otp_templates()
    assert len(templates) == 9
    assert templates[0]["templateId"] == "0aac888f-2ee2-4112-9659-1755a951966a"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
async def test_an_answer_that_cannot_be_read_is_no_answer(body: bytes) -> None:
    """A reading call whose answer is no record raises NoResponse, quotes nothing, and can be repeated."""

    async def odd(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=body)

    async with FakeRoutee(odd) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="ask again") as caught:
            await client.track("t-1")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert "html" not in shown(caught.value)


async def test_templates_that_are_no_json_are_no_answer() -> None:
    """Templates that cannot be read raise NoResponse without a byte of them in frames."""

    async def odd(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=b"<canary>")

    async with FakeRoutee(odd) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="the answer is not JSON") as caught:
            await client.otp_templates()
    assert "canary>" not in shown(caught.value)


async def test_a_reading_call_is_repeated_and_then_tells_what_it_got() -> None:
    """A 500 proves nothing, but reading is safe to repeat: it is tried again, and what is left is NoResponse."""
    async with FakeRoutee(always(500, {"trackingId": "t"})) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NoResponse, match="Routee answered 500"):
            await client.track("t-1")
        assert len(server.requests) == 3


async def test_a_reading_call_that_is_refused_says_so() -> None:
    """A 400 to a reading call is the same error as a send's."""
    body = {"code": "400000000", "developerMessage": "No such thing"}
    async with FakeRoutee(always(400, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(BadRequest, match="No such thing") as caught:
            await client.track("t-1")
        assert len(server.requests) == 1
    assert caught.value.code == "400000000"


async def test_a_reading_call_without_a_server_says_that_it_was_not_heard() -> None:
    """Where no connection can be made, the error says that the question did not arrive."""
    async with FakeRoutee() as server:
        config = server.config(api_url="http://127.0.0.1:1")
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed, match="can be asked again"):
                await client.track("t-1")


async def test_a_record_hides_the_pin_that_routee_echoes() -> None:
    """A PIN, and the text with the PIN in it, are masked in what a tracking answer shows."""
    answer = {"flowId": "f", "status": "InProgress", "steps": [{"pin": PIN, "note": f"x{PIN}x", "body": "Canary"}]}
    async with FakeRoutee(always(200, answer)) as server, RouteeClient(server.config()) as client:
        record = await client.track("f", "otp")
    assert PIN not in repr(record) + json.dumps(record.raw)
    assert "Canary" not in json.dumps(record.raw)


@pytest.mark.parametrize("wrong", [None, 5, b"t-1"])
async def test_what_is_no_id_is_refused_in_words(wrong: Any) -> None:
    """Tracking something that is neither receipt nor text says what it takes."""
    async with FakeRoutee(always(404)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Exception, match="receipt"):
            await client.track(wrong)
        assert server.requests == []


async def test_a_record_is_tracked_again() -> None:
    """A record is followed as its receipt was: each knows its endpoint. One without an id is refused before I/O."""
    async with Sandbox(speed=600) as sandbox, RouteeClient(sandbox.config()) as client:
        for flow in (standard(), otp(), viber_otp()):
            record: Any = await client.track(await client.send(flow))
            again = await client.track(record)
            assert type(again) is type(record)
            assert again.raw.keys() == record.raw.keys()
        with pytest.raises(InvalidFlow, match="takes a receipt, a record, or the id in one"):
            await client.track(FlowRecord.from_dict({}))
