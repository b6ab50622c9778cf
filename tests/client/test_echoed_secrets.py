"""A server that quotes credentials, codes or numbers in its refusal puts none of them into errors, logs or files."""

import base64
import html
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from aiohttp import web

from routee_failover import (
    BadRequest,
    FlowFailed,
    InvalidFlow,
    OtpFlow,
    OtpSmsStep,
    Rejected,
    RouteeClient,
    TokenUnavailable,
    ViberOtpStep,
)
from routee_failover._wire.redaction import make_redactor
from routee_failover.bulk import BulkSender, rows_of
from routee_failover.events import Event
from routee_failover.ledger import SqliteLedger

from .fake_routee import FakeRoutee, ReceivedRequest, Responder, always, config_for, token_response
from .rendered_errors import shown
from .sample_flows import MINUTE, PHONE, PIN, TEMPLATE, otp, sms

TOKENS = ("canary.token/one+1", "canary.token/two+2")
CREDENTIALS = ("canary.token", "canary-key", "canary-header", "canary-proxy")
"""Parts of what the client sends in its headers. The Basic value is looked for in another form, see `BASIC`."""
BASIC = base64.b64encode(b"application:canary-key").decode()


def quoting(status: int = 400, form: Callable[[str], str] = str, body: Callable[[str], Any] | None = None) -> Responder:
    """Return a server that quotes all headers of a request in its response."""

    async def respond(request: ReceivedRequest) -> web.StreamResponse:
        quoted = "cannot take " + form(" | ".join(f"{name}: {value}" for name, value in request.headers.items()))
        return web.json_response(body(quoted) if body else {"developerMessage": quoted}, status=status)

    return respond


async def _tokens(_request: ReceivedRequest) -> web.StreamResponse:
    return token_response(TOKENS[0])


def _leaked(text: str) -> list[str]:
    return [secret for secret in (*CREDENTIALS, BASIC) if secret in text]


class _Recorder:
    """Keeps the events of a client."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event) -> None:
        self.events.append(event)


HEADERS = {"X-Api-Key": "canary-header", "X-Gateway": "Basic " + base64.b64encode(b"u:canary-proxy").decode()}
READS: dict[str, Callable[[RouteeClient], Awaitable[Any]]] = {
    "send": lambda client: client.send(sms()),
    "send an OTP": lambda client: client.send(otp()),
    "track": lambda client: client.track("t-1"),
    "search": lambda client: anext(aiter(client.search(to=PHONE))),
    "search OTPs": lambda client: anext(aiter(client.search_otp(phone_number=PHONE))),
    "balance": lambda client: client.balance(),
    "templates": lambda client: client.otp_templates(),
}
BODIES: dict[str, Callable[[str], Any]] = {
    "message": lambda text: {"developerMessage": text},
    "code": lambda text: {"code": text},
    "problems": lambda text: {"properties": {text: text}},
    "detail": lambda text: {"detail": [{"loc": ["headers", text], "msg": text}]},
}


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("call", READS.values(), ids=READS)
async def test_quoted_headers_are_masked_in_the_error(
    call: Callable[[RouteeClient], Awaitable[Any]],
    body: Callable[[str], Any],
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Token, Authorization and the headers of the settings are in no error, log or event of a call that is refused."""
    caplog.set_level(logging.DEBUG)
    recorder = _Recorder()
    async with FakeRoutee(quoting(status, body=body), _tokens) as server:
        config = server.config(headers=HEADERS, observers=[recorder])
        async with RouteeClient(config) as client:
            with pytest.raises(Rejected) as caught:
                await call(client)
    rendered = shown(caught.value)
    assert "cannot take" in rendered
    assert _leaked(rendered + caplog.text + repr(recorder.events)) == []


async def test_token_of_each_attempt_is_masked() -> None:
    """After a token was renewed, the refusal of the attempt with the new one does not show that one either."""
    numbers = iter(TOKENS)

    async def tokens(_request: ReceivedRequest) -> web.StreamResponse:
        return token_response(next(numbers))

    async with FakeRoutee(quoting(401), tokens) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(sms())
    assert server.token_requests == 2
    assert "cannot take" in str(caught.value)
    assert _leaked(shown(caught.value)) == []


