"""OpenTelemetry's own instrumentation of aiohttp: every request carries the trace of the code that made it."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from opentelemetry import baggage, context
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor, create_trace_config
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from routee_failover import ConnectFailed, DeliveryUnknown, Rejected, RouteeClient, RouteeError
from tests.client.fake_routee import ReceivedRequest, always
from tests.client.sample_flows import PHONE, otp, sms

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

SessionFactory = Callable[..., aiohttp.ClientSession]


class Telemetry:
    """The tracer of a program, and the spans that it has ended."""

    def __init__(self) -> None:
        self.provider = TracerProvider()
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("program")

    async def send_for(self, client: RouteeClient, customer: str) -> None:
        """Send in a span and with a baggage of this customer."""
        token = context.attach(baggage.set_baggage("customer", customer))
        try:
            with self.tracer.start_as_current_span(customer):
                await send_for(client, customer)
        finally:
            context.detach(token)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span."""
        return list(self._exporter.get_finished_spans())

    @property
    def requests(self) -> list[ReadableSpan]:
        """The spans of the instrumentation, one for each request."""
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def parent_of(self, customer: str) -> ReadableSpan:
        """Return the span in which this customer's message was sent."""
        (span,) = (span for span in self.spans if span.name == customer)
        return span


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """A tracer of this test."""
    own = Telemetry()
    yield own
    own.provider.shutdown()


@pytest.fixture(params=["trace config of the factory", "instrumented classes"])
def factory(request: pytest.FixtureRequest, telemetry: Telemetry) -> Iterator[SessionFactory]:
    """Both ways to instrument: a trace config that the factory passes, and OpenTelemetry's patch of all sessions."""
    if request.param == "instrumented classes":
        instrumentor = AioHttpClientInstrumentor()
        instrumentor.instrument(tracer_provider=telemetry.provider)
        yield aiohttp.ClientSession
        instrumentor.uninstrument()
    else:

        def traced(**given: Any) -> aiohttp.ClientSession:
            config = create_trace_config(tracer_provider=telemetry.provider)
            return aiohttp.ClientSession(trace_configs=[config], **given)

        yield traced


def _ids(request: TracedRequest) -> tuple[str, str]:
    """Return trace id and span id of the only traceparent of a request."""
    (header,) = request.headers.getall("traceparent")
    _, trace_id, span_id, _ = header.split("-")
    return trace_id, span_id


def _ids_of(span: ReadableSpan) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


@pytest.mark.parametrize("in_order", [send_in_turn, send_at_once])
async def test_each_send_carries_its_own_trace_and_baggage(
    telemetry: Telemetry, factory: SessionFactory, in_order: Callable[..., Any]
) -> None:
    """Sends one after the other, and concurrent ones, carry the trace and the baggage of their own customer."""
    async with TracedRoutee() as server, RouteeClient(server.config(session_factory=factory)) as client:
        customers = await in_order(lambda customer: telemetry.send_for(client, customer), 12)
    assert sorted(request.customer for request in server.messages) == sorted(customers)
    spans = {_ids_of(span): span for span in telemetry.requests}
    for request in server.messages:
        span = spans[_ids(request)]
        assert span.parent is not None
        assert span.parent.span_id == telemetry.parent_of(request.customer).context.span_id
        assert request.headers.getall("baggage") == [f"customer={request.customer}"]


async def test_every_request_has_a_span_of_its_own(telemetry: Telemetry, factory: SessionFactory) -> None:
    """Token requests, sends and reading calls: as many spans as requests, and each request carries its own."""
    rejected_once = itertools.chain([401], itertools.repeat(200))

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(next(rejected_once))

    async with TracedRoutee(respond) as server, RouteeClient(server.config(session_factory=factory)) as client:
        await send_in_turn(lambda customer: telemetry.send_for(client, customer), 3)
        await client.track("t-1")
        await client.track("t-2")
    assert [len(server.tokens), len(server.messages)] == [2, 4]
    carried = [_ids(request) for request in server.traced]
    assert len(set(carried)) == len(carried) == 8
    assert sorted(carried) == sorted(_ids_of(span) for span in telemetry.requests)
    paths = {
        _ids_of(span): str((span.attributes or {})["http.url"]).removeprefix(server.url) for span in telemetry.requests
    }
    assert [paths[_ids(request)] for request in server.traced] == [request.path for request in server.traced]


