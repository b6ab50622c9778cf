"""Circuit breaker of one event loop: it records attempt results, and while it is open, one shared probe tests Routee.

The state machine itself is in `circuit_state_machine.py`, without I/O.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ..errors import CircuitOpen, ClientClosed
from ..events import CircuitBreakerChanged, ObserverGroup
from ..outcomes import AttemptResult
from .circuit_state_machine import CircuitState, CircuitStateMachine

Probe = Callable[[], Awaitable[AttemptResult]]


class CircuitBreaker:
    """Circuit breaker: during an outage of Routee requests fail at once, and nothing of them is sent.

    `probe` sends a request that changes nothing at Routee, to find out whether the outage is over.
    """

    def __init__(self, probe: Probe, observers: ObserverGroup) -> None:
        self._probe = probe
        self._observers = observers
        self._loop = asyncio.get_running_loop()
        self._state_machine = CircuitStateMachine()
        self._probe_task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open or half-open, so that `ensure_closed` has to be awaited before a request."""
        return self._state_machine.state is not CircuitState.CLOSED

    def record(self, result: AttemptResult) -> None:
        """Record the result of an attempt; failures may open the circuit."""
        if self._state_machine.record(self._loop.time(), result):
            self._emit_change()

    async def ensure_closed(self) -> None:
        """Return once the circuit is closed: start the probe if it is due, and wait for it if one is in flight.

        Raises `CircuitOpen` if the circuit stays open, and `ClientClosed`.
        """
        # 1. Start the probe if it is due and none is in flight.
        if self._probe_task is None and self._state_machine.try_start_probe(self._loop.time()):
            self._emit_change()
            # Not by the task factory of the loop, which may start tasks eagerly: one that fails without a wait would
            # be over before it is assigned here, and be taken for one in flight from then on.
            self._probe_task = asyncio.Task(self._run_probe(), loop=self._loop)
        if self._probe_task is not None:
            # 2. Wait for the probe. It is shared: cancelling one waiter does not cancel the probe, and cancelling the
            # probe does not cancel its waiters.
            await asyncio.wait([self._probe_task])
        # 3. Raise unless the probe closed the circuit.
        if self._closed:
            raise ClientClosed("the client was closed while the message waited; nothing was sent")
        if self.is_open:
            seconds = self._state_machine.seconds_until_probe(self._loop.time())
            raise CircuitOpen(
                f"the circuit breaker is open because Routee is failing ({self._state_machine.reason}): nothing is "
                f"sent until a probe succeeds, the next one in {seconds:.1f} s; this message was not sent"
            )

    async def _run_probe(self) -> None:
        result: AttemptResult | None = None
        try:
            result = await self._probe()
        finally:
            self._probe_task = None
            self._state_machine.record_probe(self._loop.time(), result)
            self._emit_change()

    def _emit_change(self) -> None:
        self._observers.emit(CircuitBreakerChanged(self._state_machine.state, self._state_machine.reason))

    async def aclose(self) -> None:
        """Cancel the probe if one is in flight; `ensure_closed` raises `ClientClosed` from now on."""
        self._closed = True
        if self._probe_task is not None:
            self._probe_task.cancel()
            await asyncio.wait([self._probe_task])
