"""Executor: results of single attempts against faulty servers, which quote nothing of the request or the response."""

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from routee_failover import Outcome
from routee_failover.outcomes import outcome_of
from tests.client.fake_routee import until
from tests.client.rendered_errors import shown

from .raw_server import (
    BODY,
    KEY,
    PIN,
    Handler,
    RawServer,
    Reader,
    Writer,
    attempt_once,
    attempt_runner,
    http,
    never_respond,
    read_request,
    reset,
    responding,
)

ECHO = b"canary-answer"


def _respond_with(response: bytes, end: Callable[[Writer], None] = lambda writer: writer.close()) -> Handler:
    async def handler(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(response)
        await writer.drain()
        end(writer)

    return handler


async def _fin_unread(_reader: Reader, writer: Writer) -> None:
    writer.close()


async def _rst_unread(_reader: Reader, writer: Writer) -> None:
    reset(writer)


async def _plain_http(_reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 400 canary-answer\r\n\r\n")
    await writer.drain()


def _stay(_writer: Writer) -> None:
    """Leave the connection open; the server closes it at the end of the test."""


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DISCONNECTED = "the connection was closed before a response came"
FAILURES = {
    "FIN after the request": (_respond_with(b""), DISCONNECTED),
    "RST after the request": (_respond_with(b"", reset), "the connection failed (ClientOSError)"),
    "part of a status line": (_respond_with(b"HTTP/1.1 20"), DISCONNECTED),
    "part of the headers": (_respond_with(b"HTTP/1.1 200 OK\r\nX: canary-answer\r\n"), DISCONNECTED),
    "garbage status line": (_respond_with(ECHO + b"\r\n\r\n"), "the response is not valid HTTP"),
    "another protocol": (_respond_with(b"SSH-2.0-canary-answer\r\n"), "the response is not valid HTTP"),
    "oversized headers": (
        _respond_with(b"HTTP/1.1 200 OK\r\nX: " + ECHO * 2_000 + b"\r\n\r\n"),
        "the response is not valid HTTP",
    ),
    "incomplete body": (
        _respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ECHO),
        "the response ended early or could not be decoded",
    ),
    "RST in the body": (
        _respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ECHO, reset),
        None,
    ),
    "chunk without a size": (_respond_with(CHUNKED + b"zz\r\n" + ECHO), None),
    "incomplete chunk": (_respond_with(CHUNKED + b"ff\r\n" + ECHO), "the response ended early or could not be decoded"),
    "invalid gzip": (
        _respond_with(http("200 OK", ECHO, "Content-Encoding: gzip")),
        "the response ended early or could not be decoded",
    ),
    "no response": (never_respond, "no response within total_timeout"),
    "half a response": (
        _respond_with(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + ECHO, _stay),
        None,
    ),
}


@pytest.mark.parametrize(("handler", "reason"), FAILURES.values(), ids=FAILURES)
async def test_failed_response_after_the_first_byte_is_unknown(handler: Handler, reason: str | None) -> None:
    """Once a byte may have been sent, no failure of the response proves a rejection: UNKNOWN, with our own reason."""
    result, _ = await attempt_once(handler)
    assert result.response is None
    assert (result.may_have_been_sent, result.permanent) == (True, False)
    assert outcome_of(result) is Outcome.UNKNOWN
    assert reason is None or result.reason == reason
    assert result.reason
    assert not any(text in repr(result) for text in ("canary", PIN, KEY))


@pytest.mark.parametrize("handler", [_fin_unread, _rst_unread], ids=["FIN", "RST"])
async def test_connection_closed_before_the_request_is_not_sent_only_if_noticed(handler: Handler) -> None:
    """A connection closed before the request is read: NOT_SENT if that is noticed in time, else UNKNOWN."""
    result, _ = await attempt_once(handler)
    assert result.response is None
    assert result.reason
    assert result.may_have_been_sent == (result.bytes_written > 0)
    assert outcome_of(result) is (Outcome.UNKNOWN if result.may_have_been_sent else Outcome.NOT_SENT)


