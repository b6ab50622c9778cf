"""Callbacks come in through aiohttp.web."""

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.streams import StreamReader

from .inbox import CallbackInbox
from .parse import LARGEST_CALLBACK
from .reception import Answer, Reception
from .signer import CallbackSigner


def aiohttp_receiver(
    inbox: CallbackInbox,
    signer: CallbackSigner | None,
    *,
    max_body_size: int = LARGEST_CALLBACK,
    body_within: timedelta = timedelta(seconds=2),
) -> web.Application:
    """An application to mount where `signer.base_url` points to.

        app.add_subapp("/routee", aiohttp_receiver(inbox, signer))

    It answers 200 once a callback is in the inbox, and what makes Routee repeat it otherwise: 503 while there is no
    room, 400 for what is no callback, 413 and 408 for a body of more than `max_body_size` bytes or that takes longer than
    `body_within`. An address that `signer` did not make is a plain 404, and any method but POST a 405. Without a signer
    (`None`) anybody who finds the address can call: let the inbox `confirm` then.

    When the server shuts down, it closes the inbox. Raises `InvalidConfig` for arguments that cannot work.
    """
    reception = Reception(inbox, signer, max_body_size, body_within)

    async def receive(request: web.Request) -> web.Response:
        admitted = reception.admit(request.method, request.path, request.content_length)
        if not isinstance(admitted, Answer):
            body = await _read(request.content, reception)
            admitted = body if isinstance(body, Answer) else reception.take(admitted, body)
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


async def _read(content: StreamReader, reception: Reception) -> bytes | Answer:
    """The body, in pieces: more than the limit of it is never held."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(reception.seconds):
            async for piece in content.iter_any():
                size += len(piece)
                if size > reception.max_body_size:
                    return reception.too_large()
                pieces.append(piece)
    except TimeoutError:
        return reception.too_slow()
    except (OSError, web.RequestPayloadError):
        return reception.broken_off()
    return b"".join(pieces)
