"""Callback server of a run: received callbacks resolve unknown outcomes and bring delivery reports."""

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
"""Environment variable with the key that signs callback URLs: a secret, so there is no option for it."""
DEFAULT_PORT = 9000


def build_signer(options: RunOptions) -> CallbackSigner | None:
    """Return the signer of the run's callback URLs, or `None` without --callbacks.

    Raises `InvalidConfig` if the key is missing or the URL cannot work, and `InvalidSource` if --listen is invalid.
    """
    _parse_listen(options.listen)
    if options.callbacks is None:
        if options.listen is not None:
            raise InvalidSource(
                "--listen needs --callbacks URL, the public URL at which Routee reaches it; nothing was sent"
            )
        return None
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise InvalidConfig(
            f"{KEY_VARIABLE} is not set: --callbacks needs a key of at least 32 characters to sign callback URLs; "
            "nothing was sent. "
            'Generate one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return CallbackSigner(key, base_url=options.callbacks)


@asynccontextmanager
async def serve_callbacks(
    signer: CallbackSigner | None, options: RunOptions, handle_callback: Callable[[CallbackEvent[Any]], Awaitable[None]]
) -> AsyncIterator[None]:
    """Receive callbacks for as long as the block runs; do nothing without a signer."""
    if signer is None:
        yield
        return
    host, port = _parse_listen(options.listen)
    inbox = CallbackInbox()
    inbox.on_flow(handle_callback)
    inbox.on_otp(handle_callback)
    receiver, path = aiohttp_receiver(inbox, signer), urlsplit(signer.base_url).path.rstrip("/")
    app = web.Application()
    if path:
        app.add_subapp(path, receiver)
    async with serve_app(app if path else receiver, host, port, "--listen: {}; nothing was sent"):
        yield


def _parse_listen(listen: str | None) -> tuple[str, int]:
    """Parse HOST:PORT, HOST or :PORT."""
    if listen is None:
        return "127.0.0.1", DEFAULT_PORT
    match = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]*)(?::(\d{1,5}))?", listen)
    if match is None or int(match[2] or 0) > 65535:
        raise InvalidSource("--listen takes HOST:PORT, such as 0.0.0.0:9000; nothing was sent")
    return match[1].strip("[]") or "127.0.0.1", int(match[2] or DEFAULT_PORT)
