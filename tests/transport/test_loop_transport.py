"""Loop transport: which requests are retried, which never are, and what the server saw of them."""

import asyncio
import gc
import gzip
import pickle
import ssl
from datetime import timedelta
from typing import Any

import pytest
import trustme

from routee_failover import ClientClosed, Outcome, PoolTimeout, RouteeClient, RouteeError, TokenUnavailable
from routee_failover._transport import ApiRequest, aiohttp_api
from routee_failover.errors import ConnectFailed, DeliveryUnknown
from routee_failover.outcomes import outcome_of
from tests.client.fake_routee import until
from tests.client.rendered_errors import shown
from tests.client.sample_flows import sms

from .raw_server import (
    ACCEPTED,
    GET,
    KEY,
    PIN,
    POST,
    Handler,
    RawServer,
    Reader,
    Writer,
    after_token,
    http,
    never_respond,
    open_transport,
    reset,
    responding,
)

MAX_ATTEMPTS = 3
SHORT = timedelta(milliseconds=10)


pytestmark = pytest.mark.usefixtures("no_jitter")


async def _close(_reader: Reader, writer: Writer) -> None:
    writer.close()


async def _reset(_reader: Reader, writer: Writer) -> None:
    reset(writer)


async def _garbage(_reader: Reader, writer: Writer) -> None:
    writer.write(b"canary\r\n\r\n")


async def _half(_reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()


FAILURES = {"FIN": _close, "RST": _reset, "garbage": _garbage, "half a body": _half}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_message_that_may_have_been_sent_is_never_retried(failure: Handler) -> None:
    """Whatever fails after the first byte, the server sees the message exactly once."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, failure)) as server, open_transport(server) as transport:
        _, result, _ = await transport.send_request(POST)
        assert outcome_of(result) is Outcome.UNKNOWN
        assert len(seen) == 1


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_reading_call_is_retried_after_a_failed_response(failure: Handler) -> None:
    """A reading call is attempted three times if its response fails."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, failure)) as server, open_transport(server) as transport:
        _, result, _ = await transport.send_request(GET)
        assert outcome_of(result) is Outcome.UNKNOWN
        assert MAX_ATTEMPTS <= len(seen) <= 2 * MAX_ATTEMPTS  # aiohttp itself repeats a GET once


async def test_reading_call_returns_the_response_of_its_last_attempt() -> None:
    """The last response counts."""
    responses = (http("500 Oops"), http("502 Oops"), http("200 OK", b"[]"))
    async with RawServer(responding(*responses)) as server, open_transport(server) as transport:
        _, result, _ = await transport.send_request(GET)
    assert result.response is not None
    assert result.response.body == b"[]"


@pytest.mark.parametrize("api_request", [POST, GET], ids=["POST", "GET"])
async def test_refused_connection_is_retried(api_request: ApiRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection nothing was sent: there are three attempts, then the reason is returned."""
    attempts = 0
    connect = asyncio.get_running_loop().sock_connect

    async def counting_connect(sock: Any, address: Any) -> None:
        nonlocal attempts
        if address[1] == 1:
            attempts += 1
        await connect(sock, address)

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", counting_connect)
    async with (
        RawServer(responding(ACCEPTED)) as server,
        open_transport(server, api_url="http://127.0.0.1:1") as transport,
    ):
        _, result, _ = await transport.send_request(api_request)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert attempts == MAX_ATTEMPTS
    assert result.reason == "no connection to 127.0.0.1:1 could be made (Connection refused)"


async def test_message_is_accepted_once_by_a_server_that_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message whose first attempts found no server is sent once, when a later attempt finds one."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        connect, failures = aiohttp_api.connect, iter([True, True])

        async def connect_at_last(*args: Any) -> Any:
            if next(failures, False):
                raise OSError("no route")
            return await connect(*args)

        monkeypatch.setattr(aiohttp_api, "connect", connect_at_last)
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
        assert len(seen) == 2


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """A certificate of an untrusted CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


async def test_untrusted_certificate_is_reported_and_not_retried(tls: ssl.SSLContext) -> None:
    """An untrusted certificate would not be trusted the next time either: one handshake, nothing sent."""
    handshakes: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: handshakes.append(name)
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), tls) as api, RawServer(responding(ACCEPTED)) as auth:
        async with open_transport(api, auth_url=auth.url) as transport:
            _, result, _ = await transport.send_request(POST)
        async with RouteeClient(api.config(auth_url=auth.url)) as client:
            with pytest.raises(ConnectFailed, match="certificate of localhost is not trusted; nothing was sent"):
                await client.send(sms())
    assert (outcome_of(result), result.permanent, seen) == (Outcome.NOT_SENT, True, [])
    assert result.reason == "the certificate of localhost is not trusted"
    assert handshakes == ["localhost", "localhost"]


