"""Callbacks come in through any ASGI server or framework. ASGI is a way to be called: nothing has to be imported."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import timedelta
from typing import Any

from ..secret import MASK
from .inbox import CallbackInbox
from .parse import LARGEST_CALLBACK
from .reception import Answer, Reception
from .signer import CallbackSigner

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Gone(Exception):  # whoever called has left
    """Nobody waits for an answer."""


class AsgiReceiver:
    """An ASGI 3 application to mount where `signer.base_url` points to.

        app.mount("/routee", AsgiReceiver(inbox, signer))

    It answers 200 once a callback is in the inbox, and what makes Routee repeat it otherwise: 503 while there is no
    room, 400 for what is no callback, 413 and 408 for a body of more than `max_body_size` bytes or that takes longer than
    `body_within`. An address that `signer` did not make is a plain 404, and any method but POST a 405. Without a signer
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
        max_body_size: int = LARGEST_CALLBACK,
        body_within: timedelta = timedelta(seconds=2),
    ) -> None:
        self._reception = Reception(inbox, signer, max_body_size, body_within)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection as ASGI has it."""
        kind = scope["type"]
        if kind == "http":
            await self._serve(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close"})
        else:
            raise ValueError(f"an AsgiReceiver serves http, not {kind}")

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        admitted = self._reception.admit(scope["method"], scope["path"], _length(scope))
        if self._reception.signed:  # whatever it was answered: a GET of a valid address is logged as well
            _hide(scope)
        if not isinstance(admitted, Answer):
            try:
                body = await self._read(receive)
            except _Gone:
                self._reception.broken_off()
                return
            admitted = body if isinstance(body, Answer) else self._reception.take(admitted, body)
        data = admitted.text.encode()
        given = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(data)), **admitted.headers}
        headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": admitted.status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def _read(self, receive: Receive) -> bytes | Answer:
        """The body, in pieces: more than the limit of it is never held."""
        pieces: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(self._reception.seconds):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _Gone
                    piece: bytes = message.get("body", b"")
                    more = message.get("more_body", False)
                    size += len(piece)
                    if size > self._reception.max_body_size:
                        return self._reception.too_large()
                    pieces.append(piece)
        except TimeoutError:
            return self._reception.too_slow()
        return b"".join(pieces)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await self._reception.inbox.__aenter__()
            await send({"type": "lifespan.startup.complete"})
        await self._reception.inbox.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _hide(scope: MutableMapping[str, Any]) -> None:
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
