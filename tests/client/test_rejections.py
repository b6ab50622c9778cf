"""What Routee's refusals become: one error each, with Routee's words and without what was sent."""

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

from .fake_routee import FakeRoutee, Seen, always
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


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
async def test_each_status_has_its_error(status: int, kind: type[Rejected]) -> None:
    """A refusal is an error of its own kind, with status, code, message, field problems and pause."""
    body = {"code": "400000000", "developerMessage": "Validation Error!", "properties": {"from": "Invalid sender"}}
    async with FakeRoutee(always(status, body, Retry_After="7")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(sms())
    error = caught.value
    assert type(error) is kind
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
async def test_every_shape_of_refusal_is_read(
    body: Any, message: str | None, code: str | None, problems: dict[str, str]
) -> None:
    """Routee's services word their refusals differently; each is read for what it has, and none is needed."""
    async with FakeRoutee(always(422, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as caught:
            await client.send(otp())
    assert (caught.value.developer_message, caught.value.code, caught.value.problems) == (message, code, problems)


@pytest.mark.parametrize("body", [b"", b"<html><h1>Blocked</h1>", b"\xff\xfe", b"[" * 5000])
async def test_a_refusal_that_is_no_json_is_still_one(body: bytes) -> None:
    """A gateway's page in front of Routee refuses as well as Routee does, and is not quoted."""

    async def page(_seen: Seen) -> web.StreamResponse:
        return web.Response(body=body, status=403, content_type="text/html")

    async with FakeRoutee(page) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Forbidden, match="lacks a role") as caught:
            await client.send(sms())
    assert "Blocked" not in shown(caught.value)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 302])
async def test_a_refusal_without_words_says_what_to_do(status: int) -> None:
    """Where Routee says nothing, the error says what its status means."""
    async with FakeRoutee(always(status)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected, match=r"token|role|sender|too many|address"):
            await client.send(sms())


async def test_a_lack_of_balance_is_an_error_of_its_own() -> None:
    """A 400 that speaks of the balance is InsufficientBalance, whose remedy is not in the flow."""
    body = {"code": "400005999", "developerMessage": "Insufficient Balance"}
    async with FakeRoutee(always(400, body)) as server, RouteeClient(server.config()) as client:
        with pytest.raises(InsufficientBalance):
            await client.send(sms())


ECHOES = {
    "developerMessage": lambda words: {"developerMessage": words},
    "properties": lambda words: {"properties": {"message.body": words, words: "is wrong"}},
    "detail": lambda words: {"detail": [{"loc": ["body", words], "msg": words}]},
    "code": lambda words: {"code": words, "developerMessage": words},
    "detail text": lambda words: {"detail": words},
}
FLOWS: dict[str, AnyFlow] = {
    "standard": standard(),
    "transactional": transactional(),
    "otp": otp(),
    "viber-otp": viber_otp(),
}


def _without_plus(words: str) -> str:
    return words.replace(PHONE, PHONE.removeprefix("+"))


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_never_quotes_what_was_sent(status: int, echo: Any, flow: AnyFlow) -> None:
    """A server that quotes the whole request in its refusal puts no PIN, text or number into the error."""

    async def quote(seen: Seen) -> web.StreamResponse:
        return web.json_response(echo(f"cannot take {seen.body.decode()}"), status=status)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(flow)
    printed = shown(caught.value)
    assert "cannot take" in printed
    assert [canary for canary in CANARIES if canary in printed] == []
    assert [text for text in ("canary-key", "token-1", "token-2") if text in printed] == []


async def test_a_number_quoted_without_its_plus_is_masked() -> None:
    """The OTP service writes numbers without their plus: a refusal does not show them either."""

    async def quote(seen: Seen) -> web.StreamResponse:
        return web.json_response({"detail": f"cannot take {_without_plus(seen.body.decode())}"}, status=422)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Unprocessable) as caught:
            await client.send(otp())
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_a_text_quoted_as_json_is_masked() -> None:
    """A text of two lines that Routee quotes as it was on the wire is masked."""

    async def quote(seen: Seen) -> web.StreamResponse:
        return web.json_response({"developerMessage": f"cannot take {seen.body.decode()}"}, status=400)

    async with FakeRoutee(quote) as server, RouteeClient(server.config()) as client:
        with pytest.raises(BadRequest) as caught:
            await client.send(sms(words='Canary "one"\ncode 739164'))
    assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_a_short_text_does_not_garble_the_refusal() -> None:
    """A text of one character is no secret worth making Routee's words unreadable for."""
    async with (
        FakeRoutee(always(400, {"developerMessage": "a sender is needed"})) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(BadRequest, match="a sender is needed"):
            await client.send(sms(words="a"))


async def test_the_sandbox_refuses_as_routee_documents() -> None:
    """Against the sandbox: 404 for an unknown sender, 403 for a missing role, with Routee's words."""
    async with Sandbox(roles=["MT_ROLE_FAILOVER", "MT_ROLE_SMS"]) as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(Forbidden) as caught:
            await client.send(viber_otp())
        assert caught.value.developer_message
        assert [canary for canary in CANARIES if canary in shown(caught.value)] == []


async def test_what_only_routee_can_know_comes_back_as_its_refusal() -> None:
    """What the client cannot know, the sandbox's unknown sender, comes back in Routee's words."""
    flow = StandardFlow(steps=[ViberStep(sender_info_tracking_id="unknown-one", to=PHONE, message="Canary")])
    async with Sandbox() as sandbox, RouteeClient(sandbox.config()) as client:
        with pytest.raises(NotFound) as caught:
            await client.send(flow)
        assert (sandbox.counts.accepted, sandbox.counts.rejected) == (0, 1)
    assert caught.value.developer_message
    assert "Canary" not in shown(caught.value)


async def test_an_error_that_was_sent_to_another_process_says_the_same() -> None:
    """Refusals pickle whole, for workers that report to another process."""
    body = {"code": "1", "developerMessage": "no", "properties": {"a": "b"}}
    async with FakeRoutee(always(429, body, Retry_After="3")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(RateLimited) as caught:
            await client.send(sms())
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is RateLimited
    assert vars(again) == vars(caught.value)
    assert str(again) == str(caught.value)
    assert json.dumps(vars(again))
