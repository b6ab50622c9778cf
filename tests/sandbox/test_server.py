"""The sandbox as a server: invalid requests, counters, start and stop."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from routee_failover.errors import RouteeError
from routee_failover.sandbox import AcceptedFlow, Sandbox, SandboxError

from .raw_http import BODIES, OTP, SENDS, SMS_STEP, STANDARD, TRANSACTIONAL, VIBER_OTP, basic, open_caller

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize(
    ("data", "headers"),
    [
        (b"", JSON),
        (b"{", JSON),
        (b"\xff", JSON),
        (b'{"a": NaN}', JSON),
        (b'{"a": -Infinity}', JSON),
        (b'{"a": 1e999}', JSON),
        (b"1" * 5000, JSON),
        (b"[" * 100_000, JSON),
        (b'{"flow": [' + b"[" * 300 + b"]" * 300 + b"]}", JSON),
        (b'{"flow": "\\ud800", "to": "\\ud800"}', JSON),
        (b"{}", {"Content-Type": "text/plain"}),
        (b"{}", {}),
        (b"garbage", JSON | {"Content-Encoding": "gzip"}),
        (b" " * 1_100_000, JSON),
    ],
)
async def test_unreadable_body_gets_the_error_of_the_service(
    operation: str, data: bytes, headers: dict[str, str]
) -> None:
    """A body that is not JSON, too large, too deep or of another type gets the service's own error, never a 500."""
    async with open_caller() as caller:
        caller.headers |= headers
        status, _ = await caller.call(operation, SENDS[operation], method="POST", data=io.BytesIO(data))
        assert status == (422 if operation == "sendFailoverOtp" else 400)
        caller.headers = {name: value for name, value in caller.headers.items() if name == "Authorization"}
        assert (await caller.send(operation, BODIES[operation]))[0] == 200


async def test_long_and_nested_bodies_are_accepted() -> None:
    """A body with many steps is accepted, and unknown members may contain nested lists."""
    async with open_caller() as caller:
        body = {"flow": [SMS_STEP | {"order": number, "more": [[1]]} for number in range(1, 151)]}
        status, response = await caller.send("sendFailover", body)
    assert (status, len(response["flow"])) == (200, 150)


