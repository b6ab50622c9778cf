"""The requests of the client: URL, headers and JSON of each endpoint, as Routee documents them."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from yarl import URL

from routee_failover import AnyFlow, FlowReceipt, OtpReceipt, RouteeClient, ViberOtpReceipt
from routee_failover._request_builder import build_request
from routee_failover.testing import RouteeMock

from .fake_routee import FakeRoutee, always
from .sample_flows import PHONE, PIN, SENDER, TEMPLATE, TEXT, otp, standard, transactional, viber_otp

API = "https://connect.routee.net"
TOKEN = "https://auth.routee.net/oauth/token"
BEARER = "Bearer mock-token"


@pytest.fixture
def routee() -> Iterator[RouteeMock]:
    """Routee's URLs without a network."""
    with RouteeMock() as mock:
        yield mock


@pytest.fixture
async def client(routee: RouteeMock) -> AsyncIterator[RouteeClient]:
    """A client with Routee's own URLs."""
    async with routee.client(application_id="id", application_secret="key") as opened:
        yield opened


def _single_request(routee: RouteeMock, method: str, url: str) -> dict[str, Any]:
    (call,) = routee.aioresponses.requests[method, URL(url)]
    return dict(call.kwargs)


SENDS: dict[str, tuple[AnyFlow, str, Any, Any]] = {
    "standard": (
        standard(),
        "/failover",
        {"trackingId": "t"},
        {
            "flow": [
                {
                    "type": "Viber",
                    "order": 1,
                    "senderInfoTrackingId": SENDER,
                    "to": PHONE,
                    "ttl": 1,
                    "label": "spring",
                    "message": {"text": TEXT},
                },
                {"type": "Sms", "order": 2, "from": "Demo", "to": PHONE, "message": {"body": TEXT}},
            ]
        },
    ),
    "transactional": (
        transactional(),
        "/failover/transactional",
        {"trackingId": "t"},
        {
            "flow": [
                {
                    "type": "Viber",
                    "order": 1,
                    "senderInfoTrackingId": SENDER,
                    "to": PHONE,
                    "templateId": "bbbbbbbb-0000-4000-8000-000000000002",
                    "templateLang": "en",
                    "templateParams": {"customer_name": "Canary"},
                    "seq": 7,
                    "ttl": 1,
                }
            ]
        },
    ),
    "otp": (
        otp(),
        "/failover-otp/otp/send-failover",
        {"flowId": "f", "status": "InProgress"},
        {
            "flow": [
                {
                    "type": "ViberOtp",
                    "order": 1,
                    "senderInfoTrackingId": SENDER,
                    "to": PHONE,
                    "templateId": TEMPLATE,
                    "pin": PIN,
                    "ttl": 60,
                },
                {"type": "Sms", "order": 2, "to": PHONE, "message": {"body": TEXT}, "ttl": 60},
            ]
        },
    ),
    "viber-otp": (
        viber_otp(),
        "/viber/otp",
        {"trackingId": "t"},
        {
            "senderInfoTrackingId": SENDER,
            "to": PHONE,
            "templateId": TEMPLATE,
            "templateParams": {"pin": PIN},
            "ttl": 60,
        },
    ),
}


@pytest.mark.parametrize(("flow", "path", "response", "body"), SENDS.values(), ids=SENDS)
async def test_send_request_is_as_documented(
    routee: RouteeMock, client: RouteeClient, flow: AnyFlow, path: str, response: Any, body: Any
) -> None:
    """Each kind of flow is one POST to its own path, as JSON, with the token, without following redirects."""
    routee.aioresponses.post(API + path, payload=response)
    receipt = await client.send(flow)
    assert isinstance(receipt, FlowReceipt | OtpReceipt | ViberOtpReceipt)
    (sent,) = routee.sent
    assert (sent.endpoint, sent.path, sent.json) == (flow.endpoint, path, body)
    request = _single_request(routee, "POST", API + path)
    assert request["headers"] == {"Authorization": BEARER, "Content-Type": "application/json"}
    assert request["allow_redirects"] is False


@pytest.mark.parametrize(("flow", "path", "response", "body"), SENDS.values(), ids=SENDS)
async def test_same_request_arrives_over_a_connection(flow: AnyFlow, path: str, response: Any, body: Any) -> None:
    """Without a custom session, a server receives the same path, headers and JSON, once."""
    async with FakeRoutee(always(200, response)) as server, RouteeClient(server.config()) as client:
        await client.send(flow)
    (request,) = server.requests
    assert (request.method, request.path, json.loads(request.body)) == ("POST", path, body)
    assert request.headers["Authorization"] == "Bearer token-1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Content-Length"] == str(len(request.body))


async def test_token_request_is_as_documented(routee: RouteeMock, client: RouteeClient) -> None:
    """The token is requested with Basic authorization and a form that names client_credentials."""
    routee.aioresponses.get(f"{API}/failover/tracking/t-1", payload={"trackingId": "t-1"})
    await client.track("t-1")
    request = _single_request(routee, "POST", TOKEN)
    assert request["data"] == b"grant_type=client_credentials"
    assert request["headers"] == {
        "Authorization": f"Basic {base64.b64encode(b'id:key').decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert request["allow_redirects"] is False


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("standard", "/failover/tracking/x"),
        ("transactional", "/failover/tracking/x"),
        ("otp", "/failover-otp/otp/failover/x"),
        ("viber-otp", "/viber/tracking/x"),
    ],
)
async def test_tracking_request_is_as_documented(
    routee: RouteeMock, client: RouteeClient, endpoint: str, path: str
) -> None:
    """Tracking is a GET without a body to the path of its endpoint."""
    routee.aioresponses.get(API + path, payload={})
    await client.track("x", endpoint)
    request = _single_request(routee, "GET", API + path)
    assert request.get("data") is None
    assert request["headers"] == {"Authorization": BEARER}


async def test_otp_templates_are_read_from_the_documented_path(routee: RouteeMock, client: RouteeClient) -> None:
    """The OTP templates have one documented URL."""
    routee.aioresponses.get(f"{API}/failover-otp/otp/templates", payload={"templates": []})
    assert await client.otp_templates() == ()


async def test_every_request_carries_the_connect_timeout(routee: RouteeMock) -> None:
    """Each request carries the configured connect timeout; one clock keeps the total timeout of all attempts."""
    routee.aioresponses.get(f"{API}/failover/tracking/x", payload={})
    timeouts = {"total_timeout": timedelta(seconds=7), "connect_timeout": timedelta(seconds=2)}
    async with routee.client(**timeouts) as client:
        await client.track("x")
    for method, url in (("POST", TOKEN), ("GET", f"{API}/failover/tracking/x")):
        timeout = _single_request(routee, method, url)["timeout"]
        assert (timeout.total, timeout.connect) == (None, 2)


async def test_flow_that_fits_its_deadline_is_encoded_once() -> None:
    """A flow whose ttls end before the deadline keeps its body in each attempt; a shortened one gets another."""
    request = build_request(otp(), timedelta(hours=1), None)
    assert request.body is not None
    assert request.body_factory is not None
    assert request.body_factory(3600.0) is request.body
    shortened = request.body_factory(60.0)
    assert shortened is not None
    assert sum(step["ttl"] for step in json.loads(shortened.reveal())["flow"]) <= 60
    assert request.body_factory(0.0) is None
