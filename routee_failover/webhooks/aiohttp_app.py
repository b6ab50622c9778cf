"""Callbacks come in through aiohttp.web."""

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.streams import StreamReader

from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .receiver import ReceiverCore, ReceiverResponse
from .signer import CallbackSigner


def aiohttp_receiver(
    inbox: CallbackInbox,
    signer: CallbackSigner | None,
    *,
    max_body_size: int = MAX_CALLBACK_SIZE,
    body_timeout: timedelta = timedelta(seconds=2),
) -> web.Application:
    """An application to mount where `signer.base_url` points to.

        app.add_subapp("/routee", aiohttp_receiver(inbox, signer))

    It answers 200 once a callback is in the inbox, and what makes Routee repeat it otherwise: 503 while there is no
    room, 400 for what is no callback, 413 and 408 for a body of more than `max_body_size` bytes or that takes longer than
    `body_timeout`. An address that `signer` did not make is a plain 404, and any method but POST a 405. Without a signer
    (`None`) anybody who finds the address can call: let the inbox `confirm` then.

    When the server shuts down, it closes the inbox. Raises `InvalidConfig` for arguments that cannot work.
    """
    reception = ReceiverCore(inbox, signer, max_body_size, body_timeout)

    async def receive(request: web.Request) -> web.Response:
        admitted = reception.check_head(request.method, request.path, request.content_length)
        if not isinstance(admitted, ReceiverResponse):
            body = await _read(request.content, reception)
            admitted = body if isinstance(body, ReceiverResponse) else reception.receive(admitted, body)
        return web.Response(status=admitted.status, text=admitted.text, headers=admitted.headers)

    async def start(_app: web.Application) -> None:
        await inbox.__aenter__()

    async def close(_app: web.Application) -> None:
        await inbox.aclose()

    app = web.Application()
    for path in ("", "/{signed:.*}"):
        app.router.add_route("*", path, receive)
    app.on_startup.append(start)
    # At the shutdown and not at the cleanup: what handlers need, a client above all, is cleaned up before that.
    app.on_shutdown.append(close)
    return app


async def _read(content: StreamReader, core: ReceiverCore) -> bytes | ReceiverResponse:
    """The body, in pieces: more than the limit of it is never held."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(core.body_timeout_seconds):
            async for piece in content.iter_any():
                size += len(piece)
                if size > core.max_body_size:
                    return core.reject_too_large()
                pieces.append(piece)
    except TimeoutError:
        return core.reject_timeout()
    except (OSError, web.RequestPayloadError):
        return core.reject_incomplete()
    return b"".join(pieces)
