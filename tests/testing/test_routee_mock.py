"""RouteeMock: it accepts every flow, shows what was sent, and responds otherwise where a test says so."""

import asyncio
import sys
from typing import Any

import aiohttp
import pytest

from routee_failover import (
    AnyFlow,
    BadRequest,
    Channel,
    ConnectFailed,
    DeliveryUnknown,
    Endpoint,
    FlowFailed,
    FlowStatus,
    NotFound,
    RawFlow,
    Rejected,
    RouteeError,
    StandardFlow,
    TokenUnavailable,
)
from routee_failover.testing import RouteeMock, RouteeMockError
from tests.client.fake_routee import FakeRoutee
from tests.client.sample_flows import CANARIES, PIN, otp, sms, standard, transactional, viber_otp

API = "https://connect.routee.net"
FLOWS: dict[str, tuple[AnyFlow, str]] = {
    "standard": (standard(), "/failover"),
    "transactional": (transactional(), "/failover/transactional"),
    "otp": (otp(), "/failover-otp/otp/send-failover"),
    "viber-otp": (viber_otp(), "/viber/otp"),
}


async def test_three_lines_send_and_show_what_was_sent() -> None:
    """A test sends a flow and compares it with what was sent, without any other preparation."""
    with RouteeMock() as routee:
        await routee.client().send(sms())
        assert routee.sent[0].json["flow"][0]["message"]["body"] == f"Canary words {PIN}"


@pytest.mark.parametrize(("flow", "path"), FLOWS.values(), ids=FLOWS)
async def test_each_kind_of_flow_is_accepted_and_shown(flow: AnyFlow, path: str) -> None:
    """The flow that was sent equals the one that was built; its request is shown without the token."""
    with RouteeMock() as routee:
        await routee.client().send(flow)
        (request,) = routee.sent
    assert (request.endpoint, request.path, request.flow) == (flow.endpoint, path, flow)
    assert dict(request.headers) == {"Content-Type": "application/json"}
    assert request.headers["content-type"] == "application/json"
    assert not any(canary in repr(request) for canary in CANARIES)


@pytest.mark.parametrize("endpoint", Endpoint)
@pytest.mark.parametrize("mapping", [{}, {"flow": [1]}, {"flow": "x"}, {"flow": [{"type": 1}, {"new": True}]}])
async def test_raw_flow_of_any_shape_is_accepted_and_shown(endpoint: Endpoint, mapping: Any) -> None:
    """A raw flow is accepted whatever it has, and its request shows the mapping."""
    with RouteeMock() as routee:
        await routee.client().send(RawFlow(endpoint, mapping))
        (request,) = routee.sent
    assert (request.endpoint, request.json) == (endpoint, mapping)


async def test_receipts_have_the_documented_fields() -> None:
    """A receipt of the mock has what one of Routee has: an id of its own, a status, and the steps."""
    with RouteeMock() as routee:
        client = routee.client()
        first, second = await client.send(standard()), await client.send(transactional())
        otp_receipt, viber_receipt = await client.send(otp()), await client.send(viber_otp())
    assert first.tracking_id != second.tracking_id
    assert (first.flow_kind, second.flow_kind) == ("standard", "transactional")
    assert first.created_at is not None
    assert [step.type for step in first.steps] == ["Viber", "Sms"]
    assert (otp_receipt.status, otp_receipt.channel) == (FlowStatus.IN_PROGRESS, Channel.VIBER)
    assert otp_receipt.sent_step is not None
    assert (viber_receipt.status, viber_receipt.to) == ("Queued", viber_otp().to)


async def test_otp_flow_of_one_step_is_succeeded() -> None:
    """As on Routee's page, the receipt of a one-time password with one step says Succeeded at once."""
    flow = otp()
    with RouteeMock() as routee:
        receipt = await routee.client().send(type(flow)(steps=flow.steps[1:]))
    assert (receipt.status, receipt.channel) == (FlowStatus.SUCCEEDED, Channel.SMS)


