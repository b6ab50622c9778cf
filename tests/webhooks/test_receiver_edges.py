"""The receivers against callers that are slow, break off, or speak something else."""

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
from .recorders import Notes
from .servers import AT, SERVERS, Serve, by_aiohttp, by_uvicorn

BOTH = pytest.mark.parametrize("serve", [SERVERS["aiohttp"], SERVERS["asgi alone"]], ids=["aiohttp", "asgi"])
SHORT = timedelta(seconds=0.1)


@asynccontextmanager
async def talk(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a test says what it likes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


def head(length: int | str = 1000, *more: str) -> bytes:
    """The head of a request that announces so much."""
    size = f"Content-Length: {length}" if isinstance(length, int) else length
    return "\r\n".join([f"POST {AT}/x HTTP/1.1", "Host: localhost", size, *more, "", ""]).encode()


@BOTH
async def test_slow_bodies(serve: Serve) -> None:
    """A body that is not there in time ends in a 408, which says that the connection is closed."""
    notes = Notes()
    inbox = CallbackInbox(observers=[notes])
    async with serve(inbox, None, body_timeout=SHORT) as url, talk(url) as (reader, writer):
        writer.write(head())
        answer = b""
        async with asyncio.timeout(10):
            while not answer:
                writer.write(b" ")
                try:
                    async with asyncio.timeout(0.02):
                        answer = await reader.readline()
                except TimeoutError:
                    pass
            assert answer.split()[1] == b"408"
            rest = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: close" in rest.lower()
    assert notes.refused == [408]


@BOTH
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end"])
async def test_bodies_that_break_off(serve: Serve, reset: bool) -> None:
    """A caller who leaves in the middle leaves nothing behind but a note."""
    notes = Notes()
    inbox = CallbackInbox(observers=[notes])
    async with serve(inbox, None) as url:
        async with talk(url) as (_, writer):
            writer.write(head() + b"{")
            await writer.drain()
            if reset:
                writer.transport.abort()
        await asyncio.wait_for(notes.told.wait(), 10)
    assert (notes.refused, inbox.pending) == ([400], 0)


@BOTH
async def test_bodies_that_are_no_http(serve: Serve) -> None:
    """A chunk that is none ends in a 400 and reaches nobody."""
    inbox = CallbackInbox(observers=[Notes()])
    async with serve(inbox, None) as url, talk(url) as (reader, writer):
        writer.write(head("Transfer-Encoding: chunked") + b"4\r\nnull\r\nxyz\r\n")
        async with asyncio.timeout(10):
            answer = await reader.readline()
    assert answer.split()[1:2] in ([b"400"], [])
    assert inbox.pending == 0


@BOTH
async def test_bombs(serve: Serve) -> None:
    """A compressed body never becomes larger than the limit in memory: it is refused, or not unpacked at all."""
    inbox = CallbackInbox(observers=[Notes()])
    async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
        for level in (1, 9):
            bomb = gzip.compress(b" " * 10_000_000, level)
            headers = {"Content-Encoding": "gzip"}
            async with session.post(f"{url}{AT}", data=bomb, headers=headers) as answer:
                assert answer.status in {400, 413}


@BOTH
async def test_many_on_one_connection(serve: Serve) -> None:
    """A connection is kept from one callback to the next, as Routee may well do."""
    inbox = CallbackInbox()
    request = head(len(body_of(NEW))) + body_of(NEW)
    async with serve(inbox, None) as url, talk(url) as (reader, writer):
        for _ in range(3):
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.split()[1] == b"200"
            assert await reader.readexactly(2) == b"OK"


async def post(url: str) -> int:
    """Post a callback, and give the status."""
    async with aiohttp.ClientSession() as session, session.post(url, data=body_of(NEW)) as answer:
        return answer.status


Sent = list[dict[str, Any]]


def asgi_server(*messages: dict[str, Any]) -> tuple[Callable[[], Awaitable[dict[str, Any]]], Any, Sent]:
    """The two callables of a server that has these messages, and what it is sent."""
    waiting, sent = list(messages), Sent()

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    return receive, send, sent


def scope(**more: Any) -> dict[str, Any]:
    """A request as a server tells it."""
    return {"type": "http", "method": "POST", "path": "/x", "headers": [], **more}


async def test_lifespan() -> None:
    """The receiver takes part in a lifespan: it starts at once and closes the inbox at the end."""
    inbox = CallbackInbox()
    receive, send, sent = asgi_server({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await AsgiReceiver(inbox, None)({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert inbox.receive(NEW) == "no room"


async def test_without_a_lifespan() -> None:
    """A server that knows no lifespan serves the receiver all the same."""
    inbox = CallbackInbox()
    app = AsgiReceiver(inbox, None)
    async with by_uvicorn(app, lifespan="off") as url:
        assert await post(url) == 200
    assert inbox.pending == 1


async def test_an_inbox_opened_again_by_its_server() -> None:
    """A server that starts again opens the inbox that it closed before."""
    inbox = CallbackInbox()
    for serve in (SERVERS["asgi alone"], SERVERS["aiohttp"], SERVERS["asgi alone"]):
        async with serve(inbox, None) as url:
            assert await post(f"{url}{AT}") == 200


async def test_other_protocols() -> None:
    """A web socket is closed before it opens; what nobody knows is an error for the server to see."""
    app = AsgiReceiver(CallbackInbox(), None)
    receive, send, sent = asgi_server()
    await app(scope(type="websocket"), receive, send)
    assert sent == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="serves http, not carrier-pigeon"):
        await app(scope(type="carrier-pigeon"), receive, send)


@pytest.mark.parametrize("length", [b"abc", b"-1", b"", b"9" * 5000, b"\xb2"])
async def test_lengths_that_are_none(length: bytes) -> None:
    """A length that is no number is passed over, and an endless one is refused."""
    receive, send, sent = asgi_server({"type": "http.request", "body": body_of(NEW)})
    await AsgiReceiver(CallbackInbox(), None)(scope(headers=[(b"Content-Length", length)]), receive, send)
    assert sent[0]["status"] == (413 if length.startswith(b"9") else 200)


async def test_a_caller_who_left() -> None:
    """Nothing is sent to a caller who left before the body was there."""
    notes = Notes()
    receive, send, sent = asgi_server(
        {"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}
    )
    await AsgiReceiver(CallbackInbox(observers=[notes]), None)(scope(), receive, send)
    assert (sent, notes.refused) == ([], [400])


@pytest.mark.parametrize(("method", "length", "status"), [("POST", 9, 200), ("GET", 0, 405), ("POST", 10**9, 413)])
@pytest.mark.parametrize("raw", [True, False], ids=["with raw_path", "without"])
async def test_the_path_is_hidden(raw: bool, method: str, length: int, status: int) -> None:
    """What is read of the path afterwards is no address that anybody could call, whatever the request was answered."""
    signer = CallbackSigner("k" * 40, base_url="https://x.example/routee")
    path = urlsplit(signer.url("login")).path
    headers = [(b"content-length", str(length).encode())]
    given = scope(path=path, method=method, headers=headers, **({"raw_path": path.encode()} if raw else {}))
    receive, send, sent = asgi_server({"type": "http.request", "body": body_of(NEW)})
    await AsgiReceiver(CallbackInbox(), signer)(given, receive, send)
    assert sent[0]["status"] == status
    assert (given["path"], given.get("raw_path", b"/routee/****")) == ("/routee/****", b"/routee/****")


async def test_an_aiohttp_receiver_alone() -> None:
    """The sub-application is an application that can be served by itself."""
    inbox = CallbackInbox()
    app = aiohttp_receiver(inbox, None)
    assert isinstance(app, web.Application)
    async with by_aiohttp(app) as url:
        assert await post(url) == 200
        assert inbox.pending == 1
