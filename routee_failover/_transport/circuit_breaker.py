"""Circuit breaker of one event loop: closed, open, half-open.

Retries help a single request; a circuit breaker spares both sides the requests that would fail anyway.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from .._tasks import start_task
from ..errors import CircuitOpen, ClientClosed
from ..events import CircuitBreakerChanged, ObserverGroup
from ..outcomes import AttemptResult

WINDOW_SECONDS = 10
"""Length of the sliding window in seconds, including the current second."""
MIN_CALLS = 20
"""Fewer calls than this in the window never open the circuit: too few to tell an outage from bad luck."""
FAILURE_RATE_THRESHOLD = 0.5
"""Share of the calls in the window that has to fail to open the circuit."""
INITIAL_OPEN_SECONDS = 1.0
"""Seconds from the opening of the circuit to the first probe."""
MAX_OPEN_SECONDS = 30.0
"""Upper bound of that delay in seconds: it doubles with each probe that fails."""
Probe = Callable[[], Awaitable[AttemptResult]]


class CircuitState(StrEnum):
    """State of a circuit breaker. Requests pass only while it is closed."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    """Open, with one probe in flight that closes or reopens the circuit."""


class CircuitStateMachine:
    """State machine without I/O: the caller passes in the time and sends the probe.

    It opens when at least half of a client's attempts cannot reach Routee or get a 5xx; a successful probe closes it.

    ```
            at least 20 calls in 10 s,          after 1 s,
            half of them failed                 doubled by each failed probe
    closed -----------------------------> open ------------------------------> half-open
       ^                                    ^                                   |     |
       |                                    +---------- probe failed -----------+     |
       +-------------------- probe succeeded -----------------------------------------+
    ```

    A response below 500 counts as a success, even a rejection: it is about the request, and shows that Routee is
    reachable. An attempt that may have been sent and got no response counts as neither success nor failure, because
    Routee may have accepted it; nor does one that met a stale pooled connection, because that was open once and says
    nothing about Routee now, or one that failed in this process.

    `reason` says in one line what opened the circuit, or how the last probe failed. An instance belongs to one event
    loop.
    """

    state: CircuitState
    _open_seconds: float

    def __init__(self) -> None:
        self._second = 0
        self._probe_at = 0.0
        self._close()

    def record(self, now: float, result: AttemptResult) -> bool:
        """Count an attempt; return True if it opened the circuit. Only a failure does, never a success.

        Attempts that were in flight when it opened change nothing when they finish: from then on probes decide.
        """
        failed = _failed(result)
        if failed is None or self.state is not CircuitState.CLOSED:
            return False
        second = int(now)
        if second > self._second:
            self._advance_window(second)
        index = second % WINDOW_SECONDS
        self._calls[index] += 1
        if not failed:
            return False
        self._failures[index] += 1
        calls = sum(self._calls)
        if calls < MIN_CALLS or sum(self._failures) < calls * FAILURE_RATE_THRESHOLD:
            return False
        self._open(now, result)
        return True

    def try_start_probe(self, now: float) -> bool:
        """Change from open to half-open if a probe is due; return whether the caller has to send it."""
        if self.state is not CircuitState.OPEN or now < self._probe_at:
            return False
        self.state = CircuitState.HALF_OPEN
        return True

    def record_probe(self, now: float, result: AttemptResult | None) -> None:
        """Apply the result of a probe: a success closes the circuit, a failure opens it again for twice as long.

        None (the probe was cancelled), a stale pooled connection and a failure of this process prove nothing: the next
        probe is due at once. A probe without a response is a failure.
        """
        if result is None or (_failed(result) is None and not result.may_have_been_sent):
            self.state = CircuitState.OPEN
        elif _failed(result) is False:
            self._close()
        else:
            self._open_seconds = min(self._open_seconds * 2, MAX_OPEN_SECONDS)
            self._open(now, result)

    def seconds_until_probe(self, now: float) -> float:
        """Return the seconds until the next probe is due; 0.0 unless the circuit is open."""
        return max(0.0, self._probe_at - now) if self.state is CircuitState.OPEN else 0.0

    def _close(self) -> None:
        self.state = CircuitState.CLOSED
        self.reason = ""
        self._open_seconds = INITIAL_OPEN_SECONDS
        self._calls = [0] * WINDOW_SECONDS
        self._failures = [0] * WINDOW_SECONDS

    def _open(self, now: float, result: AttemptResult) -> None:
        self.state = CircuitState.OPEN
        self.reason = result.summary
        self._probe_at = now + self._open_seconds

    def _advance_window(self, second: int) -> None:
        """Reset the counters of the seconds since the last call: they still hold the counts of one window ago."""
        for second_passed in range(max(self._second + 1, second - WINDOW_SECONDS + 1), second + 1):
            self._calls[second_passed % WINDOW_SECONDS] = self._failures[second_passed % WINDOW_SECONDS] = 0
        self._second = second


def _failed(result: AttemptResult) -> bool | None:
    """Return whether an attempt counts as a failure of Routee; None if it counts as neither failure nor success."""
    if result.response is not None:
        return 500 <= result.response.status < 600
    return None if result.may_have_been_sent or result.stale_connection or result.cause is not None else True


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
            self._probe_task = start_task(self._run_probe())
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
