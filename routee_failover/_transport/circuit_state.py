"""Whether Routee is worth asking at all. Retries mend a call; the breaker spares both sides the calls that would fail.

No I/O happens here and no clock is read: whoever asks says what time it is, and makes the probe.
"""

from enum import StrEnum

from ..outcomes import AttemptResult

WINDOW_SECONDS = 10
"""How many seconds count, the running one among them."""
MIN_CALLS = 20
"""Fewer calls than this within the window open nothing: too few to tell an outage from bad luck."""
FAILURE_RATE_THRESHOLD = 0.5
"""The share of those calls that has to fail."""
INITIAL_OPEN_SECONDS = 1.0
"""How many seconds an open breaker rests before the first probe."""
MAX_OPEN_SECONDS = 30.0
"""What the rest grows to: it doubles with each probe that fails."""


class CircuitState(StrEnum):
    """What a breaker does with calls: it lets them through only while it is closed."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "probing"
    """Open, and one probe is under way that decides."""


class CircuitStateMachine:
    """Opens when most of what a client asks fails to reach Routee or meets 5xx; a good probe closes it.

    An answer below 500 counts as good, also one that refuses: a refusal is about what was asked, and shows that Routee
    is there. An attempt that had no answer counts as neither, because it may have been taken; nor does one that met a
    dead connection of the pool, because that was alive once and says nothing about now.

    `cause` says what opened it, or what was wrong with the last probe, in one line. It belongs to one event loop.
    """

    __slots__ = ("_calls", "_failures", "_probe_at", "_open_seconds", "_second", "reason", "state")

    state: CircuitState
    reason: str
    _open_seconds: float

    def __init__(self) -> None:
        self._second = 0
        self._probe_at = 0.0
        self._close()

    def record(self, now: float, result: AttemptResult) -> bool:
        """Count an attempt; True if it opened the breaker. Only a failure does that, never a good answer.

        What was under way when it opened and ends later changes nothing: from then on probes decide.
        """
        failed = _failed(result)
        if failed is None or self.state is not CircuitState.CLOSED:
            return False
        second = int(now)
        if second > self._second:
            self._forget_until(second)
        place = second % WINDOW_SECONDS
        self._calls[place] += 1
        if not failed:
            return False
        self._failures[place] += 1
        calls = sum(self._calls)
        if calls < MIN_CALLS or sum(self._failures) < calls * FAILURE_RATE_THRESHOLD:
            return False
        self._open(now, result)
        return True

    def try_start_probe(self, now: float) -> bool:
        """Whether the caller is the one to make the probe: the rest is over and nobody else is at it.

        Whoever is told True makes it, a GET that changes nothing and never a send, and reports it to `probed`.
        """
        if self.state is not CircuitState.OPEN or now < self._probe_at:
            return False
        self.state = CircuitState.HALF_OPEN
        return True

    def record_probe(self, now: float, result: AttemptResult | None) -> None:
        """Take the result of a probe: a good one closes the breaker, a bad one opens it again for twice as long.

        None, for a probe that was cancelled, and a dead connection of the pool prove nothing: the next may probe at
        once. No answer at all is bad, since a probe has nothing else to show.
        """
        if result is None or result.stale_connection:
            self.state = CircuitState.OPEN
        elif _failed(result) is False:
            self._close()
        else:
            self._open_seconds = min(self._open_seconds * 2, MAX_OPEN_SECONDS)
            self._open(now, result)

    def seconds_until_probe(self, now: float) -> float:
        """How many seconds it is until a probe may be made; 0.0 where nothing is waited for."""
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

    def _forget_until(self, second: int) -> None:
        """Empty the places of the seconds since the last count: they still hold what was there a window ago."""
        for passed in range(max(self._second + 1, second - WINDOW_SECONDS + 1), second + 1):
            self._calls[passed % WINDOW_SECONDS] = self._failures[passed % WINDOW_SECONDS] = 0
        self._second = second


def _failed(evidence: AttemptResult) -> bool | None:
    """Whether an attempt shows that Routee is not well; None where it shows neither that nor the contrary."""
    if evidence.response is not None:
        return 500 <= evidence.response.status < 600
    return None if evidence.may_have_been_sent or evidence.stale_connection else True
