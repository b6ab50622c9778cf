"""Access token of one event loop: one token request for all waiters, renewed early, replaced when it is rejected.

Routee returns the same token until it expires, with a decreasing `expires_in`
(https://docs.routee.net/reference/authentication), so only the number in each response counts.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable

from .._tasks import start_task
from .._wire.token_response import AccessToken, read_token
from ..config import Config
from ..errors import ClientClosed, TokenUnavailable
from ..outcomes import AttemptResult
from ..secret import Secret

RENEWAL_MARGIN_SHARE = 0.1
MAX_RENEWAL_MARGIN = 60.0
"""A token is renewed when a tenth of its lifetime is left, at most 60 seconds before it expires."""

RequestToken = Callable[[], Awaitable[AttemptResult]]


def basic_authorization(config: Config) -> Secret:
    """Return the `Authorization` header of a token request: the application id and secret."""
    pair = f"{config.application_id}:{config.application_secret.reveal()}".encode()
    return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")


class TokenSource:
    """Provides the access token. `request_token` sends one token request and returns its result."""

    def __init__(self, request_token: RequestToken, on_renewed: Callable[[float], None] = lambda _life: None) -> None:
        self._request_token = request_token
        self._on_renewed = on_renewed
        self._token: Secret | None = None
        self.issued: AccessToken | None = None
        self._renew_at = self._expires_at = 0.0
        self._pending: asyncio.Task[Secret] | None = None
        self._unchanged_by_renewal: Secret | None = None

    def current(self) -> Secret | None:
        """Return the cached token unless it has expired; start a renewal in the background if one is due."""
        now = asyncio.get_running_loop().time()
        if self._token is None or now >= self._expires_at:
            return None
        if now >= self._renew_at and self._pending is None:
            self._start()
        return self._token

    async def get(self) -> Secret:
        """Return the cached token, or request one if there is none. Raises `TokenUnavailable`."""
        return self.current() or await self._renew_shared()

    async def replace(self, rejected: Secret, *, forbidden: bool = False) -> Secret | None:
        """Return the token to use instead of a rejected one, or `None` if a retry cannot help.

        A 403 can also mean a missing role (https://docs.routee.net/reference/authentication), so a token that a renewal
        did not change is not renewed again after a 403.
        """
        if self._token is not None and self._token != rejected:
            return self._token
        if forbidden and self._unchanged_by_renewal == rejected:
            return None
        renewed = await self._renew_shared()
        if forbidden and renewed == rejected:
            self._unchanged_by_renewal = rejected
            return None
        return renewed

    async def _renew_shared(self) -> Secret:
        # The request is shared by its waiters: cancelling one of them does not cancel the request, cancelling the
        # request does not cancel them, and each raises an exception object of its own.
        pending = self._pending or self._start()
        await asyncio.wait([pending])
        if pending.cancelled():
            raise ClientClosed("the client was closed while the message waited for a token; nothing was sent")
        error = pending.exception()
        if isinstance(error, TokenUnavailable):
            raise TokenUnavailable(str(error), status=error.status) from error.__cause__
        return pending.result()

    def _start(self) -> asyncio.Task[Secret]:
        task = self._pending = start_task(self._renew())
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Secret]) -> None:
        self._pending = None
        if not task.cancelled():
            task.exception()  # marked as retrieved: if an early renewal fails, the next send starts another one

    async def _renew(self) -> Secret:
        result = await self._request_token()
        self.issued = read_token(result)
        token, lifetime, _ = self.issued
        now = asyncio.get_running_loop().time()
        self._token = token
        self._expires_at = now + lifetime
        self._renew_at = now + lifetime - min(MAX_RENEWAL_MARGIN, lifetime * RENEWAL_MARGIN_SHARE)
        self._on_renewed(lifetime)
        return token

    async def aclose(self) -> None:
        """Forget the token, and cancel a renewal in flight; its waiters get `ClientClosed`."""
        self._token = None
        if self._pending is not None:
            self._pending.cancel()
            await asyncio.wait([self._pending])
