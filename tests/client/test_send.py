"""Sends of the four kinds of flow and their receipts, against the sandbox over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import (
    Channel,
    DeliveryUnknown,
    DialPlan,
    FlowFailed,
    FlowKind,
    FlowReceipt,
    FlowStatus,
    InvalidFlow,
    MessageStatus,
    OtpReceipt,
    Outcome,
    RouteeClient,
    Say,
    Speech,
    StandardFlow,
    ViberOtpReceipt,
    VoiceRecipient,
    VoiceStep,
)
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, always
from .rendered_errors import shown
from .sample_flows import CANARIES, PHONE, PIN, otp, sms, standard, transactional, viber_otp


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox on this machine."""
    async with Sandbox(speed=100_000) as running:
        yield running


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[RouteeClient]:
    """A client of the sandbox."""
    async with RouteeClient(sandbox.config()) as opened:
        yield opened


async def test_standard_flow_returns_receipt_with_id_kind_and_steps(sandbox: Sandbox, client: RouteeClient) -> None:
    """A standard flow is accepted once, and its receipt has id, kind, time and steps."""
    receipt = await client.send(standard())
    assert isinstance(receipt, FlowReceipt)
    assert receipt.flow_kind is FlowKind.STANDARD
    assert [(step.type, step.order, step.to) for step in receipt.steps] == [("Viber", 1, PHONE), ("Sms", 2, PHONE)]
    assert receipt.created_at is not None
    assert receipt.created_at.tzinfo is not None
    assert [(flow.endpoint, flow.id) for flow in sandbox.accepted] == [("standard", receipt.tracking_id)]


async def test_transactional_flow_returns_receipt_of_its_kind(sandbox: Sandbox, client: RouteeClient) -> None:
    """A transactional flow goes to its own endpoint, and its receipt says so."""
    receipt = await client.send(transactional())
    assert receipt.flow_kind is FlowKind.TRANSACTIONAL
    assert [flow.endpoint for flow in sandbox.accepted] == ["transactional"]


async def test_otp_flow_returns_receipt_with_the_sent_step(sandbox: Sandbox, client: RouteeClient) -> None:
    """An OTP receipt has the flow id, the accepted channel, and the step that was sent with its message token."""
    receipt = await client.send(otp())
    assert isinstance(receipt, OtpReceipt)
    assert receipt.flow_id == sandbox.accepted[0].id
    assert (receipt.status, receipt.channel) == (FlowStatus.IN_PROGRESS, Channel.VIBER)
    assert receipt.sent_step is not None
    assert receipt.sent_step.tracking_id == sandbox.accepted[0].message_ids[0]
    assert sandbox.accepted[0].body["flow"][0]["pin"] == PIN
    assert not any(canary in repr(receipt) + repr(receipt.steps) + str(receipt.raw) for canary in (PIN, "Canary"))


async def test_viber_otp_returns_receipt_with_status_and_ttl(sandbox: Sandbox, client: RouteeClient) -> None:
    """A Viber OTP's receipt has its id, status and ttl."""
    receipt = await client.send(viber_otp())
    assert isinstance(receipt, ViberOtpReceipt)
    assert receipt.status is MessageStatus.QUEUED
    assert receipt.ttl == timedelta(minutes=1)
    assert receipt.tracking_id == sandbox.accepted[0].id


async def test_otp_flow_without_accepting_channel_raises_flow_failed(sandbox: Sandbox, client: RouteeClient) -> None:
    """The OTP response 200 with status Failed is a rejection, with Routee's number and its documented meaning."""
    with pytest.raises(FlowFailed) as caught:
        await client.send(otp("+306900000222"))
    error = caught.value
    assert (error.outcome, error.status) == (Outcome.REJECTED, 200)
    assert (error.status_code, error.reason) == (2, "no next step")
    assert error.developer_message == "No channel accepted the message"
    assert not any(canary in shown(error) for canary in (*CANARIES, "306900000222"))
    assert sandbox.accepted == []


