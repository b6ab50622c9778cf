"""Scripted answers and broken connections, over raw HTTP."""

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

from .raw_http import BODIES, SENDS, SMS_STEP, Caller, basic, calling

ADA = "+306912345678"
SMS = {"flow": [{**SMS_STEP, "to": ADA}]}


async def taken(sandbox: Sandbox, count: int) -> None:
    """Wait until so many flows were taken."""
    with sandbox._event_bus.subscribe() as events:
        while sandbox.counts.accepted < count:
            await anext(events)


def fits(schema: str, body: object) -> bool:
    """Whether an answer has this shape of the contract's."""
    contract = load_contract()
    return contract._compile({"$ref": f"#/components/schemas/{schema}"})(body) == []


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize("status", [401, 403, 408, 429, 499, 500, 503])
async def test_an_answer_in_the_words_of_each_service(operation: str, status: int) -> None:
    """A rule's status is answered in the dialect of the endpoint, with its Retry-After; nothing is taken."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(response=ResponseScript(status, retry_after=timedelta(seconds=2)))
        how: dict[str, Any] = {"json": BODIES[operation], "headers": caller.headers}
        async with caller.session.post(SENDS[operation], **how) as response:
            body = await response.json()
            assert (response.status, response.headers["Retry-After"]) == (status, "2")
        assert (caller.sandbox.counts.accepted, caller.sandbox.counts.rejected) == (0, 1)
    if operation == "sendFailoverOtp":
        assert fits("OtpRefusal", body)
    else:
        assert fits("OAuthError" if status == 401 else "ApiError", body)


@pytest.mark.parametrize("operation", SENDS)
async def test_want_of_balance(operation: str) -> None:
    """Want of balance is a documented answer: 400, or for OTP 200 with Failed and statusCode 1; nothing is taken."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(response=ResponseScript(insufficient_balance=True))
        status, body = await caller.send(operation, BODIES[operation])
        assert caller.sandbox.counts.accepted == 0
    if operation == "sendFailoverOtp":
        assert (status, body["status"], body["statusCode"]) == (200, "Failed", 1)
    else:
        assert (status, body["developerMessage"]) == (400, "Insufficient balance")


async def test_an_answer_comes_after_the_checks() -> None:
    """What Routee would refuse anyway is refused so, and counts for no rule."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(response=500, times=1)
        assert (await caller.send("sendFailover", {"flow": []}))[0] == 400
        assert caller.sandbox.rules[0]["applied"] == 0


async def _post(caller: Caller) -> Any:
    how: dict[str, Any] = {"json": SMS, "headers": caller.headers}
    async with caller.session.post(SENDS["sendFailover"], **how) as response:
        return await response.read()


@pytest.mark.parametrize(("fault", "accepted"), [("reset", 1), ("reset-before", 0)])
async def test_reset(fault: Any, accepted: int) -> None:
    """The connection is reset in place of an answer: a RST, not a FIN. The flow was taken, or was not."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(fault=fault, times=1)
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await _post(caller)
        assert caught.value.errno == errno.ECONNRESET
        assert caller.sandbox.counts.accepted == accepted
        assert b"trackingId" in await _post(caller)


async def test_hang() -> None:
    """Nothing is answered until the caller leaves; then the next one is served, and the flow was taken."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(fault="hang", times=1)
        under_way = asyncio.create_task(_post(caller))
        await taken(caller.sandbox, 1)
        done, _ = await asyncio.wait([under_way], timeout=0.05)
        assert not done
        under_way.cancel()
        await asyncio.wait([under_way])
        assert b"trackingId" in await _post(caller)
        assert caller.sandbox.counts.accepted == 2


async def test_a_sandbox_entered_again_hangs_as_before() -> None:
    """A sandbox that was left and is entered again leaves callers hanging as it is told."""
    sandbox = Sandbox(speed=0)
    async with sandbox:
        pass
    async with sandbox, aiohttp.ClientSession(sandbox.url) as session:
        sandbox.script(fault="hang", endpoint="token")
        hanging = asyncio.create_task(session.post("/oauth/token", data={}, headers=basic()))
        await until(lambda: bool(sandbox._fault_injector._hanging) or hanging.done())
        assert not hanging.done()
        hanging.cancel()


async def test_what_hangs_keeps_no_sandbox_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that stops waits for none of its hanging callers, however long it would wait for busy ones."""
    monkeypatch.setattr(server, "_SHUTDOWN_SECONDS", 3600.0)
    async with Sandbox(speed=0) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
        caller = Caller(sandbox, session)
        await caller.authorise()
        sandbox.script(fault="hang")
        under_way = [asyncio.create_task(_post(caller)) for _ in range(20)]
        await taken(sandbox, len(under_way))
        async with asyncio.timeout(30):
            await sandbox.__aexit__(None, None, None)
            ended = await asyncio.gather(*under_way, return_exceptions=True)
        assert all(isinstance(one, aiohttp.ClientConnectionError) for one in ended)