async def test_failed_otp_that_quotes_the_token_shows_none() -> None:
    """A 200 with `status: Failed` and the token in its text is masked like a rejection."""
    respond = quoting(200, body=lambda text: {"status": "Failed", "statusCode": 9, "error": text})
    async with FakeRoutee(respond, _tokens) as server, RouteeClient(server.config()) as client:
        with pytest.raises(FlowFailed) as caught:
            await client.send(otp())
    assert "cannot take" in str(caught.value.developer_message)
    assert _leaked(shown(caught.value)) == []


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_refused_token_request_shows_no_application_secret(body: Callable[[str], Any], status: int) -> None:
    """A token service that quotes the application secret puts neither it nor its Basic value into the error."""

    async def quote_secret(request: ReceivedRequest) -> web.StreamResponse:
        quoted = f"cannot take {request.headers['Authorization']}, that is application:canary-key"
        return web.json_response(body(quoted) | {"error_description": quoted}, status=status)

    async with FakeRoutee(token=quote_secret) as server, RouteeClient(server.config()) as client:
        with pytest.raises(TokenUnavailable) as caught:
            await client.send(sms())
    assert _leaked(shown(caught.value)) == []
    assert server.requests == []


async def test_mapping_that_is_sent_by_mistake_is_in_no_traceback() -> None:
    """Who sends Routee's JSON instead of a flow gets an error that shows nothing of it, from `send` and `send_all`."""
    mappings: list[Any] = [{"pin": PIN, "to": PHONE}]
    async with RouteeClient(config_for("http://127.0.0.1:1")) as client:
        with pytest.raises(InvalidFlow, match="takes a flow, not dict") as caught:
            await client.send(mappings[0])
        (error,) = [sent.error async for sent in client.send_all(mappings)]
    assert isinstance(error, InvalidFlow)
    assert [secret for secret in (PIN, PHONE) if secret in shown(caught.value) + shown(error)] == []


@pytest.mark.parametrize("call", ["search", "search OTPs"])
async def test_searched_number_is_masked_in_a_refusal(call: str) -> None:
    """The error of a search shows no number, neither one that the refusal quotes nor in a traceback."""

    async def quote_request(request: ReceivedRequest) -> web.StreamResponse:
        quoted = f"cannot take {request.body.decode()} {request.path} {unquote(request.path)}"
        return web.json_response({"developerMessage": quoted}, status=400)

    async with FakeRoutee(quote_request) as server, RouteeClient(server.config()) as client:
        with pytest.raises(BadRequest, match="cannot take") as caught:
            await READS[call](client)
    assert PHONE.removeprefix("+") not in shown(caught.value)


def _contents(folder: Path) -> str:
    return "".join(file.read_bytes().decode("latin-1") for file in folder.iterdir())


async def test_ledger_file_holds_no_quoted_credentials(tmp_path: Path) -> None:
    """The reason of a rejected message is in the ledger, the token and the code that it quoted are in no byte of it."""

    async def quote_all(request: ReceivedRequest) -> web.StreamResponse:
        quoted = f"cannot take {request.headers['Authorization']} {request.body.decode()}"
        return web.json_response({"developerMessage": quoted}, status=400)

    async with (
        FakeRoutee(quote_all, _tokens) as server,
        RouteeClient(server.config()) as client,
        SqliteLedger(tmp_path / "run.sqlite") as ledger,
    ):
        progress = await BulkSender(client, ledger).run(rows_of([otp()]))
        (entry,) = [entry async for entry in ledger.entries()]
        contents = _contents(tmp_path)
    contents += _contents(tmp_path)
    assert progress.counts.rejected == 1
    assert "cannot take" in str(entry.reason)
    assert [secret for secret in (*CREDENTIALS, PIN) if secret in contents] == []


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "blanks": " ".join,
    "groups": lambda text: f"{text[:3]} {text[3:]}",
    "dashes": "-".join,
    "dash": lambda text: f"{text[:3]}-{text[3:]}",
    "narrow blanks": "\u202f".join,
    "percent": lambda text: quote(f"Your code is {text}", safe=""),
    "JSON": lambda text: json.dumps(f"Your code is {text}"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(f'{{"pin":"{text}"}}'.encode()).decode(),
    "base64 at 1": lambda text: base64.b64encode(f"x{text}y".encode()).decode(),
    "base64 at 2": lambda text: base64.urlsafe_b64encode(f"xx{text}yy".encode()).decode(),
}


