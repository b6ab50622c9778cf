"""Rejections: each becomes one error, with Routee's message and without the content that was sent."""

import json
import pickle
from typing import Any

import pytest
from aiohttp import web

from routee_failover import (
    AnyFlow,
    BadRequest,
    Forbidden,
    InsufficientBalance,
    NotFound,
    Outcome,
    RateLimited,
    Rejected,
    RouteeClient,
    StandardFlow,
    Unauthorized,
    Unprocessable,
    ViberStep,
)
from routee_failover.sandbox import Sandbox

from .fake_routee import FakeRoutee, ReceivedRequest, always
from .rendered_errors import shown
from .sample_flows import CANARIES, PHONE, otp, sms, standard, transactional, viber_otp

STATUSES: dict[int, type[Rejected]] = {
    301: Rejected,
    307: Rejected,
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Rejected,
    409: Rejected,
    413: Rejected,
    415: Rejected,
    422: Unprocessable,
    425: Rejected,
    429: RateLimited,
}


@pytest.mark.parametrize(("status", "error_class"), STATUSES.items())
async def test_status_determines_the_error_class(status: int, error_class: type[Rejected]) -> None:
    """A rejection is an error of its own class, with status, code, message, field problems and pause."""
    body = {"code": "400000000", "developerMessage": "Validation Error!", "properties": {"from": "Invalid sender"}}
    respond = always(status, body, Retry_After="7", Connection="close")
    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(sms())
    error = caught.value
    assert type(error) is error_class
    assert (error.outcome, error.status, error.code) == (Outcome.REJECTED, status, "400000000")
    assert (error.developer_message, error.problems) == ("Validation Error!", {"from": "Invalid sender"})
    assert error.retry_after == 7
    assert str(status) in str(error)
    assert "from: Invalid sender" in str(error)
    assert str(error).endswith("; the message was not accepted")


@pytest.mark.parametrize(
    ("body", "message", "code", "problems"),
    [
        ({"error": "Unauthorized", "message": "Bad credentials"}, "Bad credentials", None, {}),
        ({"error": "invalid_token", "error_description": "expired"}, "expired", None, {}),
        ({"errorCode": "007"}, None, "007", {}),
        ({"code": 404009001}, None, "404009001", {}),
        ({"detail": "Not authenticated"}, "Not authenticated", None, {}),
        (
            {"detail": [{"loc": ["body", "flow", 0, "ttl"], "msg": "too small"}, {"loc": 5}, 7, {"msg": "no place"}]},
            None,
            None,
            {"body.flow.0.ttl": "too small"},
        ),
        ({"properties": {"a": 1, "b": None, "c": ["d"]}}, None, None, {"a": "1", "b": "None", "c": "['d']"}),
        ({"properties": ["a"], "developerMessage": 5, "code": True, "detail": {}}, None, None, {}),
        ([1], None, None, {}),
        ("text", None, None, {}),
        (None, None, None, {}),
    ],
)
async def test_every_form_of_rejection_body_is_parsed(
    body: Any, message: str | None, code: str | None, problems: dict[str, str]
) -> None:
    """Routee's services format rejections differently; each is parsed for what it has, and no member is required."""
    async with FakeRoutee(always(422, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as caught:
            await client.send(otp())
    assert (caught.value.developer_message, caught.value.code, caught.value.problems) == (message, code, problems)


@pytest.mark.parametrize("body", [b"", b"<html><h1>Blocked</h1>", b"\xff\xfe", b"[" * 5000])
async def test_rejection_without_json_is_raised_and_not_quoted(body: bytes) -> None:
    """A gateway's page in front of Routee rejects as well as Routee does, and is not quoted."""

    async def respond(_request: ReceivedRequest) -> web.StreamResponse:
        return web.Response(body=body, status=403, content_type="text/html")

    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Forbidden, match="lacks a role") as caught:
            await client.send(sms())
    assert "Blocked" not in shown(caught.value)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 302])
async def test_rejection_without_a_message_explains_its_status(status: int) -> None:
    """If Routee gives no message, the error says what its status means."""
    async with FakeRoutee(always(status)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected, match=r"token|role|sender|too many|configured URL"):
            await client.send(sms())


