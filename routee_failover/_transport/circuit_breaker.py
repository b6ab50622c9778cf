"""The breaker of one event loop at work: it is told what was seen, and while it is open one probe looks for all."""

import asyncio
from collections.abc import Awaitable, Callable

from ..errors import CircuitOpen, ClientClosed
from ..events import CircuitBreakerChanged, ObserverGroup
from ..outcomes import AttemptResult
from .circuit_state import CircuitState, CircuitStateMachine

Probe = Callable[[], Awaitable[AttemptResult]]


class CircuitBreaker:
    """Lets calls pass as long as Routee is well. `probe` asks it how it is, with a request that changes nothing."""

    def __init__(self, probe: Probe, observers: ObserverGroup) -> None:
        self._probe = probe
        self._observers = observers
        self._loop = asyncio.get_running_loop()
        self._state_machine = CircuitStateMachine()
        self._probe_task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether `opened` has to be asked before a call."""
        return self._state_machine.state is not CircuitState.CLOSED

    def record(self, result: AttemptResult) -> None:
        """Take note of what an attempt showed."""
        if self._state_machine.record(self._loop.time(), result):
            self._emit_change()

    async def ensure_closed(self) -> None:
        """Wait for the probe that decides, where it is time for one.

        Raises `CircuitOpen` while Routee is not well, and `ClientClosed`.
        """
        if self._probe_task is None and self._state_machine.try_start_probe(self._loop.time()):
            self._emit_change()
            self._probe_task = self._loop.create_task(self._run_probe())
        if self._probe_task is not None:
            # The probe belongs to all who wait for it: one who is cancelled does not take it from the others, nor is
            # anybody cancelled with it.
            await asyncio.wait([self._probe_task])
        if self._closed:
            raise ClientClosed("the client was closed while the message waited; nothing was sent")
        if self.is_open:
            rest = self._state_machine.seconds_until_probe(self._loop.time())
            raise CircuitOpen(
                f"Routee is not well ({self._state_machine.reason}): nothing is sent before a probe finds it well again, the "
                f"next one in {rest:.1f} s; this message was not sent"
            )

    async def _run_probe(self) -> None:
        evidence: AttemptResult | None = None
        try:
            evidence = await self._probe()
        finally:
            self._probe_task = None
            self._state_machine.record_probe(self._loop.time(), evidence)
            self._emit_change()

    def _emit_change(self) -> None:
        self._observers.emit(CircuitBreakerChanged(self._state_machine.state, self._state_machine.reason))

    async def aclose(self) -> None:
        """End a probe that is under way."""
        self._closed = True
        if self._probe_task is not None:
            self._probe_task.cancel()
            await asyncio.wait([self._probe_task])