async def test_response_and_request_are_transferred_completely() -> None:
    """The result holds status and body of the response, and the server got the expected request."""
    seen: list[bytes] = []
    result, server = await attempt_once(responding(http("404 Nope", ECHO, "X: y"), seen=seen))
    assert result.response is not None
    assert (result.response.status, result.response.body, result.response.retry_after) == (404, ECHO, None)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"POST /failover HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}".encode() in head
    assert b"Content-Type: application/json" in head
    assert server.connections == 1


@pytest.mark.parametrize("encoded", [True, False])
async def test_response_without_a_body_is_a_response(encoded: bool) -> None:
    """A 204 without a body is read as such."""
    result, _ = await attempt_once(responding(http("204 No Content", b"")))
    assert result.response is not None
    assert (result.response.status, result.response.body) == (204, b"")


async def test_chunked_response_is_joined() -> None:
    """Chunks that arrive separately form one body."""

    async def handler(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        for chunk in (b"can", b"ary"):
            writer.write(b"3\r\n" + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")

    result, _ = await attempt_once(handler)
    assert result.response is not None
    assert result.response.body == b"canary"


async def test_response_above_max_response_size_is_discarded_with_its_connection() -> None:
    """Reading ends at the limit, and the connection is not reused."""
    async with (
        RawServer(responding(http("200 OK", ECHO * 100_000))) as server,
        attempt_runner(server.config(max_response_size=100)) as runner,
    ):
        for _ in range(2):
            result = await runner.run(f"{server.url}/failover")
            assert (result.response, result.reason) == (None, "the response is longer than max_response_size")
            assert result.may_have_been_sent
    assert server.connections == 2


async def test_responses_are_read_into_small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response is read into a buffer of 32 KB, and not into one of 256 KB, which is what asyncio makes."""
    sizes: list[int] = []

    class RecordingSocket(socket.socket):
        def recv(self, size: int, *args: Any) -> bytes:
            sizes.append(size)
            return super().recv(size, *args)

    monkeypatch.setattr(socket, "socket", RecordingSocket)
    async with RawServer(responding(http("200 OK", b"{}"))) as server, attempt_runner(server.config()) as runner:
        sizes.clear()
        for _ in range(2):
            assert (await runner.run(f"{server.url}/failover")).response is not None
    assert sizes.count(32 * 1024) >= 2  # the others are those of the server


@pytest.mark.parametrize("code", ["301 Moved", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_redirect_is_not_followed(code: str) -> None:
    """A redirect is returned as the response, and not followed."""
    result, server = await attempt_once(responding(http(code, b"", "Location: /elsewhere")))
    assert result.response is not None
    assert outcome_of(result) is Outcome.REJECTED
    assert server.connections == 1


async def test_refused_connection_sends_nothing() -> None:
    """Without a listening server nothing is sent, and the reason names host and port."""
    async with RawServer(never_respond) as server:
        config = server.config()
    async with attempt_runner(config) as runner:
        result = await runner.run(f"{server.url}/failover")
    assert (result.may_have_been_sent, result.response, result.permanent) == (False, None, False)
    assert outcome_of(result) is Outcome.NOT_SENT
    assert result.reason.startswith("no connection to localhost:")


async def test_unresolvable_host_name_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the name cannot be resolved nothing is sent, and the reason names it."""

    def fail_to_resolve(*_args: object, **_named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "canary")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail_to_resolve)
    async with RawServer(never_respond) as server, attempt_runner(server.config()) as runner:
        result = await runner.run("https://nowhere.invalid/failover")
    assert result.reason == "the host name nowhere.invalid could not be resolved"
    assert outcome_of(result) is Outcome.NOT_SENT


async def test_hanging_tls_handshake_sends_nothing() -> None:
    """A server that accepts but never responds to the handshake runs into connect_timeout; nothing was sent."""
    async with RawServer(never_respond) as server:
        config = server.config(connect_timeout=timedelta(milliseconds=50))
        async with attempt_runner(config) as runner:
            result = await runner.run(server.url.replace("http:", "https:"))
    assert (result.may_have_been_sent, result.reason) == (
        False,
        "no connection could be made within connect_timeout",
    )


async def test_failed_tls_handshake_sends_nothing() -> None:
    """A server that closes during the handshake gets nothing."""
    for handler in (_fin_unread, _rst_unread, _plain_http):
        async with RawServer(handler) as server, attempt_runner(server.config()) as runner:
            result = await runner.run(server.url.replace("http:", "https:"))
        assert outcome_of(result) is Outcome.NOT_SENT
        assert "canary" not in result.reason


async def test_closed_pool_sends_nothing() -> None:
    """An attempt with a closed connection pool sends nothing."""
    async with RawServer(never_respond) as server, attempt_runner(server.config()) as runner:
        await runner.executor.aclose()
        result = await runner.run(f"{server.url}/failover")
    assert outcome_of(result) is Outcome.NOT_SENT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-1", None),
        ("1.5", 2.0),
        ("", None),
        ("soon", None),
        ("²", None),  # a digit to Python, but no number for float()
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("99 Foo 2015", None),
    ],
)
async def test_retry_after_is_parsed_as_seconds_or_date(header: str, seconds: float | None) -> None:
    """Retry-After is seconds or a date; a past date means now, an invalid value is ignored."""
    result, _ = await attempt_once(responding(http("503 Busy", b"", f"Retry-After: {header}")))
    assert result.response is not None
    assert (result.response.status, result.response.retry_after) == (503, seconds)


