"""The breaker of one event loop at work: it is told what was seen, and while it is open one probe looks for all."""

import asyncio
from collections.abc import Awaitable, Callable

from ..errors import CircuitOpen, ClientClosed
from ..events import CircuitBreakerChanged, ObserverGroup
from ..outcomes import AttemptResult
from .breaker import Breaker, State

Probe = Callable[[], Awaitable[AttemptResult]]


class Gate:
    """Lets calls pass as long as Routee is well. `probe` asks it how it is, with a request that changes nothing."""

    def __init__(self, probe: Probe, observers: ObserverGroup) -> None:
        self._probe = probe
        self._observers = observers
        self._loop = asyncio.get_running_loop()
        self._breaker = Breaker()
        self._probing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def shut(self) -> bool:
        """Whether `opened` has to be asked before a call."""
        return self._breaker.state is not State.CLOSED

    def note(self, evidence: AttemptResult) -> None:
        """Take note of what an attempt showed."""
        if self._breaker.note(self._loop.time(), evidence):
            self._tell()

    async def opened(self) -> None:
        """Wait for the probe that decides, where it is time for one.

        Raises `CircuitOpen` while Routee is not well, and `ClientClosed`.
        """
        if self._probing is None and self._breaker.take_probe(self._loop.time()):
            self._tell()
            self._probing = self._loop.create_task(self._look())
        if self._probing is not None:
            # The probe belongs to all who wait for it: one who is cancelled does not take it from the others, nor is
            # anybody cancelled with it.
            await asyncio.wait([self._probing])
        if self._closed:
            raise ClientClosed("the client was closed while the message waited; nothing was sent")
        if self.shut:
            rest = self._breaker.rest_left(self._loop.time())
            raise CircuitOpen(
                f"Routee is not well ({self._breaker.cause}): nothing is sent before a probe finds it well again, the "
                f"next one in {rest:.1f} s; this message was not sent"
            )

    async def _look(self) -> None:
        evidence: AttemptResult | None = None
        try:
            evidence = await self._probe()
        finally:
            self._probing = None
            self._breaker.probed(self._loop.time(), evidence)
            self._tell()

    def _tell(self) -> None:
        self._observers.emit(CircuitBreakerChanged(self._breaker.state, self._breaker.cause))

    async def aclose(self) -> None:
        """End a probe that is under way."""
        self._closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
