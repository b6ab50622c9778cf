"""The access token of one event loop: asked for once however many wait, renewed early, replaced when it is refused.

Routee hands back the same token while it lives, with an `expires_in` that shrinks
(https://docs.routee.net/reference/authentication), so that only the figure in each answer counts.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

from .._wire.json import decode
from ..config import Config
from ..errors import ClientClosed, TokenUnavailable
from ..outcomes import AttemptResult
from ..secret import Secret

DEFAULT_LIFETIME = 300.0
"""Seconds that a token is taken to live when the answer does not say."""
RENEWAL_MARGIN_SHARE = 0.1
MAX_RENEWAL_MARGIN = 60.0
"""A token is renewed when a tenth of its life is left, at most 60 seconds."""

RequestToken = Callable[[], Awaitable[AttemptResult]]


def basic_authorization(config: Config) -> Secret:
    """The header that asks for a token: the application's id and secret."""
    pair = f"{config.application_id}:{config.application_secret.reveal()}".encode()
    return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")


class TokenSource:
    """Gives the token to whoever needs it. `ask` makes one token request and tells what it showed."""

    def __init__(self, request_token: RequestToken, on_renewed: Callable[[float], None] = lambda _life: None) -> None:
        self._request_token = request_token
        self._on_renewed = on_renewed
        self._token: Secret | None = None
        self._renew_at = 0.0
        self._expires_at = 0.0
        self._pending: asyncio.Task[Secret] | None = None
        self._unhelpful: Secret | None = None

    def current(self) -> Secret | None:
        """The token in memory, as long as it lives; a renewal that is due early does not make anyone wait."""
        now = asyncio.get_running_loop().time()
        if self._token is None or now >= self._expires_at:
            return None
        if now >= self._renew_at and self._pending is None:
            self._start()
        return self._token

    async def get(self) -> Secret:
        """The token, asked for where there is none in memory. Raises `TokenUnavailable`."""
        return self.current() or await self._shared()

    async def replace(self, rejected: Secret, *, forbidden: bool = False) -> Secret | None:
        """The token to try instead of one that was refused, or `None` where another try cannot help.

        A 403 also means a missing role (https://docs.routee.net/reference/authentication), so that a token which a
        renewal did not change is not renewed again for it.
        """
        if self._token is not None and self._token != rejected:
            return self._token
        if forbidden and self._unhelpful == rejected:
            return None
        renewed = await self._shared()
        if forbidden and renewed == rejected:
            self._unhelpful = rejected
            return None
        return renewed

    async def _shared(self) -> Secret:
        # The request belongs to all who wait for it: one who is cancelled does not take it from the others, nor is
        # anybody cancelled with it, and each raises an error of its own.
        pending = self._pending or self._start()
        await asyncio.wait([pending])
        if pending.cancelled():
            raise ClientClosed("the client was closed while the message waited for a token; nothing was sent")
        error = pending.exception()
        if isinstance(error, TokenUnavailable):
            raise TokenUnavailable(str(error), status=error.status)
        return pending.result()

    def _start(self) -> asyncio.Task[Secret]:
        task = asyncio.get_running_loop().create_task(self._renew())
        self._pending = task
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Secret]) -> None:
        self._pending = None
        if not task.cancelled():
            task.exception()  # seen: an early renewal that fails is tried again by the next send

    async def _renew(self) -> Secret:
        evidence = await self._request_token()
        refusal = _refusal(evidence)
        if refusal is not None:
            raise refusal
        token, life = _read_token(evidence)
        if token is None:
            raise TokenUnavailable("Routee's token answer holds no token; nothing was sent", status=200)
        now = asyncio.get_running_loop().time()
        self._token = token
        self._expires_at = now + life
        self._renew_at = now + life - min(MAX_RENEWAL_MARGIN, life * RENEWAL_MARGIN_SHARE)
        self._on_renewed(life)
        return token

    async def aclose(self) -> None:
        """End a renewal that is under way."""
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])


def _refusal(evidence: AttemptResult) -> TokenUnavailable | None:
    answer = evidence.response
    if answer is None:
        return TokenUnavailable(f"no token could be had: {evidence.reason}; nothing was sent")
    if answer.status == 200:
        return None
    if answer.status == 401:
        why = "Routee refused the application id and secret (401): compare them with Routee's platform"
    else:
        why = f"Routee's token service answered {answer.status}"
    return TokenUnavailable(f"{why}; nothing was sent", status=answer.status)


def _read_token(evidence: AttemptResult) -> tuple[Secret | None, float]:
    try:
        answer: Any = decode(evidence.response.body if evidence.response else b"")
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {}
    token, life = answer.get("access_token"), answer.get("expires_in")
    usable = isinstance(token, str) and token.isascii() and token.isprintable() and token.strip() != ""
    seconds = (
        float(life) if isinstance(life, int | float) and not isinstance(life, bool) and life >= 0 else DEFAULT_LIFETIME
    )
    return (Secret(token) if usable else None), seconds
