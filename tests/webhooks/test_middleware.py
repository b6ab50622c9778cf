"""`AsgiReceiver` behind Starlette's `BaseHTTPMiddleware`, which logs a server error unless it gets a response."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from routee_failover import CallbackInbox
from routee_failover.webhooks import AsgiReceiver

from .payloads import NEW, body_of
from .recorders import RecordingObserver
from .servers import MOUNT_PATH, serve_with_uvicorn
from .test_receiver_edges import SHORT, asgi_channel, connect, http_scope, request_head

CallNext = Callable[[Request], Awaitable[Response]]


class Recorder:
    """Middleware function that records the status of each response, and says when it is done."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.done = asyncio.Event()

    async def __call__(self, request: Request, call_next: CallNext) -> Response:
        """Pass a request on."""
        try:
            response = await call_next(request)
            self.statuses.append(response.status_code)
            return response
        finally:
            self.done.set()


def behind_middleware(inbox: CallbackInbox, recorder: Recorder, body_timeout: timedelta) -> Starlette:
    """Return an application whose mounted receiver is behind two middlewares."""
    receiver = AsgiReceiver(inbox, None, body_timeout=body_timeout)
    middlewares = [Middleware(BaseHTTPMiddleware, dispatch=dispatch) for dispatch in (recorder, Recorder())]
    return Starlette(routes=[Mount(MOUNT_PATH, receiver)], middleware=middlewares)


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end"])
@pytest.mark.parametrize("framing", [1000, "Transfer-Encoding: chunked"], ids=["length", "chunked"])
async def test_disconnect_within_the_body_logs_no_server_error(
    framing: int | str, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller who leaves within the body is reported by an event, and not by a server error of a middleware."""
    caplog.set_level(logging.DEBUG)
    observer, recorder = RecordingObserver(), Recorder()
    inbox = CallbackInbox(observers=[observer])
    async with serve_with_uvicorn(behind_middleware(inbox, recorder, timedelta(seconds=10))) as url:
        async with connect(url) as (_, writer):
            writer.write(request_head(framing) + b"1\r\n{\r\n")
            await writer.drain()
            if reset:
                writer.transport.abort()
        await asyncio.wait_for(recorder.done.wait(), 10)
    assert (observer.rejected, recorder.statuses, inbox.pending) == ([400], [400], 0)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_slow_body_is_a_408_behind_a_middleware(caplog: pytest.LogCaptureFixture) -> None:
    """A body that is not complete in time gets its 408 through middlewares as well, without a server error."""
    recorder = Recorder()
    app = behind_middleware(CallbackInbox(observers=[]), recorder, SHORT)
    async with serve_with_uvicorn(app) as url, connect(url) as (reader, writer):
        writer.write(request_head() + b"{")
        async with asyncio.timeout(10):
            assert (await reader.readline()).split()[1] == b"408"
        await recorder.done.wait()
    assert recorder.statuses == [408]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("complete", [True, False], ids=["after the body", "within the body"])
@pytest.mark.parametrize("fails_at", [0, 1], ids=["head", "body"])
async def test_send_that_fails_after_a_disconnect_is_no_error(complete: bool, fails_at: int) -> None:
    """A server may raise an `OSError` when the caller is gone: the receiver has no one to respond to, and returns."""
    observer, sent = RecordingObserver(), list[object]()
    inbox = CallbackInbox(observers=[observer])
    receive, _, _ = asgi_channel(
        {"type": "http.request", "body": body_of(NEW), "more_body": not complete}, {"type": "http.disconnect"}
    )

    async def send(message: object) -> None:
        if len(sent) == fails_at:
            raise OSError("the caller is gone")
        sent.append(message)

    await AsgiReceiver(inbox, None)(http_scope(), receive, send)
    assert (len(sent), inbox.pending, observer.rejected) == (fails_at, int(complete), [] if complete else [400])
