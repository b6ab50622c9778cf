"""The requests of the client: URL, headers and JSON of each endpoint, as Routee documents them."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from inspect import signature
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses
from yarl import URL

from routee_failover import AnyFlow, Config, FlowReceipt, OtpReceipt, RouteeClient, ViberOtpReceipt
from routee_failover._request_builder import build_request

from .sample_flows import PHONE, PIN, SENDER, TEMPLATE, TEXT, otp, standard, transactional, viber_otp

API = "https://connect.routee.net"
TOKEN = "https://auth.routee.net/oauth/token"


class FilledResponse(aiohttp.ClientResponse):
    """A response as aiohttp 3.14 builds it: aioresponses 0.7.9 omits `stream_writer`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        missing = {"stream_writer"} & signature(aiohttp.ClientResponse).parameters.keys()
        super().__init__(*args, **dict.fromkeys(missing, Mock(output_size=0)) | kwargs)


@pytest.fixture
def mocked() -> Iterator[aioresponses]:
    """Routee's URLs without a network, with one token."""
    with aioresponses() as mock:
        mock.post(TOKEN, payload={"access_token": "t0", "expires_in": 3600}, response_class=FilledResponse)
        yield mock


@pytest.fixture
async def client() -> AsyncIterator[RouteeClient]:
    """A client with Routee's own URLs."""
    async with RouteeClient(Config(application_id="id", application_secret="key")) as opened:
        yield opened


def _single_request(mocked: aioresponses, method: str, url: str) -> dict[str, Any]:
    (call,) = mocked.requests[method, URL(url)]
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
    mocked: aioresponses, client: RouteeClient, flow: AnyFlow, path: str, response: Any, body: Any
) -> None:
    """Each kind of flow is one POST to its own path, as JSON, with the token, without following redirects."""
    mocked.post(API + path, payload=response, response_class=FilledResponse)
    receipt = await client.send(flow)
    assert isinstance(receipt, FlowReceipt | OtpReceipt | ViberOtpReceipt)
    request = _single_request(mocked, "POST", API + path)
    assert json.loads(request["data"]) == body
    assert request["headers"] == {"Authorization": "Bearer t0", "Content-Type": "application/json"}
    assert request["allow_redirects"] is False


async def test_token_request_is_as_documented(mocked: aioresponses, client: RouteeClient) -> None:
    """The token is requested with Basic authorization and a form that names client_credentials."""
    mocked.get(f"{API}/failover/tracking/t-1", payload={"trackingId": "t-1"}, response_class=FilledResponse)
    await client.track("t-1")
    request = _single_request(mocked, "POST", TOKEN)
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
    mocked: aioresponses, client: RouteeClient, endpoint: str, path: str
) -> None:
    """Tracking is a GET without a body to the path of its endpoint."""
    mocked.get(API + path, payload={}, response_class=FilledResponse)
    await client.track("x", endpoint)
    request = _single_request(mocked, "GET", API + path)
    assert request["data"] is None
    assert request["headers"] == {"Authorization": "Bearer t0"}


async def test_otp_templates_are_read_from_the_documented_path(mocked: aioresponses, client: RouteeClient) -> None:
    """The OTP templates have one documented URL."""
    mocked.get(f"{API}/failover-otp/otp/templates", payload={"templates": []}, response_class=FilledResponse)
    assert await client.otp_templates() == {"templates": []}


async def test_every_request_carries_the_connect_timeout(mocked: aioresponses) -> None:
    """Each request carries the configured connect timeout; one clock keeps the total timeout of all attempts."""
    config = Config(
        application_id="id",
        application_secret="key",
        total_timeout=timedelta(seconds=7),
        connect_timeout=timedelta(seconds=2),
    )
    mocked.get(f"{API}/failover/tracking/x", payload={}, response_class=FilledResponse)
    async with RouteeClient(config) as client:
        await client.track("x")
    for method, url in (("POST", TOKEN), ("GET", f"{API}/failover/tracking/x")):
        timeout = _single_request(mocked, method, url)["timeout"]
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
