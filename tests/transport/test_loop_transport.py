"""A call from its first try to its proof: what is tried again, what never is, and what the server saw of it."""

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
from routee_failover._transport import ApiRequest
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

TRIES = 3
MOMENT = timedelta(milliseconds=10)


pytestmark = pytest.mark.usefixtures("hasty")


async def _close(_reader: Reader, writer: Writer) -> None:
    writer.close()


async def _reset(_reader: Reader, writer: Writer) -> None:
    reset(writer)


async def _garbage(_reader: Reader, writer: Writer) -> None:
    writer.write(b"canary\r\n\r\n")


async def _half(_reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    await writer.drain()


BREAKS = {"FIN": _close, "RST": _reset, "garbage": _garbage, "half a body": _half}


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_a_begun_message_is_never_repeated(breaks: Handler) -> None:
    """Whatever goes wrong after the first byte, the server sees the message exactly once."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, breaks)) as server, open_transport(server) as transport:
        _, result = await transport.send_request(POST)
        assert outcome_of(result) is Outcome.UNKNOWN
        assert len(seen) == 1


@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_a_reading_call_is_repeated(breaks: Handler) -> None:
    """A call that changes nothing is tried three times where its answer breaks off."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, breaks)) as server, open_transport(server) as transport:
        _, result = await transport.send_request(GET)
        assert outcome_of(result) is Outcome.UNKNOWN
        assert TRIES <= len(seen) <= 2 * TRIES  # aiohttp repeats a GET once of itself


async def test_a_reading_call_that_succeeds_later_is_a_success() -> None:
    """The last answer counts."""
    responses = (http("500 Oops"), http("502 Oops"), http("200 OK", b"[]"))
    async with RawServer(responding(*responses)) as server, open_transport(server) as transport:
        _, result = await transport.send_request(GET)
    assert result.response is not None
    assert result.response.body == b"[]"


@pytest.mark.parametrize("api_request", [POST, GET], ids=["POST", "GET"])
async def test_a_refused_connection_is_tried_again(api_request: ApiRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no connection can be made, nothing was sent: it is tried three times in all, and then told."""
    attempts = 0
    create = asyncio.get_running_loop().sock_connect

    async def counted(sock: Any, address: Any) -> None:
        nonlocal attempts
        if address[1] == 1:
            attempts += 1
        await create(sock, address)

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", counted)
    async with (
        RawServer(responding(ACCEPTED)) as server,
        open_transport(server, api_url="http://127.0.0.1:1") as transport,
    ):
        _, result = await transport.send_request(api_request)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert attempts == TRIES
    assert result.reason == "no connection to 127.0.0.1:1 could be made (Connection refused)"


async def test_a_server_that_is_back_takes_the_message_once() -> None:
    """A message that found no server is sent, once, when a later try finds one."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen)) as server, open_transport(server) as transport:
        await transport.send_request(GET)
        line = transport._loop_transports[asyncio.get_running_loop()]
        ask, refused = line._session._request, iter([True, True])

        async def flaky(*args: Any, **named: Any) -> Any:
            if next(refused, False):
                raise OSError("no route")
            return await ask(*args, **named)

        line._session._request = flaky  # type: ignore[method-assign]
        assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
        assert len(seen) == 2


@pytest.fixture(scope="module")
def tls() -> ssl.SSLContext:
    """A certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    return context


async def test_an_untrusted_certificate_is_told_and_not_tried_again(tls: ssl.SSLContext) -> None:
    """A certificate that is not trusted would not be trusted the next time: one handshake, nothing sent."""
    shakes: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: shakes.append(name)
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), tls) as api, RawServer(responding(ACCEPTED)) as auth:
        async with open_transport(api, auth_url=auth.url) as transport:
            _, result = await transport.send_request(POST)
        async with RouteeClient(api.config(auth_url=auth.url)) as client:
            with pytest.raises(ConnectFailed, match="certificate of localhost is not trusted; nothing was sent"):
                await client.send(sms())
    assert (outcome_of(result), result.permanent, seen) == (Outcome.NOT_SENT, True, [])
    assert result.reason == "the certificate of localhost is not trusted"
    assert shakes == ["localhost", "localhost"]


async def test_an_untrusted_token_service_gets_no_key(tls: ssl.SSLContext) -> None:
    """The key is not sent to a token service whose certificate is not trusted."""
    seen: list[bytes] = []
    async with RawServer(responding(ACCEPTED, seen=seen), tls) as auth, open_transport(auth) as transport:
        with pytest.raises(TokenUnavailable, match="certificate of localhost is not trusted"):
            await transport.send_request(POST)
    assert seen == []


async def test_a_receipt_in_broken_gzip_is_unknown() -> None:
    """A packed answer of which the end is missing is no receipt."""
    packed = gzip.compress(b'{"trackingId":"t", "flow": [' + b"{}," * 500 + b"{}]}")[:-12]
    seen: list[bytes] = []
    async with (
        RawServer(responding(http("200 OK", packed, "Content-Encoding: gzip"), seen=seen)) as server,
        RouteeClient(server.config()) as client,
    ):
        with pytest.raises(DeliveryUnknown, match=r"probably accepted|broke off"):
            await client.send(sms())
    assert len(seen) == 1


async def test_a_packed_receipt_is_read() -> None:
    """A packed answer is unpacked."""
    packed = gzip.compress(b'{"trackingId":"t"}')
    async with (
        RawServer(responding(http("200 OK", packed, "Content-Encoding: gzip"))) as server,
        RouteeClient(server.config()) as client,
    ):
        assert (await client.send(sms())).tracking_id == "t"


async def test_a_cancelled_call_shows_neither_body_nor_key() -> None:
    """CancelledError passes through every layer, and no frame of it holds the PIN, the key or the token."""
    seen: list[bytes] = []
    async with (
        RawServer(after_token(seen, never_respond)) as server,
        open_transport(server, shutdown_timeout=MOMENT) as transport,
    ):
        running = asyncio.create_task(transport.send_request(POST))
        await until(lambda: seen)
        running.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await running
    printed = shown(caught.value)
    assert not any(text in printed for text in (PIN, KEY, "canary-key"))
    assert caught.value.__context__ is None


async def test_a_cancelled_call_gives_its_turn_back() -> None:
    """200 cancelled reading calls leave every connection of the pool to others."""
    seen: list[bytes] = []
    async with RawServer(after_token(seen, never_respond)) as server, open_transport(server, pool_size=2) as transport:
        requests = [asyncio.create_task(transport.send_request(GET)) for _ in range(200)]
        await until(lambda: len(seen) >= 2)
        for api_request in requests:
            api_request.cancel()
        await asyncio.wait(requests)
        again = [asyncio.create_task(transport.send_request(GET)) for _ in range(2)]
        await until(lambda: len(seen) >= 4)
        for api_request in again:
            api_request.cancel()
        await asyncio.wait(again)


async def test_what_the_transport_raises_pickles() -> None:
    """A worker may send each error of the transport to another process, and it says the same there."""
    errors: list[RouteeError] = []
    seen: list[bytes] = []
    async with RawServer(after_token(seen, never_respond)) as server:
        async with open_transport(server, pool_size=1, pool_timeout=MOMENT, shutdown_timeout=MOMENT) as transport:
            first = asyncio.create_task(transport.send_request(POST))
            await until(lambda: seen)
            with pytest.raises(PoolTimeout) as full:
                await transport.send_request(POST)
            first.cancel()
            await asyncio.wait([first])
        with pytest.raises(ClientClosed) as closed:
            await transport.send_request(POST)
        async with open_transport(server, auth_url="http://127.0.0.1:1") as other:
            with pytest.raises(TokenUnavailable) as refused:
                await other.send_request(POST)
        errors += [full.value, closed.value, refused.value]
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
        assert again.outcome is Outcome.NOT_SENT


async def test_a_closed_transport_can_be_opened_again() -> None:
    """reopen() lets calls through again after aclose(), and changes nothing in an open transport."""
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


async def test_nothing_is_left_when_a_transport_is_closed() -> None:
    """After aclose() there is no task, and no connection that would warn."""
    before = asyncio.all_tasks()
    async with RawServer(responding(ACCEPTED)) as server:
        async with open_transport(server) as transport:
            await asyncio.gather(*(transport.send_request(POST) for _ in range(20)))
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() <= before
        del transport
        gc.collect()