async def test_untrusted_token_service_gets_no_credentials(tls: ssl.SSLContext) -> None:
    """The credentials are not sent to a token service with an untrusted certificate."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), tls) as auth, open_transport(auth) as transport:
        with pytest.raises(TokenUnavailable, match="certificate of localhost is not trusted"):
            await transport.send_request(POST)
    assert seen == []


async def test_receipt_in_incomplete_gzip_is_unknown() -> None:
    """A compressed response with a missing end is not a receipt."""
    compressed = gzip.compress(b'{"trackingId":"t", "flow": [' + b"{}," * 500 + b"{}]}")[:-12]
    seen: list[bytes] = []
    async with (
        RawServer(responding(http("200 OK", compressed, "Content-Encoding: gzip"), seen=seen)) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(DeliveryUnknown, match=r"probably accepted|ended early"):
            await client.send(sms())
    assert len(seen) == 1


async def test_compressed_receipt_is_read() -> None:
    """A compressed response is decompressed."""
    compressed = gzip.compress(b'{"trackingId":"t"}')
    async with (
        RawServer(responding(http("200 OK", compressed, "Content-Encoding: gzip"))) as server,
        RouteeClient(server.config()) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"


async def test_cancelled_request_shows_no_secret() -> None:
    """CancelledError passes through every layer, and no frame of it holds the PIN, the secret or the token."""
    seen: list[bytes] = []
    async with (
        RawServer(after_token(seen, never_respond)) as server,
        open_transport(server, shutdown_timeout=SHORT) as transport,
    ):
        running = asyncio.create_task(transport.send_request(POST))
        await until(lambda: seen)
        running.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await running
    printed = shown(caught.value)
    assert not any(text in printed for text in (PIN, KEY, "canary-key"))
    assert caught.value.__context__ is None


async def test_cancelled_requests_release_their_slots() -> None:
    """200 cancelled read calls leave every slot of the limiter to others."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, never_respond)) as server, open_transport(server, pool_size=2) as transport:
        requests = [asyncio.create_task(transport.send_request(GET)) for _ in range(200)]
        await until(lambda: len(seen) >= 2)
        for task in requests:
            task.cancel()
        await asyncio.wait(requests)
        retried = [asyncio.create_task(transport.send_request(GET)) for _ in range(2)]
        await until(lambda: len(seen) >= 4)
        for task in retried:
            task.cancel()
        await asyncio.wait(retried)


async def test_transport_errors_survive_pickling() -> None:
    """A worker may send each error of the transport to another process, where it is equal."""
    errors: list[RouteeError] = []
    seen: list[bytes] = []
    async with RawServer(after_token(seen, never_respond)) as server:
        async with open_transport(server, pool_size=1, pool_timeout=SHORT, shutdown_timeout=SHORT) as transport:
            first = asyncio.create_task(transport.send_request(POST))
            await until(lambda: seen)
            with pytest.raises(PoolTimeout) as pool_timeout:
                await transport.send_request(POST)
            first.cancel()
            await asyncio.wait([first])
        with pytest.raises(ClientClosed) as closed:
            await transport.send_request(POST)
        async with open_transport(server, auth_url="http://127.0.0.1:1") as other:
            with pytest.raises(TokenUnavailable) as no_token:
                await other.send_request(POST)
        errors += [pool_timeout.value, closed.value, no_token.value]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
        assert copy.outcome is Outcome.NOT_SENT


async def test_reopened_transport_accepts_requests_again() -> None:
    """reopen() accepts requests again after aclose(), and changes nothing in an open transport."""
    async with RawServer(responding(ACCEPTED)) as server, open_transport(server) as transport:
        transport.reopen()
        await transport.send_request(POST)
        transport.reopen()
        await transport.aclose()
        with pytest.raises(ClientClosed):
            await transport.send_request(POST)
        transport.reopen()
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert server.connections == 2


async def test_closed_transport_leaves_no_task_and_no_connection() -> None:
    """After aclose() there is no task left, and no connection that would cause a warning."""
    before = asyncio.all_tasks()
    async with RawServer(responding(ACCEPTED)) as server:
        async with open_transport(server) as transport:
            await asyncio.gather(*(transport.send_request(POST) for _ in range(20)))
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() <= before
        del transport
        gc.collect()
