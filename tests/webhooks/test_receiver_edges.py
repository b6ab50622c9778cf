"""Edge cases of the receivers: slow callers, disconnects, other protocols."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from routee_failover import CallbackInbox, CallbackSigner
from routee_failover.webhooks import AsgiReceiver, aiohttp_receiver

from .payloads import NEW, body_of
from .recorders import RecordingObserver
from .servers import MOUNT_PATH, SERVERS, Serve, serve_with_aiohttp, serve_with_uvicorn

BOTH = pytest.mark.parametrize("serve", [SERVERS["aiohttp"], SERVERS["asgi standalone"]], ids=["aiohttp", "asgi"])
SHORT = timedelta(seconds=0.1)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a raw connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


def request_head(length: int | str = 1000, *more: str) -> bytes:
    """Return the head of a request that declares a body length."""
    size = f"Content-Length: {length}" if isinstance(length, int) else length
    return "\r\n".join([f"POST {MOUNT_PATH}/x HTTP/1.1", "Host: localhost", size, *more, "", ""]).encode()


@BOTH
async def test_slow_body_is_rejected_with_408_and_a_closed_connection(serve: Serve) -> None:
    """A body that is not complete in time is rejected with 408, and the connection is closed."""
    observer = RecordingObserver()
    inbox = CallbackInbox(observers=[observer])
    async with serve(inbox, None, body_timeout=SHORT) as url, connect(url) as (reader, writer):
        writer.write(request_head())
        response = b""
        async with asyncio.timeout(10):
            while not response:
                writer.write(b" ")
                try:
                    async with asyncio.timeout(0.02):
                        response = await reader.readline()
                except TimeoutError:
                    pass
            assert response.split()[1] == b"408"
            rest = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: close" in rest.lower()
    assert observer.rejected == [408]


@BOTH
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end"])
async def test_disconnect_within_the_body_is_rejected_and_reported(serve: Serve, reset: bool) -> None:
    """A caller who disconnects within the body leaves nothing behind but an event."""
    observer = RecordingObserver()
    inbox = CallbackInbox(observers=[observer])
    async with serve(inbox, None) as url:
        async with connect(url) as (_, writer):
            writer.write(request_head() + b"{")
            await writer.drain()
            if reset:
                writer.transport.abort()
        await asyncio.wait_for(observer.received.wait(), 10)
    assert (observer.rejected, inbox.pending) == ([400], 0)


@BOTH
async def test_malformed_chunk_is_rejected_with_400(serve: Serve) -> None:
    """A malformed chunk is rejected with 400 and does not reach the inbox."""
    inbox = CallbackInbox(observers=[RecordingObserver()])
    async with serve(inbox, None) as url, connect(url) as (reader, writer):
        writer.write(request_head("Transfer-Encoding: chunked") + b"4\r\nnull\r\nxyz\r\n")
        async with asyncio.timeout(10):
            response = await reader.readline()
    assert response.split()[1:2] in ([b"400"], [])
    assert inbox.pending == 0


@BOTH
async def test_decompression_bomb_is_rejected(serve: Serve) -> None:
    """A compressed body never becomes larger than the limit in memory: it is rejected, or not decompressed at all."""
    inbox = CallbackInbox(observers=[RecordingObserver()])
    async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
        for level in (1, 9):
            bomb = gzip.compress(b" " * 10_000_000, level)
            headers = {"Content-Encoding": "gzip"}
            async with session.post(f"{url}{MOUNT_PATH}", data=bomb, headers=headers) as response:
                assert response.status in {400, 413}


@BOTH
async def test_connection_is_kept_alive_between_callbacks(serve: Serve) -> None:
    """A connection is kept from one callback to the next, as Routee may well do."""
    inbox = CallbackInbox()
    request = request_head(len(body_of(NEW))) + body_of(NEW)
    async with serve(inbox, None) as url, connect(url) as (reader, writer):
        for _ in range(3):
            writer.write(request)
            response = await reader.readuntil(b"\r\n\r\n")
            assert response.split()[1] == b"200"
            assert await reader.readexactly(2) == b"OK"


async def post(url: str) -> int:
    """Post a callback, and return the status."""
    async with aiohttp.ClientSession() as session, session.post(url, data=body_of(NEW)) as response:
        return response.status


Sent = list[dict[str, Any]]


def asgi_channel(*messages: dict[str, Any]) -> tuple[Callable[[], Awaitable[dict[str, Any]]], Any, Sent]:
    """Return the two callables of an ASGI server that has these messages, and the list of what is sent."""
    pending, sent = list(messages), Sent()

    async def receive() -> dict[str, Any]:
        return pending.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    return receive, send, sent


def http_scope(**more: Any) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    return {"type": "http", "method": "POST", "path": "/x", "headers": [], **more}


async def test_lifespan_shutdown_closes_the_inbox() -> None:
    """The receiver handles lifespan events: it starts at once and closes the inbox on shutdown."""
    inbox = CallbackInbox()
    receive, send, sent = asgi_channel({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await AsgiReceiver(inbox, None)({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert inbox.receive(NEW) == "unavailable"


async def test_receiver_works_without_lifespan_support() -> None:
    """A server without lifespan support serves the receiver all the same."""
    inbox = CallbackInbox()
    app = AsgiReceiver(inbox, None)
    async with serve_with_uvicorn(app, lifespan="off") as url:
        assert await post(url) == 200
    assert inbox.pending == 1


async def test_restarted_server_reopens_the_inbox() -> None:
    """A server that starts again opens the inbox that it closed before."""
    inbox = CallbackInbox()
    for serve in (SERVERS["asgi standalone"], SERVERS["aiohttp"], SERVERS["asgi standalone"]):
        async with serve(inbox, None) as url:
            assert await post(f"{url}{MOUNT_PATH}") == 200


async def test_websocket_is_closed_and_unknown_scope_raises() -> None:
    """A WebSocket is closed before it opens; an unknown scope type is an error for the server."""
    app = AsgiReceiver(CallbackInbox(), None)
    receive, send, sent = asgi_channel()
    await app(http_scope(type="websocket"), receive, send)
    assert sent == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="serves http, not carrier-pigeon"):
        await app(http_scope(type="carrier-pigeon"), receive, send)


@pytest.mark.parametrize("length", [b"abc", b"-1", b"", b"9" * 5000, b"\xb2"])
async def test_content_length_that_is_not_a_number_is_ignored(length: bytes) -> None:
    """A length that is not a number is ignored, and a huge one is rejected."""
    receive, send, sent = asgi_channel({"type": "http.request", "body": body_of(NEW)})
    await AsgiReceiver(CallbackInbox(), None)(http_scope(headers=[(b"Content-Length", length)]), receive, send)
    assert sent[0]["status"] == (413 if length.startswith(b"9") else 200)


async def test_disconnect_within_the_body_gets_a_response() -> None:
    """A caller who disconnected before the body was complete gets a 400: middlewares around the receiver need one."""
    observer = RecordingObserver()
    receive, send, sent = asgi_channel(
        {"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}
    )
    await AsgiReceiver(CallbackInbox(observers=[observer]), None)(http_scope(), receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[0]["status"], observer.rejected) == (400, [400])


@pytest.mark.parametrize(("method", "length", "status"), [("POST", 9, 200), ("GET", 0, 405), ("POST", 10**9, 413)])
@pytest.mark.parametrize("raw", [True, False], ids=["with raw_path", "without"])
async def test_signed_path_is_masked_in_the_scope(raw: bool, method: str, length: int, status: int) -> None:
    """The path that is left in the scope is not a valid URL, whatever the response was."""
    signer = CallbackSigner("k" * 40, base_url="https://x.example/routee")
    path = urlsplit(signer.url("login")).path
    headers = [(b"content-length", str(length).encode())]
    scope = http_scope(path=path, method=method, headers=headers, **({"raw_path": path.encode()} if raw else {}))
    receive, send, sent = asgi_channel({"type": "http.request", "body": body_of(NEW)})
    await AsgiReceiver(CallbackInbox(), signer)(scope, receive, send)
    assert sent[0]["status"] == status
    assert (scope["path"], scope.get("raw_path", b"/routee/****")) == ("/routee/****", b"/routee/****")


async def test_aiohttp_receiver_can_be_served_standalone() -> None:
    """The sub-application is an application that can be served by itself."""
    inbox = CallbackInbox()
    app = aiohttp_receiver(inbox, None)
    assert isinstance(app, web.Application)
    async with serve_with_aiohttp(app) as url:
        assert await post(url) == 200
        assert inbox.pending == 1
