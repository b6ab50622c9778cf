"""Scripted responses and connection faults, over raw HTTP."""

import asyncio
import errno
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from routee_failover.sandbox import MessageScript, ResponseScript, Sandbox, server
from routee_failover.sandbox.contract import load_contract
from routee_failover.sandbox.fault_injection import FaultInjector
from routee_failover.sandbox.simulation.rules import Fault
from tests.client.fake_routee import until

from .raw_http import BODIES, SENDS, SMS_STEP, Caller, basic, open_caller

ADA = "+306912345678"
SMS = {"flow": [{**SMS_STEP, "to": ADA}]}


async def wait_for_accepted(sandbox: Sandbox, count: int) -> None:
    """Wait until this many flows were accepted."""
    with sandbox._event_bus.subscribe() as events:
        while sandbox.counts.accepted < count:
            await anext(events)


def is_valid(schema: str, body: object) -> bool:
    """Return whether a response matches this schema of the contract."""
    contract = load_contract()
    return contract._compile({"$ref": f"#/components/schemas/{schema}"})(body) == []


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize("status", [401, 403, 408, 429, 499, 500, 503])
async def test_scripted_status_has_the_error_format_of_the_endpoint(operation: str, status: int) -> None:
    """A scripted status has the error format of the endpoint, with its Retry-After; nothing is accepted."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(response=ResponseScript(status, retry_after=timedelta(seconds=2)))
        options: dict[str, Any] = {"json": BODIES[operation], "headers": caller.headers}
        async with caller.session.post(SENDS[operation], **options) as response:
            body = await response.json()
            assert (response.status, response.headers["Retry-After"]) == (status, "2")
        assert (caller.sandbox.counts.accepted, caller.sandbox.counts.rejected) == (0, 1)
    if operation == "sendFailoverOtp":
        assert is_valid("OtpError", body)
    else:
        assert is_valid("OAuthError" if status == 401 else "ApiError", body)


@pytest.mark.parametrize("operation", SENDS)
async def test_scripted_insufficient_balance_has_the_documented_response(operation: str) -> None:
    """An insufficient balance is a 400, or for OTP a 200 with Failed and statusCode 1; nothing is accepted."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(response=ResponseScript(insufficient_balance=True))
        status, body = await caller.send(operation, BODIES[operation])
        assert caller.sandbox.counts.accepted == 0
    if operation == "sendFailoverOtp":
        assert (status, body["status"], body["statusCode"]) == (200, "Failed", 1)
    else:
        assert (status, body["developerMessage"]) == (400, "Insufficient balance")


async def test_invalid_request_is_rejected_before_rules_apply() -> None:
    """A request that Routee would reject anyway is rejected so, and is not counted for a rule."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(response=500, times=1)
        assert (await caller.send("sendFailover", {"flow": []}))[0] == 400
        assert caller.sandbox.rules[0]["applied"] == 0


async def _post(caller: Caller) -> Any:
    options: dict[str, Any] = {"json": SMS, "headers": caller.headers}
    async with caller.session.post(SENDS["sendFailover"], **options) as response:
        return await response.read()


@pytest.mark.parametrize(("fault", "accepted"), [("reset", 1), ("reset-before", 0)])
async def test_reset_fault_sends_a_rst(fault: Any, accepted: int) -> None:
    """The connection is reset instead of a response: a RST, not a FIN. The flow was accepted, or was not."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(fault=fault, times=1)
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await _post(caller)
        assert caught.value.errno == errno.ECONNRESET
        assert caller.sandbox.counts.accepted == accepted
        assert b"trackingId" in await _post(caller)


async def test_hang_fault_holds_the_connection_until_the_client_leaves() -> None:
    """No response is sent until the client disconnects; the flow was accepted, and the next request is served."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(fault="hang", times=1)
        request = asyncio.create_task(_post(caller))
        await wait_for_accepted(caller.sandbox, 1)
        done, _ = await asyncio.wait([request], timeout=0.05)
        assert not done
        request.cancel()
        await asyncio.wait([request])
        assert b"trackingId" in await _post(caller)
        assert caller.sandbox.counts.accepted == 2


async def test_hang_fault_works_after_a_restart() -> None:
    """A sandbox that was stopped and is entered again lets connections hang as scripted."""
    sandbox = Sandbox(speed=0)
    async with sandbox:
        pass
    async with sandbox, aiohttp.ClientSession(sandbox.url) as session:
        sandbox.script(fault="hang", endpoint="token")
        hanging = asyncio.create_task(session.post("/oauth/token", data={}, headers=basic()))
        await until(lambda: bool(sandbox._fault_injector._hanging) or hanging.done())
        assert not hanging.done()
        hanging.cancel()


async def test_hanging_connections_do_not_delay_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that stops does not wait for hanging clients, however long it would wait for busy ones."""
    monkeypatch.setattr(server, "_SHUTDOWN_SECONDS", 3600.0)
    async with Sandbox(speed=0) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        caller = Caller(sandbox, session)
        await caller.authenticate()
        sandbox.script(fault="hang")
        requests = [asyncio.create_task(_post(caller)) for _ in range(20)]
        await wait_for_accepted(sandbox, len(requests))
        async with asyncio.timeout(30):
            await sandbox.__aexit__(None, None, None)
            results = await asyncio.gather(*requests, return_exceptions=True)
        assert all(isinstance(result, aiohttp.ClientConnectionError) for result in results)


