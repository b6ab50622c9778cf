"""Sentry's own integration of aiohttp: every request carries the trace of the code that made it."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
import sentry_sdk
from aiohttp import web
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.aiohttp import AioHttpIntegration
from sentry_sdk.transport import Transport

from routee_failover import DeliveryUnknown, Rejected, RouteeClient, RouteeError
from tests.client.fake_routee import ReceivedRequest
from tests.client.sample_flows import otp, sms

from .traced_server import (
    NOWHERE,
    SECRETS,
    TracedRequest,
    TracedRoutee,
    accepted_response,
    send_at_once,
    send_for,
    send_in_turn,
)


class RecordingTransport(Transport):
    """Keeps what Sentry would receive."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keep an envelope."""
        self.envelopes.append(envelope)

    @property
    def errors(self) -> list[str]:
        """The classes of all captured exceptions."""
        events: list[Any] = [envelope.get_event() or {} for envelope in self.envelopes]
        return [event["exception"]["values"][0]["type"] for event in events if "exception" in event]

    def requests(self, name: str) -> list[dict[str, Any]]:
        """Return the spans of HTTP requests in the transaction of this name."""
        events: list[Any] = [envelope.get_transaction_event() or {} for envelope in self.envelopes]
        (transaction,) = (event for event in events if event.get("transaction") == name)
        return [span for span in transaction["spans"] if span["op"] == "http.client"]


@pytest.fixture
def sentry(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingTransport]:
    """Sentry for a program that traces everything, without a network. Its patches of aiohttp are undone."""
    own_init = aiohttp.ClientSession.__init__
    monkeypatch.setattr(aiohttp.ClientSession, "__init__", own_init)
    transport = RecordingTransport()
    # The server of the test stands for Routee, so Sentry's patches of aiohttp's server are undone at once.
    with pytest.MonkeyPatch.context() as server:
        server.setattr(web.Application, "_handle", web.Application._handle)
        server.setattr(web.UrlDispatcher, "resolve", web.UrlDispatcher.resolve)
        sentry_sdk.init(
            "https://key@sentry.example/1",
            transport=transport,
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AioHttpIntegration()],
            release="program-1",
        )
        if aiohttp.ClientSession.__init__ is own_init:  # Sentry patches once in a process, for an earlier test
            AioHttpIntegration.setup_once()
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


async def _send_for(client: RouteeClient, customer: str) -> None:
    """Send in a transaction of this customer, as a web framework's integration would start one."""
    with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(name=customer, op="task"):
        await send_for(client, customer)


def _ids(request: TracedRequest) -> tuple[str, str]:
    """Return trace id and span id of the only sentry-trace header of a request."""
    (header,) = request.headers.getall("sentry-trace")
    trace_id, span_id, _ = header.split("-")
    return trace_id, span_id


@pytest.mark.parametrize("in_order", [send_in_turn, send_at_once])
async def test_each_send_carries_its_own_trace_and_baggage(
    sentry: RecordingTransport, in_order: Callable[..., Any]
) -> None:
    """Sends one after the other, and concurrent ones, carry the trace and the baggage of their own customer."""
    async with TracedRoutee() as server, RouteeClient(server.config(session_factory=aiohttp.ClientSession)) as client:
        customers = await in_order(lambda customer: _send_for(client, customer), 12)
    assert sorted(request.customer for request in server.messages) == sorted(customers)
    for request in server.messages:
        trace_id, span_id = _ids(request)
        sends = [span for span in sentry.requests(request.customer) if span["description"].endswith("/failover")]
        assert [(span["trace_id"], span["span_id"]) for span in sends] == [(trace_id, span_id)]
        (baggage,) = request.headers.getall("baggage")
        assert f"sentry-trace_id={trace_id}" in baggage.split(",")


async def test_every_request_carries_a_trace_of_its_own(sentry: RecordingTransport) -> None:
    """No send and no reading call carries the headers of another one, and a token request carries no caller's."""
    rejected_once = itertools.chain([401], itertools.repeat(200))

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(next(rejected_once))

    async with (
        TracedRoutee(respond) as server,
        RouteeClient(server.config(session_factory=aiohttp.ClientSession)) as client,
    ):
        await send_in_turn(lambda customer: _send_for(client, customer), 3)
        with sentry_sdk.start_transaction(name="tracking"):
            await client.track("t-1")
            await client.track("t-2")
    assert [len(server.tokens), len(server.messages)] == [2, 4]
    assert not any("sentry-trace" in request.headers for request in server.tokens)
    carried = [_ids(request) for request in server.traced if request not in server.tokens]
    assert len(set(carried)) == len(carried) == 6
    tracking = [(span["trace_id"], span["span_id"]) for span in sentry.requests("tracking")]
    assert carried[-2:] == tracking


STATUSES: dict[int, tuple[type[RouteeError] | None, str]] = {
    200: (None, "ok"),
    400: (Rejected, "invalid_argument"),
    500: (DeliveryUnknown, "internal_error"),
}


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
async def test_span_has_the_status_of_the_response(
    sentry: RecordingTransport, status: int, expected: tuple[type[RouteeError] | None, str]
) -> None:
    """The span of a send ends with the HTTP status of its response."""
    error, text = expected

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(status)

    async with (
        TracedRoutee(respond) as server,
        RouteeClient(server.config(session_factory=aiohttp.ClientSession)) as client,
    ):
        with sentry_sdk.start_transaction(name="send"):
            if error is None:
                await client.send(sms())
            else:
                with pytest.raises(error):
                    await client.send(sms())
    (message,) = (span for span in sentry.requests("send") if span["description"].endswith("/failover"))
    assert (message["status"], message["data"]["http.response.status_code"]) == (text, status)


async def test_nothing_that_sentry_gets_holds_a_pin_or_a_token(sentry: RecordingTransport) -> None:
    """Spans, breadcrumbs, and errors with the local variables of all frames: no body, no header, no credentials."""
    statuses = iter([200, 400, 500, 200])

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(next(statuses), request.body.decode())

    async with TracedRoutee(respond) as server:
        config = server.config(session_factory=aiohttp.ClientSession, max_attempts=1)
        async with RouteeClient(config) as client, client.with_options(api_url=NOWHERE) as unreachable:
            with sentry_sdk.start_transaction(name="login"):
                await client.send(sms())
                for other in (client, client, unreachable):
                    with pytest.raises(RouteeError) as caught:
                        await other.send(otp())
                    sentry_sdk.capture_exception(caught.value)
                await client.track("t-1")
    assert sentry.errors == ["BadRequest", "DeliveryUnknown", "ConnectFailed"]
    received = "\n".join(envelope.serialize().decode() for envelope in sentry.envelopes)
    assert f"{server.url}/failover" in received
    assert [secret for secret in SECRETS if secret in received] == []
