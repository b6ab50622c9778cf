"""Request class of a custom session: its middlewares may delay, change and repeat a request; it is sent at most once.

It is separate from `TrackedRequest`, so that only clients with a `session_factory` pay for it.
"""

from typing import Any

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from .attempt import Attempt, AttemptCancelled, TrackedRequest, current_attempt
from .failure_reasons import NothingWritten, SafeMessageError


class CustomSessionRequest(TrackedRequest):
    """A request that belongs to the attempt in whose context it was created, whichever task sends it."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        attempt = self._created_in = current_attempt.get(None)
        if attempt is None:
            return
        # The first request of an attempt carries its message, and so does any later one to the same target. Others do
        # not: a middleware may request a token of its own, for example.
        target = (self.method, self.original_url)
        if attempt.target is None:
            attempt.target = target
        if attempt.target == target:
            self._attempt = attempt

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send, unless the attempt has finished or its message has been sent before."""
        created_in, attempt = self._created_in, self._attempt
        if created_in is not None and created_in.finished:
            raise AttemptCancelled
        if attempt is None:
            if created_in is not None:
                created_in.may_have_been_sent = True  # this request may have carried the message
            return await super(TrackedRequest, self).send(conn)
        return await self._send_once(attempt, conn)

    async def _send_once(self, attempt: Attempt, conn: Connection) -> aiohttp.ClientResponse:
        if attempt.dispatched:
            raise SafeMessageError("a middleware of session_factory tried to send the message twice")
        attempt.dispatched = self.method != "GET"  # a GET may be repeated
        try:
            return await super().send(conn)
        except (NothingWritten, AttemptCancelled):
            attempt.dispatched = False  # nothing was written
            raise

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write head and body, unless the attempt has finished."""
        if self._created_in is not None and self._created_in.finished:
            conn.close()
            return
        await super().write_bytes(writer, conn, content_length)