async def test_client_that_disconnected_before_the_fault_is_no_problem() -> None:
    """A client that has disconnected cannot be reset: its flow was accepted, and other clients are not affected."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(fault="reset", times=1)
        _, writer = await asyncio.open_connection("127.0.0.1", int(caller.sandbox.url.rpartition(":")[2]))
        body = b'{"flow":[{"type":"Sms","order":1,"from":"a","to":"+12","message":{"body":"b"}}]}'
        head = f"POST /failover HTTP/1.1\r\nHost: a\r\nAuthorization: {caller.headers['Authorization']}\r\n"
        sizes = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + sizes).encode() + body)
        writer.close()
        await wait_for_accepted(caller.sandbox, 1)
        assert b"trackingId" in await _post(caller)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_BEFORE, Fault.HANG])
async def test_fault_on_a_closed_connection_does_nothing(fault: Fault) -> None:
    """Where the connection has ended already there is nothing to break, and nothing to wait for."""
    request = make_mocked_request("POST", "/failover")
    request._protocol.transport = None
    response = web.Response()
    assert await FaultInjector().inject(fault, request, response) is response


async def test_no_connection_hangs_after_stop() -> None:
    """A request that arrives while the sandbox stops is not left to hang."""
    fault_injector, response = FaultInjector(), web.Response()
    fault_injector.stop()
    assert await fault_injector.inject(Fault.HANG, make_mocked_request("POST", "/failover"), response) is response


async def test_truncated_fault_sends_half_of_the_body() -> None:
    """The response announces more than arrives: its head, half of its body, and then the end of the connection."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(fault="truncated", times=1)
        options: dict[str, Any] = {"json": SMS, "headers": caller.headers}
        async with caller.session.post(SENDS["sendFailover"], **options) as response:
            assert (response.status, response.content_type) == (200, "application/json")
            assert int(response.headers["Content-Length"]) > 100
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert caller.sandbox.counts.accepted == 1
        assert b"trackingId" in await _post(caller)


async def test_rules_for_the_token_endpoint_apply_and_are_counted() -> None:
    """Rules for the token endpoint reject requests and break connections as scripted; each request is counted."""
    async with open_caller(speed=0) as caller:
        before = caller.sandbox.counts.token_requests
        caller.sandbox.script(endpoint="token", fault="reset", times=1)
        caller.sandbox.script(endpoint="token", response=ResponseScript(503, retry_after=timedelta(seconds=1)), times=1)
        caller.sandbox.script(endpoint="token", response=401, times=1)
        options: dict[str, Any] = {"data": {"grant_type": "client_credentials"}, "headers": basic()}
        assert (await caller.token())[0] == 401
        async with caller.session.post("/oauth/token", **options) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["error"] == "Service Unavailable"
        with pytest.raises(aiohttp.ClientOSError):
            await caller.session.post("/oauth/token", **options)
        assert (await caller.token())[0] == 200
        assert caller.sandbox.counts.token_requests == before + 4


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("GET", "/failover/tracking/x", "ApiError"),
        ("POST", "/failover/tracking", "ApiError"),
        ("GET", "/failover-otp/otp/failover", "OtpError"),
        ("GET", "/failover-otp/otp/templates", "OtpError"),
        ("GET", "/viber/tracking/x", "ApiError"),
        ("GET", "/accounts/me/balance", "ApiError"),
    ],
)
async def test_reading_rule_applies_to_every_read_endpoint(method: str, path: str, schema: str) -> None:
    """A rule for reads applies to every endpoint that reads, in its format, and not to sends and the admin API."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(endpoint="reading", response=500)
        status, body = await caller.raw(method, path, headers=caller.headers)
        assert (status, is_valid(schema, body)) == (500, True)
        for operation, body_sent in BODIES.items():
            assert (await caller.send(operation, body_sent))[0] == 200
        assert (await caller.raw("GET", "/sandbox/rules"))[0] == 200


async def test_rule_with_outcome_and_fault_applies_both() -> None:
    """A flow whose response was lost continues as the same rule scripts, and is found by a search."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(fault="reset", sms=MessageScript("undelivered", detail="Call Barred"))
        with pytest.raises(aiohttp.ClientOSError):
            await _post(caller)
        await caller.sandbox.advance(timedelta(minutes=1))
        _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
    (record,) = page["content"]
    assert record["messages"][0]["status"]["reason"]["detailedStatus"] == "Call Barred"