async def test_concurrent_sends_get_receipts_of_their_own() -> None:
    """Each of many sends at once gets an id of its own, and one token serves all of them."""
    with RouteeMock() as routee:
        client = routee.client()
        receipts = await asyncio.gather(*(client.send(sms(text=f"Number {number}")) for number in range(50)))
        texts = {request.json["flow"][0]["message"]["body"] for request in routee.sent}
        tokens = [calls for (_, url), calls in routee.aioresponses.requests.items() if url.path == "/oauth/token"]
    assert len({receipt.tracking_id for receipt in receipts}) == 50
    assert texts == {f"Number {number}" for number in range(50)}
    assert [len(calls) for calls in tokens] == [1]


async def test_responses_are_used_in_order_and_then_flows_are_accepted_again() -> None:
    """A response that a test sets serves one request; without another one the next flow is accepted."""
    with RouteeMock() as routee:
        client = routee.client()
        routee.respond("standard", status=404)
        routee.respond("standard", status=400, payload={"developerMessage": "no such sender"})
        with pytest.raises(NotFound):
            await client.send(sms())
        with pytest.raises(BadRequest, match="no such sender"):
            await client.send(sms())
        await client.send(sms())
    assert [request.flow for request in routee.sent] == [sms()] * 3


async def test_response_may_be_repeated() -> None:
    """A repeated response serves that many requests, or all of them."""
    with RouteeMock() as routee:
        client = routee.client()
        routee.respond("standard", status=404, repeat=2)
        routee.respond("otp", status=200, payload={"status": "Failed", "statusCode": 2}, repeat=True)
        for _ in range(2):
            with pytest.raises(NotFound):
                await client.send(sms())
        await client.send(sms())
        for _ in range(3):
            with pytest.raises(FlowFailed):
                await client.send(otp())


ROUTEE = aiohttp.client_reqrep.ConnectionKey("connect.routee.net", 443, True, True, None, None, None)
OUTCOMES: dict[str, tuple[dict[str, Any], type[RouteeError]]] = {
    "timeout of the connection": ({"exception": aiohttp.ConnectionTimeoutError()}, ConnectFailed),
    "no connection": ({"exception": aiohttp.ClientConnectorError(ROUTEE, OSError(111, "refused"))}, ConnectFailed),
    "disconnected": ({"exception": aiohttp.ServerDisconnectedError()}, DeliveryUnknown),
    "timeout of the response": ({"exception": TimeoutError()}, DeliveryUnknown),
    "unexpected exception": ({"exception": LookupError("canary")}, DeliveryUnknown),
    "server error": ({"status": 500}, DeliveryUnknown),
    "no JSON": ({"body": "<html>"}, DeliveryUnknown),
    "rejected": ({"status": 402}, Rejected),
}


@pytest.mark.parametrize(("response", "error"), OUTCOMES.values(), ids=OUTCOMES)
async def test_failure_has_the_outcome_that_it_proves(response: dict[str, Any], error: type[RouteeError]) -> None:
    """A failure of the mock ends a send as the same failure of Routee does."""
    with RouteeMock() as routee:
        routee.respond("standard", **response, repeat=True)
        with pytest.raises(error) as caught:
            await routee.client(max_attempts=1).send(sms())
    assert type(caught.value) is error


async def test_each_attempt_of_a_retried_send_is_recorded() -> None:
    """A send that Routee rejected for now is sent again, and the test sees both attempts."""
    with RouteeMock() as routee:
        routee.respond("standard", status=408)
        await routee.client().send(sms())
    assert [request.flow for request in routee.sent] == [sms(), sms()]


async def test_token_may_be_refused() -> None:
    """The token service responds as a test says, and no flow is sent without a token."""
    with RouteeMock() as routee:
        routee.respond("token", status=401)
        with pytest.raises(TokenUnavailable):
            await routee.client().send(sms())
        assert routee.sent == []
        await routee.client().send(sms())


async def test_unknown_endpoint_is_refused() -> None:
    """A misspelt endpoint is refused at once, with the names that exist."""
    with RouteeMock() as routee, pytest.raises(RouteeMockError, match="standard, transactional, otp, viber-otp"):
        routee.respond("stadard")  # type: ignore[arg-type]