async def test_a_caller_who_left_before_needs_no_fault() -> None:
    """A caller who has left already cannot be reset: its flow was taken, and nobody else notices."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(fault="reset", times=1)
        _, writer = await asyncio.open_connection("127.0.0.1", int(caller.sandbox.url.rpartition(":")[2]))
        body = b'{"flow":[{"type":"Sms","order":1,"from":"a","to":"+12","message":{"body":"b"}}]}'
        head = f"POST /failover HTTP/1.1\r\nHost: a\r\nAuthorization: {caller.headers['Authorization']}\r\n"
        sizes = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + sizes).encode() + body)
        writer.close()
        await taken(caller.sandbox, 1)
        assert b"trackingId" in await _post(caller)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_BEFORE, Fault.HANG])
async def test_nobody_is_left_to_be_reset(fault: Fault) -> None:
    """Where the connection has ended already there is nothing to break, and nothing to wait for."""
    request = make_mocked_request("POST", "/failover")
    request._protocol.transport = None
    response = web.Response()
    assert await FaultInjector().inject(fault, request, response) is response


async def test_nothing_hangs_in_a_sandbox_that_stops() -> None:
    """A caller who comes while the sandbox stops is not left to hang any more."""
    faults, response = FaultInjector(), web.Response()
    faults.stop()
    assert await faults.inject(Fault.HANG, make_mocked_request("POST", "/failover"), response) is response


async def test_truncated() -> None:
    """The answer promises more than comes: its head arrives, half of its body, and then the end."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(fault="truncated", times=1)
        how: dict[str, Any] = {"json": SMS, "headers": caller.headers}
        async with caller.session.post(SENDS["sendFailover"], **how) as response:
            assert (response.status, response.content_type) == (200, "application/json")
            assert int(response.headers["Content-Length"]) > 100
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert caller.sandbox.counts.accepted == 1
        assert b"trackingId" in await _post(caller)


async def test_tokens_have_rules_of_their_own() -> None:
    """Requests for a token are answered no, and break, as rules about them say; each is counted."""
    async with calling(speed=0) as caller:
        counted = caller.sandbox.counts.token_requests
        caller.sandbox.script(endpoint="token", fault="reset", times=1)
        caller.sandbox.script(endpoint="token", response=ResponseScript(503, retry_after=timedelta(seconds=1)), times=1)
        caller.sandbox.script(endpoint="token", response=401, times=1)
        how: dict[str, Any] = {"data": {"grant_type": "client_credentials"}, "headers": basic()}
        assert (await caller.token())[0] == 401
        async with caller.session.post("/oauth/token", **how) as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "1")
            assert (await response.json())["error"] == "Service Unavailable"
        with pytest.raises(aiohttp.ClientOSError):
            await caller.session.post("/oauth/token", **how)
        assert (await caller.token())[0] == 200
        assert caller.sandbox.counts.token_requests == counted + 4


@pytest.mark.parametrize(
    ("method", "path", "schema"),
    [
        ("GET", "/failover/tracking/x", "ApiError"),
        ("POST", "/failover/tracking", "ApiError"),
        ("GET", "/failover-otp/otp/failover", "OtpRefusal"),
        ("GET", "/failover-otp/otp/templates", "OtpRefusal"),
        ("GET", "/viber/tracking/x", "ApiError"),
        ("GET", "/accounts/me/balance", "ApiError"),
    ],
)
async def test_whatever_reads_has_a_rule(method: str, path: str, schema: str) -> None:
    """A rule about reading answers every address that reads, in its words, and leaves sends and controls alone."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(endpoint="reading", response=500)
        status, body = await caller.raw(method, path, headers=caller.headers)
        assert (status, fits(schema, body)) == (500, True)
        for operation, sent in BODIES.items():
            assert (await caller.send(operation, sent))[0] == 200
        assert (await caller.raw("GET", "/sandbox/rules"))[0] == 200


async def test_a_play_and_a_fault_in_one_rule() -> None:
    """A flow whose answer was lost goes its way as the same rule says, and is found by those who look for it."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(fault="reset", sms=MessageScript("undelivered", detail="Call Barred"))
        with pytest.raises(aiohttp.ClientOSError):
            await _post(caller)
        await caller.sandbox.advance(timedelta(minutes=1))
        _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
    (record,) = page["content"]
    assert record["messages"][0]["status"]["reason"]["detailedStatus"] == "Call Barred"
