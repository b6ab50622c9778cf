"""Transport of a client: requests from any event loop, with a connection pool and an access token per event loop."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from .._tasks import wait_for_tasks
from .._wire.token_response import AccessToken
from ..config import Config
from ..errors import ClientClosed, Outcome
from ..outcomes import AttemptResult
from .attempt import ApiRequest
from .loop_transport import CLOSED, LoopTransport


class Transport:
    """Sends requests, each through the `LoopTransport` of the running event loop.

    It can be created where no event loop is running.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop_transports: dict[asyncio.AbstractEventLoop, LoopTransport | None] = {}
        """None: the client was closed in this loop before anything was sent."""

    def reopen(self) -> None:
        """Accept requests again in the running event loop after `aclose` was called in it."""
        loop = asyncio.get_running_loop()
        loop_transport = self._loop_transports.get(loop)
        if loop_transport is None or loop_transport.closing.is_set():
            self._loop_transports.pop(loop, None)

    def send_request(self, request: ApiRequest) -> Coroutine[Any, Any, tuple[Outcome, AttemptResult, Any]]:
        """Send a request and return its outcome, the attempt result that proves it, and the receipt if there is one.

        Raises a `NotSent` when the request was cancelled before its first byte was sent. A request that is not safe is
        only retried when no part of it can have been accepted.
        """
        loop = asyncio.get_running_loop()
        loop_transport = self._loop_transports.get(loop) or self._open(loop)
        return loop_transport.send_request(request)

    @property
    def access_token(self) -> AccessToken | None:
        """The access token of the running event loop; `None` before there is one."""
        loop_transport = self._loop_transports.get(asyncio.get_running_loop())
        return None if loop_transport is None else loop_transport.tokens.issued

    async def get_access_token(self) -> AccessToken | None:
        """Return the access token, after requesting one if none is valid. Raises a `NotSent`."""
        loop = asyncio.get_running_loop()
        tokens = (self._loop_transports.get(loop) or self._open(loop)).tokens
        await tokens.get()
        return tokens.issued

    def _open(self, loop: asyncio.AbstractEventLoop) -> LoopTransport:
        if loop in self._loop_transports:
            raise ClientClosed(CLOSED)
        self._forget_ended_loops()
        loop_transport = self._loop_transports[loop] = Context().run(LoopTransport, self._config)
        return loop_transport

    def _forget_ended_loops(self) -> None:
        for other in list(self._loop_transports):  # a copy: other threads may change the dict at the same time
            if other.is_closed():
                self._loop_transports.pop(other, None)

    def close(self) -> "list[asyncio.Task[None]]":
        """Refuse requests in the running event loop from now on; return the task that closes its connections."""
        self._forget_ended_loops()
        loop_transport = self._loop_transports.setdefault(asyncio.get_running_loop(), None)
        return [] if loop_transport is None else [loop_transport.close()]

    async def aclose(self) -> None:
        """Close, and wait until the connections of this loop are closed. A cancelled caller leaves at once."""
        await wait_for_tasks(self.close())