async def test_retry_after_date_is_converted_to_seconds_from_now() -> None:
    """A future date becomes the time until then, whatever its time zone."""
    zone = datetime.now(UTC).astimezone(tz=None).tzinfo
    for now in (datetime.now(UTC), datetime.now(zone)):
        then = format_datetime(now + timedelta(seconds=60))
        result, _ = await attempt_once(responding(http("429 Many", b"", f"Retry-After: {then}")))
        assert result.response is not None
        assert result.response.retry_after is not None
        assert 50 < result.response.retry_after <= 60


async def test_cancelled_attempt_shows_neither_body_nor_token() -> None:
    """Cancellation is raised unchanged, with its message, and its frames hold neither PIN nor token."""
    async with (
        RawServer(never_respond) as server,
        attempt_runner(server.config(total_timeout=timedelta(seconds=5))) as runner,
    ):
        running = asyncio.create_task(runner.run(f"{server.url}/failover"))
        await until(lambda: server.connections)
        await asyncio.sleep(0.01)
        running.cancel("the visitor left")
        with pytest.raises(asyncio.CancelledError, match="the visitor left") as caught:
            await running
    printed = shown(caught.value)
    assert not any(text in printed for text in (PIN, KEY))


async def test_timeout_around_an_attempt_raises_timeout_error() -> None:
    """asyncio.timeout around an attempt raises TimeoutError, as around any other awaitable."""
    async with RawServer(never_respond) as server, attempt_runner(server.config()) as runner:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03):
                await runner.run(f"{server.url}/failover")


@pytest.mark.parametrize("upgrade", ["", "Connection: upgrade\r\nUpgrade: other\r\n"], ids=["unnamed", "named"])
async def test_connection_that_has_switched_protocols_is_not_used_again(upgrade: str) -> None:
    """After a 101 the connection is closed, also if the response does not say which protocol it speaks from then on."""

    async def switch(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{upgrade}\r\n".encode())

    async with RawServer(switch) as server, attempt_runner(server.config()) as runner:
        for _ in range(2):
            response = (await runner.run(server.url)).response
            assert response is not None
            assert response.status == 101
        assert server.connections == 2