async def test_reading_call_without_a_response_names_what_to_register() -> None:
    """A call for which a test has set no response says which one is missing, and reaches no network."""
    with RouteeMock() as routee:
        with pytest.raises(BadRequest, match=r'aioresponses\.get\("https://connect.routee.net/failover/tracking/t-1"'):
            await routee.client().track("t-1")
        routee.aioresponses.get(f"{API}/failover/tracking/t-1", payload={"trackingId": "t-1"})
        assert (await routee.client().track("t-1")).raw["trackingId"] == "t-1"


async def test_registered_response_precedes_the_receipt() -> None:
    """What a test registers with aioresponses itself is used, and the send is recorded all the same."""
    with RouteeMock() as routee:
        routee.aioresponses.post(f"{API}/failover", payload={"trackingId": "mine"})
        assert (await routee.client().send(sms())).tracking_id == "mine"
        assert len(routee.sent) == 1


async def test_base_urls_of_the_program_are_mocked() -> None:
    """A program with base URLs of its own, a gateway for example, is served under them."""
    with RouteeMock(api_url="https://gateway.example/routee/", auth_url="https://login.example") as routee:
        await routee.client().send(sms())
        with pytest.raises(BadRequest, match=r"no response to GET https://gateway\.example/routee/failover/"):
            await routee.client().track("t-1")
    assert [request.path for request in routee.sent] == ["/routee/failover"]


async def test_large_flow_is_recorded_whole() -> None:
    """A flow of more than a MiB, which the client passes on as a stream, is shown like any other."""
    flow = StandardFlow(steps=sms().steps, extra={"note": "x" * 2_000_000})
    with RouteeMock() as routee:
        await routee.client().send(flow)
    assert routee.sent[0].flow == flow


async def test_large_response_is_read_whole() -> None:
    """A receipt of almost a MiB, the largest that the client reads by default, is read."""
    with RouteeMock() as routee:
        routee.respond("standard", payload={"trackingId": "t" * 1_000_000})
        assert len((await routee.client().send(sms())).tracking_id) == 1_000_000


async def test_response_over_the_limit_is_not_read() -> None:
    """A response above `max_response_size` is refused as one of Routee's would be."""
    with RouteeMock() as routee:
        routee.respond("standard", body=b"x" * 2_000_000)
        with pytest.raises(DeliveryUnknown, match="longer than max_response_size"):
            await routee.client().send(sms())


async def test_requests_that_pass_through_reach_their_server() -> None:
    """A server of the test itself is reached where `passthrough` names it."""
    async with FakeRoutee() as server, aiohttp.ClientSession() as session:
        with RouteeMock(passthrough=["http://127.0.0.1"]) as routee:
            async with session.post(f"{server.url}/failover", data=b"{}") as response:
                assert response.status == 200
        assert (len(server.requests), routee.sent) == (1, [])


async def test_mock_forgets_what_was_sent_when_it_starts_again() -> None:
    """What was sent can be read after the mock has stopped, and is gone when it starts again."""
    mock = RouteeMock()
    with mock:
        await mock.client().send(sms())
    assert len(mock.sent) == 1
    with mock:
        assert mock.sent == []


async def test_sessions_send_again_after_the_mock() -> None:
    """The mock leaves nothing behind: a session reaches its server again."""
    with RouteeMock():
        pass
    async with (
        FakeRoutee() as server,
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/failover", data=b"{}") as response,
    ):
        assert response.status == 200


def test_second_mock_at_a_time_is_refused() -> None:
    """Two mocks cannot both replace aiohttp's sessions; the error says what to do instead."""
    with RouteeMock():
        with pytest.raises(RouteeMockError, match="another RouteeMock or aioresponses is active"):
            RouteeMock().start()
        assert RouteeMock().sent == []


def test_missing_aioresponses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without aioresponses the module can be imported, and a mock says what to install."""
    monkeypatch.setitem(sys.modules, "aioresponses", None)
    monkeypatch.delitem(sys.modules, "routee_failover._aioresponses", raising=False)
    with pytest.raises(RouteeMockError, match=r'pip install "routee-failover\[testing\]"'):
        RouteeMock()