async def test_400_about_balance_raises_insufficient_balance() -> None:
    """A 400 that names the balance is InsufficientBalance, whose remedy is not in the flow."""
    body = {"code": "400005999", "developerMessage": "Insufficient Balance"}
    async with FakeRoutee(always(400, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InsufficientBalance):
            await client.send(sms())


@pytest.mark.parametrize("code", ["400001009", 400001009])
async def test_400_with_the_code_of_the_balance_raises_insufficient_balance(code: object) -> None:
    """Routee's code for an insufficient balance decides, whatever its text says."""
    body = {"code": code, "developerMessage": "Top up your account"}
    async with FakeRoutee(always(400, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InsufficientBalance, match="Top up your account") as caught:
            await client.send(sms())
    assert caught.value.code == "400001009"


ECHOES = {
    "developerMessage": lambda text: {"developerMessage": text},
    "properties": lambda text: {"properties": {"message.body": text, text: "is wrong"}},
    "detail": lambda text: {"detail": [{"loc": ["body", text], "msg": text}]},
    "code": lambda text: {"code": text, "developerMessage": text},
    "detail text": lambda text: {"detail": text},
}
FLOWS: dict[str, AnyFlow] = {
    "standard": standard(),
    "transactional": transactional(),
    "otp": otp(),
    "viber-otp": viber_otp(),
}


def _without_plus(text: str) -> str:
    return text.replace(PHONE, PHONE.removeprefix("+"))


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_rejection_that_echoes_the_request_shows_no_content(status: int, echo: Any, flow: AnyFlow) -> None:
    """A server that quotes the whole request in its rejection puts no PIN, text or number into the error."""

    async def quote(request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response(echo(f"cannot take {request.body.decode()}"), status=status)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(flow)
    rendered = shown(caught.value)
    assert "cannot take" in rendered
    assert [canary for canary in CANARIES if canary in rendered] == []
    assert [secret for secret in ("canary-key", "token-1", "token-2") if secret in rendered] == []


async def test_echoed_number_without_plus_is_masked() -> None:
    """The OTP service writes numbers without their plus: a rejection does not show them either."""

    async def quote(request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response({"detail": f"cannot take {_without_plus(request.body.decode())}"}, status=422)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as caught:
            await client.send(otp())
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_echoed_multiline_text_is_masked() -> None:
    """A text of two lines that Routee quotes as it was in the JSON body is masked."""

    async def quote(request: ReceivedRequest) -> web.StreamResponse:
        return web.json_response({"developerMessage": f"cannot take {request.body.decode()}"}, status=400)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(BadRequest) as caught:
            await client.send(sms(text='Canary "one"\ncode 739164'))
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_single_character_text_is_not_masked() -> None:
    """A text of one character is not a secret that justifies making Routee's message unreadable."""
    async with (
        FakeRoutee(always(400, {"developerMessage": "a sender is needed"})) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(BadRequest, match="a sender is needed"):
            await client.send(sms(text="a"))


async def test_missing_role_raises_forbidden_with_routees_message() -> None:
    """Against the sandbox: 403 for a missing role, with Routee's message."""
    async with Sandbox(roles=["MT_ROLE_FAILOVER", "MT_ROLE_SMS"]) as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(Forbidden) as caught:
            await client.send(viber_otp())
        assert caught.value.developer_message
        assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_unknown_sender_raises_not_found_with_routees_message() -> None:
    """The client cannot know the valid senders: an unknown one is rejected with Routee's message."""
    flow = StandardFlow(steps=[ViberStep(sender_info_tracking_id="unknown-one", to=PHONE, message="Canary")])
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(NotFound) as caught:
            await client.send(flow)
        assert (sandbox.counts.accepted, sandbox.counts.rejected) == (0, 1)
    assert caught.value.developer_message
    assert "Canary" not in shown(caught.value)


async def test_rejection_survives_pickling() -> None:
    """Rejections are pickled completely, for workers that report to another process."""
    body = {"code": "1", "developerMessage": "no", "properties": {"a": "b"}}
    async with FakeRoutee(always(429, body, Retry_After="3")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(RateLimited) as caught:
            await client.send(sms())
    unpickled = pickle.loads(pickle.dumps(caught.value))
    assert type(unpickled) is RateLimited
    assert vars(unpickled) == vars(caught.value)
    assert str(unpickled) == str(caught.value)
    assert json.dumps(vars(unpickled))
