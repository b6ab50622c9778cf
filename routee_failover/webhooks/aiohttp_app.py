"""Webhook receiver for aiohttp.web."""

import asyncio
from datetime import timedelta

from aiohttp import web

from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .receiver import ReceiverCore, ReceiverResponse
from .request_body import RejectedBody
from .signer import CallbackSigner


def aiohttp_receiver(
    inbox: CallbackInbox,
    signer: CallbackSigner | None,
    *,
    max_body_size: int = MAX_CALLBACK_SIZE,
    body_timeout: timedelta = timedelta(seconds=2),
) -> web.Application:
    """Return an aiohttp application that receives callbacks, to be mounted at `signer.base_url`.

        app.add_subapp("/routee", aiohttp_receiver(inbox, signer))

    It responds with 200 once a callback is in the inbox, and otherwise with a status that makes Routee repeat it: 503
    while the inbox is full or closing, 400 for a body that is not a callback, 413 for one of more than `max_body_size`
    bytes, 408 for one that takes longer than `body_timeout`. A URL that `signer` did not make is a plain 404, and any
    method but POST a 405. Without a signer (`None`) any caller who finds the URL can post callbacks: set the inbox's
    `confirm` then.

    The inbox is closed when the server shuts down. Raises `InvalidConfig` for arguments that cannot work.
    """
    core = ReceiverCore(inbox, signer, max_body_size, body_timeout)

    async def receive(request: web.Request) -> web.Response:
        result = core.check_head(request.method, request.path, request.content_length)
        if not isinstance(result, ReceiverResponse):
            body = await _read(request, core)
            result = body if isinstance(body, ReceiverResponse) else await core.receive(result, body)
        response = web.Response(status=result.status, text=result.text, headers=result.headers)
        if request.content.exception() is not None:
            # After the response, aiohttp reads the rest of the body. It would log this exception as one of the server.
            request.content.feed_eof()
        return response

    async def start(_app: web.Application) -> None:
        await core.open_inbox()

    async def close(_app: web.Application) -> None:
        await core.close_inbox()

    app = web.Application()
    for path in ("", "/{signed:.*}"):
        app.router.add_route("*", path, receive)
    app.on_startup.append(start)
    # On shutdown, not on cleanup: resources that handlers need, a client above all, are cleaned up before a sub-app is.
    app.on_shutdown.append(close)
    return app


async def _read(request: web.Request, core: ReceiverCore) -> bytes | ReceiverResponse:
    """Return the body, read in chunks: no more than `max_body_size` bytes are ever held in memory."""
    encoding = request.headers.get("Content-Encoding", "")
    try:
        with core.receiving(None if encoding.lower() in _DECODED_BY_SERVER else encoding) as body:
            async with asyncio.timeout(core.body_timeout_seconds):
                async for chunk in request.content.iter_any():
                    core.feed(body, chunk)
            return body.finish()
    except TimeoutError:
        return core.reject_timeout()
    except RejectedBody as error:
        return core.reject_body(error)
    except web.RequestPayloadError:
        return core.reject_incomplete("the body was incomplete, or could not be decompressed")
    except OSError:
        return core.reject_incomplete()


_DECODED_BY_SERVER = frozenset({"gzip", "deflate"})
"""What aiohttp's parser decompresses, a piece at a time, before a handler sees it."""