@pytest.mark.parametrize("path", ["/failover", "/oauth/token"])
async def test_client_disconnect_in_the_body_is_not_logged(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """A client that disconnects in the middle of a body is no fault: nothing is logged, nothing accepted."""
    async with open_caller() as caller:
        port = int(caller.sandbox.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        form = path == "/oauth/token"
        headers = {
            "Host": "x",
            "Authorization": basic()["Authorization"] if form else caller.headers["Authorization"],
            "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
            "Content-Length": "200",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n{{".encode())
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        assert (caller.sandbox.counts.requests, caller.sandbox.counts.rejected) == (2, 1)
        assert caller.sandbox.accepted == []
    assert caplog.records == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /failover HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer canary\0\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a" * 20_000 + b": x\r\n\r\n",
        b"POST /failover HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n",
    ],
    ids=["tls", "nul", "long line", "long header", "length"],
)
async def test_invalid_http_returns_400_and_is_not_logged(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Invalid HTTP gets a 400 and is not logged: it may contain a token."""
    async with open_caller() as caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(caller.sandbox.url.rpartition(":")[2]))
        writer.write(garbage)
        assert b" 400 " in await reader.readline()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        assert (await caller.send("sendFailover", STANDARD))[0] == 200
    assert caplog.records == []


async def test_exception_in_a_handler_returns_500_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in a handler gets a 500 and is logged."""
    monkeypatch.setattr("routee_failover.sandbox.api.otp_responses.templates", lambda: 1 / 0)
    async with (
        open_caller() as caller,
        caller.session.get("/failover-otp/otp/templates", headers=caller.headers) as response,
    ):
        assert response.status == 500
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


async def test_empty_expect_header_is_ignored() -> None:
    """The empty Expect header of the documentation's own curl commands is ignored."""
    async with open_caller() as caller:
        caller.headers["Expect"] = ""
        assert (await caller.send("sendFailover", STANDARD))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "key"),
    [
        ("GET", "/nowhere", 404, "developerMessage"),
        ("POST", "/sms", 404, "developerMessage"),
        ("GET", "/failover", 405, "developerMessage"),
        ("DELETE", "/failover/tracking/x", 405, "developerMessage"),
        ("GET", "/oauth/token", 405, "developerMessage"),
        ("GET", "/failover-otp/otp", 404, "detail"),
        ("PUT", "/failover-otp/otp/send-failover", 405, "detail"),
    ],
)
async def test_unknown_path_and_method_get_the_error_of_the_service(
    method: str, path: str, status: int, key: str
) -> None:
    """An unknown path gets a 404 and a wrong method a 405 with Allow, as JSON in the format of the service."""
    async with open_caller() as caller, caller.session.request(method, path) as response:
        assert response.status == status
        assert key in await response.json()
        assert ("Allow" in response.headers) == (status == 405)


async def test_accepted_lists_flows_oldest_first_without_bodies_in_repr() -> None:
    """`accepted` lists the accepted flows, oldest first, with their bodies; the repr omits those."""
    async with open_caller() as caller:
        for operation, body in BODIES.items():
            await caller.send(operation, body)
        await caller.send("sendFailover", {"flow": []})
        flows = caller.sandbox.accepted
    assert [flow.endpoint for flow in flows] == ["standard", "transactional", "otp", "viber-otp"]
    assert [flow.body for flow in flows] == [STANDARD, TRANSACTIONAL, OTP, VIBER_OTP]
    assert [flow.number for flow in flows] == [1, 2, 3, 4]
    assert {type(flow) for flow in flows} == {AcceptedFlow}
    assert {flow.created_at.utcoffset() for flow in flows} == {timedelta(0)}
    shown = repr(flows)
    assert not any(secret in shown for secret in ("123456", "847291", "306900000001", "306912345678"))


async def test_counts_are_a_snapshot_of_requests_sends_and_connections() -> None:
    """Requests, token requests, accepted and rejected sends and connections are counted; a copy does not change."""
    async with Sandbox() as sandbox:
        before = sandbox.counts
        assert (before.requests, before.connections) == (0, 0)
    async with open_caller() as caller:
        await caller.token()
        await caller.send("sendFailover", STANDARD)
        await caller.send("sendFailover", {})
        await caller.raw("GET", "/nowhere")
        counts = caller.sandbox.counts
        assert (counts.requests, counts.token_requests, counts.accepted, counts.rejected) == (5, 2, 1, 2)
        assert counts.connections == 1
        async with aiohttp.ClientSession(caller.sandbox.url) as other:
            await other.get("/failover-otp")
        assert (counts.connections, caller.sandbox.counts.connections) == (1, 2)


async def test_oldest_flows_beyond_max_flows_are_evicted() -> None:
    """The newest `max_flows` flows are kept; older ones and their messages are evicted."""
    async with open_caller(max_flows=2) as caller:
        responses = [(await caller.send("sendFailoverOtp", OTP))[1] for _ in range(3)]
        assert [flow.id for flow in caller.sandbox.accepted] == [response["flowId"] for response in responses[1:]]
        for evicted in (responses[0]["flowId"], responses[0]["flow"][0]["trackingId"]):
            assert (await caller.call("trackFailoverOtp", f"/failover-otp/otp/failover/{evicted}"))[0] == 404
        await caller.track_otp(responses[2]["flow"][0]["trackingId"])
        assert caller.sandbox.counts.accepted == 3


async def test_config_has_the_url_and_credentials_of_the_sandbox() -> None:
    """`config` returns a client's settings: one URL for both services, the credentials, and the changes."""
    async with Sandbox(application_id="mine", application_secret="canary") as sandbox:
        config = sandbox.config(pool_size=3)
        assert (config.api_url, config.auth_url) == (sandbox.url, sandbox.url)
        assert (config.application_id, config.application_secret.reveal(), config.pool_size) == ("mine", "canary", 3)
        assert sandbox.config(application_secret="wrong").application_secret.reveal() == "wrong"


async def test_port_in_use_raises() -> None:
    """A port in use is one clear error, and the sandbox on it is not affected."""
    async with open_caller() as caller:
        port = int(caller.sandbox.url.rpartition(":")[2])
        with pytest.raises(SandboxError, match=f"port {port}"):
            await Sandbox(port=port).__aenter__()
        assert (await caller.send("sendFailover", STANDARD))[0] == 200


@pytest.mark.parametrize(
    ("host", "port"), [("256.256.256.256", 0), ("127.0.0.1", 70_000), ("x" * 70 + ".test", 0), ("192.0.2.1", 0)]
)
async def test_unusable_address_raises(host: str, port: int) -> None:
    """An address that cannot be listened on is one clear error."""
    with pytest.raises(SandboxError, match="cannot listen on"):
        await Sandbox(host=host, port=port).__aenter__()


async def test_ipv6_url_is_bracketed() -> None:
    """The URL of an IPv6 address is usable by a client."""
    try:
        async with Sandbox(host="::1") as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            assert sandbox.url.startswith("http://[::1]:")
            assert (await session.get("/failover-otp/health")).status == 200
    except SandboxError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.parametrize("settings", [{"speed": -1}, {"max_flows": 0}, {"token_lifetime": timedelta(0)}])
def test_invalid_setting_raises_with_its_name(settings: dict[str, Any]) -> None:
    """An invalid setting is refused before anything starts, by name."""
    with pytest.raises(SandboxError, match=next(iter(settings))) as caught:
        Sandbox(**settings)
    assert isinstance(caught.value, RouteeError)


async def test_url_needs_a_start_and_double_start_raises() -> None:
    """A sandbox has no URL before it starts, cannot be started twice, and can be stopped repeatedly."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match="enter it first"):
        _ = sandbox.url
    await sandbox.__aexit__(None, None, None)
    async with sandbox:
        with pytest.raises(SandboxError, match="running already"):
            await sandbox.__aenter__()
    url = sandbox.url
    async with aiohttp.ClientSession(url) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("/failover-otp")


async def test_stop_does_not_wait_for_idle_connections() -> None:
    """The stop does not wait for idle connections."""
    async with open_caller() as caller:
        await asyncio.gather(*(caller.send("sendFailover", STANDARD) for _ in range(20)))
        await asyncio.wait_for(caller.sandbox.__aexit__(None, None, None), 2)


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_missing_extra_is_named_at_the_start() -> None:
    """Without jsonschema-rs the package imports, and starting a sandbox names the extra to install."""
    program = """
import asyncio, sys
sys.modules["jsonschema_rs"] = None
from routee_failover.sandbox import Sandbox, SandboxError
try:
    asyncio.run(Sandbox().__aenter__())
except SandboxError as error:
    print(error)
"""
    done = _run(program)
    assert "routee-failover[sandbox]" in done.stdout, done.stderr


async def test_missing_extra_raises_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in this process, where the contract may have been loaded before."""
    from routee_failover.sandbox import contract, server

    load: Callable[[], contract.Contract] = contract.load_contract.__wrapped__
    monkeypatch.setattr(server, "load_contract", load)
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(SandboxError, match="is not installed"):
        await Sandbox().__aenter__()
