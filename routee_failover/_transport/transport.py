"""The transport of a client: calls from any event loop, each with connections and a token of its own."""

import asyncio
from collections.abc import Coroutine
from typing import Any
from weakref import WeakSet

from ..config import Config
from ..errors import ClientClosed, Outcome
from ..outcomes import AttemptResult
from .attempt import ApiRequest
from .loop_transport import LoopTransport


class Transport:
    """Makes calls. It may be made where no event loop runs."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop_transports: dict[asyncio.AbstractEventLoop, LoopTransport] = {}
        self._closed_in: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def reopen(self) -> None:
        """Take calls again in this loop, after it was closed here."""
        loop = asyncio.get_running_loop()
        if loop in self._closed_in:
            self._closed_in.discard(loop)
            self._loop_transports.pop(loop, None)

    def send_request(self, request: ApiRequest) -> Coroutine[Any, Any, tuple[Outcome, AttemptResult]]:
        """Make a call and say what it proved, and by what.

        Raises a `NotSent` for what was ended before its first byte could leave. A call that is not safe is tried again
        only where nothing of it can have been accepted.
        """
        loop = asyncio.get_running_loop()
        line = self._loop_transports.get(loop)
        if line is None or loop in self._closed_in:
            line = self._open(loop)
        return line.send_request(request)

    def _open(self, loop: asyncio.AbstractEventLoop) -> LoopTransport:
        if loop in self._closed_in:
            raise ClientClosed("the client is closed in this event loop; nothing was sent")
        for other in list(self._loop_transports):  # other threads may be at this as well
            if other.is_closed():
                self._loop_transports.pop(other, None)
        line = self._loop_transports[loop] = LoopTransport(self._config)
        return line

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of other loops close when their loops end."""
        loop = asyncio.get_running_loop()
        self._closed_in.add(loop)
        line = self._loop_transports.get(loop)
        if line is not None:
            await line.aclose()