def _shows(text: str, code: str) -> bool:
    """Return whether a text shows a code to somebody who removes separators and decodes base64."""
    words = re.findall(r"[\w+/-]{4,}", text.encode("ascii", "replace").decode())
    starts = [word[start:].replace("-", "+").replace("_", "/") for word in words for start in range(4)]
    decoded = [base64.b64decode(start + "A" * (-len(start) % 4)) for start in starts]
    return _alphanumeric(code) in _alphanumeric(text) or any(code.encode() in data for data in decoded)


def _alphanumeric(text: str) -> str:
    """Return the letters and digits of a text."""
    return "".join(filter(str.isalnum, text))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("pin", ["739164", "12345678", "739-164", "aB3$ x/9é"])
async def test_code_is_masked_in_every_form(pin: str, form: Callable[[str], str]) -> None:
    """A code that Routee quotes with blanks, with dashes, encoded for a URL or in base64 is masked."""
    steps: list[ViberOtpStep | OtpSmsStep] = [
        ViberOtpStep(to=PHONE, sender_info_tracking_id="s", template_id=TEMPLATE, pin=pin, ttl=MINUTE),
        OtpSmsStep(to=PHONE, message=f"Your code is {pin}", ttl=MINUTE),
    ]
    respond = always(422, {"detail": f"cannot take {form(pin)}, it is bad"})
    async with FakeRoutee(respond) as server, RouteeClient(server.config()) as client:
        with pytest.raises(Rejected) as caught:
            await client.send(OtpFlow(steps=steps))
    text = caught.value.developer_message
    assert text is not None
    assert (text.startswith("cannot take "), text.endswith(", it is bad")) == (True, True)
    assert not _shows(text, pin)
    assert form(pin) not in text


@pytest.mark.parametrize(
    "quoted",
    [
        html.escape('<a> & "b" 7'),
        quote('<a> & "b" 7'),
        quote('<a> & "b" 7').lower(),
        json.dumps('<a> & "b" 7')[1:-1],
        '<a> & "b" 7',
    ],
)
def test_text_is_masked_in_the_escapes_of_other_formats(quoted: str) -> None:
    """A text is masked with the escapes of HTML, URLs and JSON."""
    assert make_redactor(['<a> & "b" 7'])(f"cannot take {quoted}!") == "cannot take ****!"


@pytest.mark.parametrize("length", [9_990, 10_000, 10_004, 10_012, 25_000, 1_000_000])
def test_secret_at_the_end_of_what_is_searched_is_not_cut_in_two(length: int) -> None:
    """Of a long text only the beginning is returned, and no part of a secret at its end."""
    secret = "canary-secret-of-many-characters"
    text = make_redactor([secret])("x" * length + secret * 3)
    assert "canary" not in text
    assert text.startswith("x" * 9_000)


async def test_words_that_are_no_secrets_stay() -> None:
    """What Routee says beside a secret stays readable."""
    message = "Viber text must have 4 to 10 characters; application/json expected, see flow.0.1.pin of 2026-01-01"
    async with (
        FakeRoutee(always(400, {"developerMessage": message})) as server,
        RouteeClient(server.config(headers={"X-Team": "shop"})) as client,
    ):
        with pytest.raises(BadRequest) as caught:
            await client.send(otp())
    assert caught.value.developer_message == message
