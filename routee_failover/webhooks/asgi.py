"""Webhook receiver for any ASGI server or framework. ASGI is a calling convention: nothing has to be imported."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from ..secret import MASK
from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .receiver import ReceiverCore, ReceiverResponse
from .request_body import RejectedBody
from .signer import CallbackSigner

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiReceiver:
    """ASGI 3 application that receives callbacks, to be mounted at `signer.base_url`.

        app.mount("/routee", AsgiReceiver(inbox, signer))

    It responds with 200 once a callback is in the inbox, and otherwise with a status that makes Routee repeat it: 503
    while the inbox is full or closing, 400 for a body that is not a callback, 413 for one of more than `max_body_size`
    bytes, 408 for one that takes longer than `body_timeout`. A URL that `signer` did not make is a plain 404, and any
    method but POST a 405. Without a signer (`None`) any caller who finds the URL can post callbacks: set the inbox's
    `confirm` then.

    Served alone (`uvicorn module:receiver`), it closes the inbox when the server shuts down. Frameworks do not forward
    lifespan events to mounted applications: there, put `async with inbox` into the lifespan of the outer application.
    Raises `InvalidConfig` for arguments that cannot work.
    """

    def __init__(
        self,
        inbox: CallbackInbox,
        signer: CallbackSigner | None,
        *,
        max_body_size: int = MAX_CALLBACK_SIZE,
        body_timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        self._core = ReceiverCore(inbox, signer, max_body_size, body_timeout)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI connection scope."""
        kind = scope["type"]
        if kind == "http":
            await self._serve(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close"})
        else:
            raise ValueError(f"an AsgiReceiver serves http, not {kind}")

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        result = self._core.check_head(scope["method"], scope["path"], _content_length(scope))
        if self._core.requires_signature:  # whatever the response: a GET of a valid URL is logged as well
            _redact_path(scope)
        if not isinstance(result, ReceiverResponse):
            body = await self._read(receive, _header(scope, b"content-encoding"))
            result = body if isinstance(body, ReceiverResponse) else await self._core.receive(result, body)
        data = result.text.encode()
        fields = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(data)), **result.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        # A caller who has left gets a response, too: middlewares log a server error for an application that sends none.
        with suppress(OSError):  # which a server may raise for a caller who has left
            await send({"type": "http.response.start", "status": result.status, "headers": headers})
            await send({"type": "http.response.body", "body": data})

    async def _read(self, receive: Receive, encoding: str | None) -> bytes | ReceiverResponse:
        """Return the body, read in chunks: no more than `max_body_size` bytes are ever held in memory."""
        more = True
        try:
            with self._core.receiving(encoding) as body:
                async with asyncio.timeout(self._core.body_timeout_seconds):
                    while more:
                        message = await receive()
                        if message["type"] != "http.request":
                            return self._core.reject_incomplete()
                        self._core.feed(body, message.get("body", b""))
                        more = message.get("more_body", False)
                return body.finish()
        except TimeoutError:
            return self._core.reject_timeout()
        except RejectedBody as error:
            return self._core.reject_body(error)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await self._core.open_inbox()
            await send({"type": "lifespan.startup.complete"})
        await self._core.close_inbox()
        await send({"type": "lifespan.shutdown.complete"})


def _redact_path(scope: MutableMapping[str, Any]) -> None:
    # Servers log the path of the scope when the response starts: a reader of that log could post in Routee's name.
    for key, slash, mask in (("path", "/", MASK), ("raw_path", b"/", MASK.encode())):
        path = scope.get(key)
        if path is not None:
            scope[key] = path.rstrip(slash).rpartition(slash)[0] + slash + mask


def _content_length(scope: MutableMapping[str, Any]) -> int | None:
    """Return the declared Content-Length in bytes; `None` if there is none, or it is not a number."""
    value = _header(scope, b"content-length")
    return int(value[:20]) if value is not None and value.isascii() and value.isdigit() else None


def _header(scope: MutableMapping[str, Any], name: bytes) -> str | None:
    """Return the first header of that name, which is in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name), None)
