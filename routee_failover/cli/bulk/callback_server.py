"""The receiver of callbacks beside a run: what comes in settles what is unknown, and tells how messages ended."""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ...errors import InvalidConfig, InvalidSource
from ...webhooks import CallbackEvent, CallbackInbox, CallbackSigner, aiohttp_receiver
from ..server import serve_app
from .run_config import RunOptions

KEY_VARIABLE = "ROUTEE_CALLBACK_KEY"
"""The variable that holds the key which signs addresses: a secret, so that no option takes it."""
DEFAULT_PORT = 9000


def build_signer(options: RunOptions) -> CallbackSigner | None:
    """Makes the addresses that Routee calls back at, where the run has any.

    Raises `InvalidConfig` where the key is missing or the address cannot work, and `InvalidSource` for a place to
    listen at that is none.
    """
    _place(options.listen)
    if options.callbacks is None:
        if options.listen is not None:
            raise InvalidSource("--listen is for callbacks: give --callbacks URL too, where Routee reaches it")
        return None
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise InvalidConfig(
            f"{KEY_VARIABLE} is not set: --callbacks needs a key of 32 letters or more to sign addresses; nothing was sent. "
            'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return CallbackSigner(key, base_url=options.callbacks)


@asynccontextmanager
async def serve_callbacks(
    signer: CallbackSigner | None, options: RunOptions, handle_callback: Callable[[CallbackEvent[Any]], Awaitable[None]]
) -> AsyncIterator[None]:
    """Take callbacks in as long as the run goes on, where the run has any."""
    if signer is None:
        yield
        return
    host, port = _place(options.listen)
    inbox = CallbackInbox()
    inbox.on_flow(handle_callback)
    inbox.on_otp(handle_callback)
    receiver, path = aiohttp_receiver(inbox, signer), urlsplit(signer.base_url).path.rstrip("/")
    app = web.Application()
    if path:
        app.add_subapp(path, receiver)
    async with serve_app(app if path else receiver, host, port, "--listen: {}; nothing was sent"):
        yield


def _place(listen: str | None) -> tuple[str, int]:
    """HOST:PORT, HOST or :PORT."""
    if listen is None:
        return "127.0.0.1", DEFAULT_PORT
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]*)(?::(\d{1,5}))?", listen)
    if found is None or int(found[2] or 0) > 65535:
        raise InvalidSource("--listen takes HOST:PORT, such as 0.0.0.0:9000; nothing was sent")
    return found[1].strip("[]") or "127.0.0.1", int(found[2] or DEFAULT_PORT)