@pytest.mark.parametrize(("code", "reason"), [(0, "server error"), ("1", "insufficient balance"), (3, None), (9, None)])
async def test_failed_flow_status_code_is_translated_to_its_reason(code: object, reason: str | None) -> None:
    """A failed flow's number is read as number or text, and an undocumented one gives no invented reason."""
    expected = reason or ("failover not triggered" if code == 3 else "no reason given")
    responder = always(200, {"flowId": None, "status": "Failed", "statusCode": code})
    async with FakeRoutee(responder) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed) as caught:
            await client.send(otp())
    assert caught.value.reason == expected
    assert caught.value.status_code == int(str(code))
    assert caught.value.developer_message is None


async def test_failed_flow_without_status_code_has_no_reason() -> None:
    """A failed flow whose number is missing is still a rejection."""
    async with FakeRoutee(always(200, {"status": "Failed"})) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed, match="no reason given") as caught:
            await client.send(otp())
    assert caught.value.status_code is None


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        ({"error": "Sender is not active"}, "Sender is not active", "on no channel: Sender is not active"),
        (
            {"error": "All channels said no", "statusCode": 2},
            "no next step",
            "on no channel: no next step (All channels said no)",
        ),
        ({"error": "Insufficient Balance", "statusCode": "1"}, "insufficient balance", "channel: insufficient balance"),
        ({"error": "Quota", "statusCode": 77}, "Quota", "on no channel: Quota"),
        ({"error": {"developerMessage": "Quota"}}, "Quota", "on no channel: Quota"),
        ({"error": None, "developerMessage": "Quota"}, "Quota", "on no channel: Quota"),
        ({"error": " ", "statusCode": 0}, "server error", "on no channel: server error"),
        ({"error": ["Quota"]}, "no reason given", "on no channel: no reason given"),
    ],
    ids=str,
)
async def test_failed_flow_error_has_routees_own_words(body: dict[str, object], reason: str, text: str) -> None:
    """What Routee says about a failed flow is in the error, and is its reason if no documented number is."""
    responder = always(200, {"flowId": None, "status": "Failed", **body})
    async with FakeRoutee(responder) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed) as caught:
            await client.send(otp())
    assert caught.value.reason == reason
    assert str(caught.value).endswith(text)


