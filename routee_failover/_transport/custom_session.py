"""The request of a session of one's own: middlewares may hold it back, change it and try again, and send it once.

It stands apart from `TrackedRequest` because only whoever brings a session needs it, and pays for it.
"""

from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from .attempt import Attempt, AttemptCancelled, TrackedRequest, current_attempt
from .failure_reasons import NothingWritten, SafeMessageError


class CustomSessionRequest(TrackedRequest):
    """A request that belongs to the exchange that it was made in, in whichever task it is sent."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        exchange = self._made_in = current_attempt.get(None)
        if exchange is None:
            return
        # The first request of an exchange is its message. One like it is the message once more; any other is none of
        # it: a middleware may ask for a token of its own.
        aim = (self.method, self.original_url)
        if exchange.target is None:
            exchange.target = aim
        if exchange.target == aim:
            self._attempt = exchange

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send, unless the exchange is over, or its message has been sent before."""
        made_in, exchange = self._made_in, self._attempt
        if made_in is not None and made_in.finished:
            raise AttemptCancelled
        if exchange is None:
            if made_in is not None:
                made_in.may_have_been_sent = True  # it cannot be told whether this held the message
            return await super(TrackedRequest, self).send(conn)
        return await self._send_once(exchange, conn)

    async def _send_once(self, exchange: Attempt, conn: Connection) -> aiohttp.ClientResponse:
        if exchange.dispatched:
            raise SafeMessageError("a middleware of session_factory tried to send the message twice")
        exchange.dispatched = self.method != "GET"  # a question may be asked again
        try:
            return await super().send(conn)
        except (NothingWritten, AttemptCancelled):
            exchange.dispatched = False  # nothing was written
            raise

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write head and body, unless the exchange is over."""
        if self._made_in is not None and self._made_in.finished:
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)