STATUSES: dict[int, tuple[type[RouteeError] | None, StatusCode]] = {
    200: (None, StatusCode.UNSET),
    400: (Rejected, StatusCode.ERROR),
    500: (DeliveryUnknown, StatusCode.ERROR),
}


@pytest.mark.parametrize(("status", "expected"), STATUSES.items())
async def test_span_has_the_status_of_the_response(
    telemetry: Telemetry, factory: SessionFactory, status: int, expected: tuple[type[RouteeError] | None, StatusCode]
) -> None:
    """The span of a send ends with the HTTP status of its response, and is an error from 400 on."""
    error, code = expected

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(status)

    async with TracedRoutee(respond) as server, RouteeClient(server.config(session_factory=factory)) as client:
        if error is None:
            await client.send(sms())
        else:
            with pytest.raises(error):
                await client.send(sms())
    token, message = telemetry.requests
    assert token.attributes is not None
    assert message.attributes is not None
    assert (token.attributes["http.status_code"], token.status.status_code) == (200, StatusCode.UNSET)
    assert (message.attributes["http.status_code"], message.status.status_code) == (status, code)


async def test_span_of_a_failed_connection_is_an_error(telemetry: Telemetry, factory: SessionFactory) -> None:
    """A connection that cannot be made ends its span as an error, and the send as proven not sent."""
    async with TracedRoutee() as server:
        config = server.config(session_factory=factory, api_url=NOWHERE, max_attempts=1)
        async with RouteeClient(config) as client:
            with pytest.raises(ConnectFailed):
                await client.send(sms())
    token, message = telemetry.requests
    assert (token.status.status_code, message.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)


async def test_spans_hold_no_pin_and_no_token(telemetry: Telemetry, factory: SessionFactory) -> None:
    """Spans hold method, URL and status of requests, and class, text and traceback of errors: no body, no header."""
    statuses = iter([200, 400, 500, 200])

    async def respond(request: ReceivedRequest) -> web.Response:
        return accepted_response(next(statuses), request.body.decode())

    async with TracedRoutee(respond) as server:
        config = server.config(session_factory=factory, max_attempts=1)
        async with RouteeClient(config) as client, client.with_options(api_url=NOWHERE) as unreachable:
            await client.send(sms())
            for other in (client, client, unreachable):
                with pytest.raises(RouteeError), telemetry.tracer.start_as_current_span("login"):
                    await other.send(otp())
            await client.track("t-1")
    shown = "\n".join(span.to_json() for span in telemetry.spans)
    assert f"{server.url}/failover" in shown
    assert [secret for secret in SECRETS if secret in shown] == []
    assert {name for span in telemetry.requests for name in span.attributes or {}} == {
        "http.method",
        "http.url",
        "http.status_code",
    }


async def test_url_of_a_search_is_in_its_span(telemetry: Telemetry, factory: SessionFactory) -> None:
    """The page about tracing says so: a number that is searched for is part of the URL, which the span holds."""
    async with (
        TracedRoutee(always(200, {"results": []})) as server,
        RouteeClient(server.config(session_factory=factory)) as client,
    ):
        await client.search_otp(phone_number=PHONE).page(0)
    _, search = telemetry.requests
    assert f"phone_number={PHONE.removeprefix('+')}" in str((search.attributes or {})["http.url"])


def test_example_of_the_page_traces_sessions() -> None:
    """The program of docs/reference.md instruments the sessions of a client."""
    page = (Path(__file__).parents[2] / "docs/reference.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page.partition("\n## Tracing\n")[2], re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/reference.md", "exec"), names)
    instrumentor = AioHttpClientInstrumentor()
    assert instrumentor.is_instrumented_by_opentelemetry
    instrumentor.uninstrument()
    assert names["config"].session_factory is aiohttp.ClientSession
