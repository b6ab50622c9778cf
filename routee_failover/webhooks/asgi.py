"""Callbacks come in through any ASGI server or framework. ASGI is a way to be called: nothing has to be imported."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from ..secret import MASK
from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .receiver import ReceiverCore, ReceiverResponse
from .signer import CallbackSigner

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _ClientDisconnected(Exception):  # whoever called has left
    """Nobody waits for an answer."""


class AsgiReceiver:
    """An ASGI 3 application to mount where `signer.base_url` points to.

        app.mount("/routee", AsgiReceiver(inbox, signer))

    It answers 200 once a callback is in the inbox, and what makes Routee repeat it otherwise: 503 while there is no
    room, 400 for what is no callback, 413 and 408 for a body of more than `max_body_size` bytes or that takes longer than
    `body_timeout`. An address that `signer` did not make is a plain 404, and any method but POST a 405. Without a signer
    (`None`) anybody who finds the address can call: let the inbox `confirm` then.

    Run alone (`uvicorn module:receiver`), it closes the inbox when the server shuts down. Frameworks tell what is
    mounted in them nothing of that: there, `async with inbox` belongs into the lifespan of the application. Raises
    `InvalidConfig` for arguments that cannot work.
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
        """Serve one connection as ASGI has it."""
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
        admitted = self._core.check_head(scope["method"], scope["path"], _length(scope))
        if self._core.requires_signature:  # whatever it was answered: a GET of a valid address is logged as well
            _redact_path(scope)
        if not isinstance(admitted, ReceiverResponse):
            try:
                body = await self._read(receive)
            except _ClientDisconnected:
                self._core.reject_incomplete()
                return
            admitted = body if isinstance(body, ReceiverResponse) else self._core.receive(admitted, body)
        data = admitted.text.encode()
        given = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(data)), **admitted.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": admitted.status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _read(self, receive: Receive) -> bytes | ReceiverResponse:
        """The body, in pieces: more than the limit of it is never held."""
        pieces: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self._core.body_timeout_seconds):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _ClientDisconnected
                    piece: bytes = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(piece)
                    if size > self._core.max_body_size:
                        return self._core.reject_too_large()
                    pieces.append(piece)
        except TimeoutError:
            return self._core.reject_timeout()
        return b"".join(pieces)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await self._core.inbox.__aenter__()
            await send({"type": "lifespan.startup.complete"})
        await self._core.inbox.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _redact_path(scope: MutableMapping[str, Any]) -> None:
    # Servers log the path out of the scope when the answer begins: whoever read it there could call in Routee's name.
    for key, slash, hidden in (("path", "/", MASK), ("raw_path", b"/", MASK.encode())):
        path = scope.get(key)
        if path is not None:
            scope[key] = path.rstrip(slash).rpartition(slash)[0] + slash + hidden


def _length(scope: MutableMapping[str, Any]) -> int | None:
    """What the body's length is announced as."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value[:20])
    return None