async def test_failed_status_is_recognised_in_any_letter_case() -> None:
    """Routee writes statuses in several letter cases; a FAILED flow is a rejection as a Failed one is."""
    async with (
        FakeRoutee(always(200, {"flowId": None, "status": "FAILED"})) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(FlowFailed):
            await client.send(otp())


async def test_failed_flow_error_masks_echoed_content() -> None:
    """Whatever Routee quotes in the error of a failed flow, the PIN, the text and the number are masked."""

    async def echo(request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response({"status": "Failed", "error": f"cannot send {request.body.decode()}", "statusCode": 0})

    async with FakeRoutee(echo) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed) as caught:
            await client.send(otp())
    assert "cannot send" in str(caught.value)
    assert not any(canary in shown(caught.value) for canary in CANARIES)


@pytest.mark.parametrize("code", [0, None])
async def test_failed_flow_error_quotes_a_long_error_only_in_part(code: int | None) -> None:
    """An error is read by people: it shows the beginning of an endless text of Routee's."""
    responder = always(200, {"status": "Failed", "error": "x" * 100_000, "statusCode": code})
    async with FakeRoutee(responder) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed) as caught:
            await client.send(otp())
    assert len(str(caught.value)) < 1000
    assert len(caught.value.reason) < 1000


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"ok"', b"{}", b'{"trackingId":""}', b'{"trackingId":5}', b'{"trackingId":"\xff"}'],
)
async def test_unreadable_200_raises_delivery_unknown(body: bytes) -> None:
    """A 200 without a usable tracking id does not prove a rejection: the message was probably accepted."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=body)

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown, match="probably accepted") as caught:
            await client.send(standard())
        assert len(server.requests) == 1
    assert caught.value.outcome is Outcome.UNKNOWN
    assert caught.value.correlation == {"endpoint": "standard", "to": "+3069****5678", "label": "spring"}
    assert not any(canary in shown(caught.value) for canary in CANARIES)


async def test_delivery_unknown_holds_endpoint_and_correlation() -> None:
    """The correlation of an unknown message holds its endpoint, its masked recipient, and its label or seq."""
    correlations: list[dict[str, str]] = []
    async with FakeRoutee(always(500)) as server, RouteeClient(server.config()) as client:
        flows: list[Any] = [sms(), transactional(), otp(), viber_otp()]
        for flow in flows:
            with pytest.raises(DeliveryUnknown, match="Routee answered 500") as caught:
                await client.send(flow)
            correlations.append(caught.value.correlation)
    assert correlations == [
        {"endpoint": "standard", "to": "+3069****5678"},
        {"endpoint": "transactional", "to": "+3069****5678", "seq": "7"},
        {"endpoint": "otp", "to": "+3069****5678"},
        {"endpoint": "viber-otp", "to": "+3069****5678"},
    ]


@pytest.mark.parametrize(
    ("to", "masked"),
    [
        (VoiceRecipient(viber="+306912345678"), "+3069****5678"),
        (VoiceRecipient(sip="1111@host:55080"), "1111****5080"),
    ],
)
async def test_delivery_unknown_names_the_recipient_of_a_call_by_viber_or_sip(to: VoiceRecipient, masked: str) -> None:
    """A call need not go to a phone number: its masked Viber number or SIP address is in the correlation too."""
    plan = DialPlan(verbs=[Say(message=Speech(text="Hi", language="en-US"))])
    flow = StandardFlow(steps=[VoiceStep(from_="Demo", to=to, dial_plan=plan)])
    async with FakeRoutee(always(500)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(DeliveryUnknown) as caught:
            await client.send(flow)
    assert caught.value.correlation == {"endpoint": "standard", "to": masked}


@pytest.mark.parametrize("wrong", [None, {"flow": []}, "flow", 5, StopIteration])
async def test_argument_that_is_not_a_flow_is_refused_before_any_request(
    wrong: Any, sandbox: Sandbox, client: RouteeClient
) -> None:
    """Sending another object raises an error that says what is expected, and requests no token."""
    with pytest.raises(InvalidFlow, match=r"takes a flow, not \w+; load_flow\(\) makes one from JSON") as caught:
        await client.send(wrong)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert sandbox.counts.requests == 0


async def test_concurrent_sends_share_pool_and_token(sandbox: Sandbox) -> None:
    """However many sends run at once, no more than pool_size connections are opened, and every one gets its receipt."""
    async with RouteeClient(sandbox.config(pool_size=5)) as client:
        receipts = await asyncio.gather(*(client.send(sms()) for _ in range(100)))
    assert len({receipt.tracking_id for receipt in receipts}) == 100
    assert sandbox.counts.connections <= 5
    assert sandbox.counts.token_requests == 1


async def test_client_repr_shows_api_url_and_no_secret(client: RouteeClient, sandbox: Sandbox) -> None:
    """The repr of a client names the API's URL and nothing secret."""
    assert repr(client) == f"RouteeClient({sandbox.url})"
    assert "sandbox-secret" not in repr(client) + repr(client.config)


async def test_client_from_env_sends(sandbox: Sandbox) -> None:
    """The four documented variables are enough to send."""
    environ = {
        "ROUTEE_APPLICATION_ID": "sandbox",
        "ROUTEE_APPLICATION_SECRET": "sandbox-secret",
        "ROUTEE_API_URL": sandbox.url,
        "ROUTEE_AUTH_URL": sandbox.url,
    }
    async with RouteeClient.from_env(environ, pool_size=3) as client:
        await client.send(sms())
    assert client.config.pool_size == 3
    assert sandbox.counts.accepted == 1
