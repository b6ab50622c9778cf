"""State machine of the circuit breaker: when it opens, when it probes, and when it closes."""

import math
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routee_failover._transport.circuit_breaker import CircuitState, CircuitStateMachine
from routee_failover.outcomes import AttemptResult, Response

NOT_CONNECTED = AttemptResult(may_have_been_sent=False, reason="no connection to routee:443 could be made")
NO_RESPONSE = AttemptResult(may_have_been_sent=True, reason="no response within total_timeout")
STALE = AttemptResult(
    may_have_been_sent=False, reason="the pooled connection had been closed by the server", stale_connection=True
)
NOW = 1_000.0


def _response(status: int) -> AttemptResult:
    return AttemptResult(may_have_been_sent=True, response=Response(status, b""))


GOOD = _response(200)


def _record(breaker: CircuitStateMachine, result: AttemptResult, times: int, now: float = NOW) -> list[bool]:
    return [breaker.record(now, result) for _ in range(times)]


def _open_circuit(now: float = NOW) -> CircuitStateMachine:
    breaker = CircuitStateMachine()
    assert _record(breaker, NOT_CONNECTED, 20, now)[-1]
    return breaker


def _half_open_circuit(now: float = NOW) -> CircuitStateMachine:
    breaker = _open_circuit(now - 1)
    assert breaker.try_start_probe(now)
    return breaker


def test_circuit_starts_closed() -> None:
    """Before any attempt, every request passes without a wait, and no probe is due."""
    breaker = CircuitStateMachine()
    assert breaker.state is CircuitState.CLOSED
    assert breaker.reason == ""
    assert breaker.seconds_until_probe(0.0) == 0.0
    assert not breaker.try_start_probe(0.0)
    assert not breaker.try_start_probe(math.inf)


def test_state_values_are_closed_open_and_half_open() -> None:
    """The values of the states are those in the events for observers."""
    assert [*CircuitState] == ["closed", "open", "half-open"]


@pytest.mark.parametrize("bad", [NOT_CONNECTED, _response(500), _response(503), _response(599)], ids=str)
def test_twenty_failures_open_the_circuit_and_nineteen_do_not(bad: AttemptResult) -> None:
    """No connection and 5xx are failures; `record` returns True for the one that opened the circuit."""
    breaker = CircuitStateMachine()
    assert _record(breaker, bad, 19) == [False] * 19
    assert breaker.record(NOW, bad) is True
    assert breaker.state is CircuitState.OPEN


@pytest.mark.parametrize(("good", "opens"), [(20, True), (21, False), (199, False)])
def test_circuit_opens_if_half_of_the_calls_fail(good: int, opens: bool) -> None:
    """20 failures and 20 successes open it, 20 failures and 21 successes do not."""
    breaker = CircuitStateMachine()
    _record(breaker, GOOD, good)
    assert any(_record(breaker, NOT_CONNECTED, 20)) is opens


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 422, 429, 499, 600])
def test_any_response_but_5xx_counts_as_success(status: int) -> None:
    """A rejection shows that Routee is reachable: 4xx opens nothing, and counts like a success."""
    breaker = CircuitStateMachine()
    assert not any(_record(breaker, _response(status), 200))
    assert not any(_record(breaker, NOT_CONNECTED, 199))
    assert breaker.record(NOW, NOT_CONNECTED)


@pytest.mark.parametrize("neither", [NO_RESPONSE, STALE], ids=str)
def test_missing_response_and_stale_connection_count_as_neither(neither: AttemptResult) -> None:
    """They neither open the circuit nor keep it closed, and do not count towards the minimum of calls."""
    breaker = CircuitStateMachine()
    assert not any(_record(breaker, neither, 500))
    assert not any(_record(breaker, NOT_CONNECTED, 19))
    assert not any(_record(breaker, neither, 500))
    assert breaker.record(NOW, NOT_CONNECTED)


def test_success_never_opens_the_circuit() -> None:
    """19 failures and a success are 20 calls that mostly failed, but only the next failure opens the circuit."""
    breaker = CircuitStateMachine()
    _record(breaker, NOT_CONNECTED, 19)
    assert not breaker.record(NOW, GOOD)
    assert breaker.record(NOW, NOT_CONNECTED)


@pytest.mark.parametrize(("later", "opens"), [(0.0, True), (1.0, True), (9.0, True), (9.9, True), (10.0, False)])
@pytest.mark.parametrize("start", [0.0, 5.0, 1_003.0])
def test_failures_count_for_ten_seconds(start: float, later: float, opens: bool) -> None:
    """The current second and the nine before it count."""
    breaker = CircuitStateMachine()
    _record(breaker, NOT_CONNECTED, 19, start)
    assert breaker.record(start + later, NOT_CONNECTED) is opens


@pytest.mark.parametrize("later", [10.0, 11.0, 15.0, 19.0, 20.0, 1e6])
def test_counters_are_reset_after_ten_seconds_without_calls(later: float) -> None:
    """All calls before a pause of at least ten seconds are forgotten, however long the pause was."""
    breaker = CircuitStateMachine()
    for second in range(10):
        _record(breaker, NOT_CONNECTED, 1, second)
        _record(breaker, GOOD, 9, second)
    assert not any(_record(breaker, NOT_CONNECTED, 19, 9 + later))
    assert breaker.record(9 + later, NOT_CONNECTED)


def test_old_successes_do_not_keep_the_circuit_closed() -> None:
    """An hour of successes does not keep the circuit closed in the outage that follows."""
    breaker = CircuitStateMachine()
    for second in range(3_600):
        _record(breaker, GOOD, 3, second)
    assert [breaker.record(3_600.0 + n / 10, NOT_CONNECTED) for n in range(200)].index(True) < 50


def test_reason_is_that_of_the_last_failure() -> None:
    """The reason of the failure that opened the circuit or of the last failed probe, or the status of its response."""
    assert _open_circuit().reason == NOT_CONNECTED.reason
    breaker = CircuitStateMachine()
    _record(breaker, NOT_CONNECTED, 19)
    breaker.record(NOW, _response(502))
    assert breaker.reason == "Routee answered 502"
    breaker.try_start_probe(NOW + 1)
    assert breaker.reason == "Routee answered 502"
    breaker.record_probe(NOW + 1, NO_RESPONSE)
    assert breaker.reason == NO_RESPONSE.reason


def test_first_probe_is_due_one_second_after_opening() -> None:
    """No probe starts before the first second is over, and the remaining time is available."""
    breaker = _open_circuit()
    assert breaker.seconds_until_probe(NOW) == 1.0
    assert breaker.seconds_until_probe(NOW + 0.75) == 0.25
    assert not breaker.try_start_probe(NOW + 0.999)
    assert breaker.seconds_until_probe(NOW + 1) == 0.0
    assert breaker.seconds_until_probe(NOW + 5) == 0.0
    assert breaker.try_start_probe(NOW + 1)
    assert breaker.state is CircuitState.HALF_OPEN


def test_only_one_probe_is_in_flight() -> None:
    """While a probe is in flight no other one starts, however long it takes."""
    breaker = _half_open_circuit()
    assert not breaker.try_start_probe(NOW)
    assert not breaker.try_start_probe(NOW + 100)
    assert breaker.seconds_until_probe(NOW - 100) == 0.0


@pytest.mark.parametrize("status", [200, 204, 401, 404, 429])
def test_successful_probe_closes_the_circuit_and_resets_it(status: int) -> None:
    """Any response below 500 shows that Routee is reachable: the initial state is restored."""
    breaker = _half_open_circuit()
    breaker.record_probe(NOW, _response(status))
    assert breaker.state is CircuitState.CLOSED
    assert breaker.reason == ""
    assert breaker.seconds_until_probe(NOW) == 0.0
    assert not any(_record(breaker, NOT_CONNECTED, 19))
    assert breaker.record(NOW, NOT_CONNECTED)
    assert breaker.seconds_until_probe(NOW) == 1.0


@pytest.mark.parametrize("bad", [NOT_CONNECTED, NO_RESPONSE, _response(500), _response(503)], ids=str)
def test_each_failed_probe_doubles_the_open_time_up_to_30_seconds(bad: AttemptResult) -> None:
    """No connection, no response and 5xx: 2, 4, 8, 16 and then always 30 seconds; a successful probe resets it to 1."""
    breaker, now = _half_open_circuit(), NOW
    open_times = []
    for _ in range(7):
        breaker.record_probe(now, bad)
        assert breaker.state is CircuitState.OPEN
        open_times.append(breaker.seconds_until_probe(now))
        assert not breaker.try_start_probe(now + open_times[-1] - 0.001)
        now += open_times[-1]
        assert breaker.try_start_probe(now)
    assert open_times == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    breaker.record_probe(now, GOOD)
    _record(breaker, NOT_CONNECTED, 20, now)
    assert breaker.seconds_until_probe(now) == 1.0


@pytest.mark.parametrize("inconclusive", [None, STALE], ids=str)
def test_inconclusive_probe_is_repeated_at_once(inconclusive: AttemptResult | None) -> None:
    """After a cancelled probe or a stale pooled connection the next probe is due now, and the open time stays."""
    breaker = _half_open_circuit()
    breaker.record_probe(NOW, inconclusive)
    assert breaker.state is CircuitState.OPEN
    assert breaker.reason == NOT_CONNECTED.reason
    assert breaker.seconds_until_probe(NOW) == 0.0
    assert breaker.try_start_probe(NOW)
    breaker.record_probe(NOW, NOT_CONNECTED)
    assert breaker.seconds_until_probe(NOW) == 2.0


@pytest.mark.parametrize("result", [NOT_CONNECTED, GOOD, _response(500)], ids=str)
@pytest.mark.parametrize("make_breaker", [_open_circuit, _half_open_circuit])
def test_attempts_that_finish_while_open_change_nothing(
    make_breaker: Callable[[float], CircuitStateMachine], result: AttemptResult
) -> None:
    """Attempts in flight when the circuit opened neither open it again, nor delay the probe, nor count afterwards."""
    breaker = make_breaker(NOW)
    state, seconds = breaker.state, breaker.seconds_until_probe(NOW)
    assert not any(_record(breaker, result, 100))
    assert (breaker.state, breaker.seconds_until_probe(NOW), breaker.reason) == (state, seconds, NOT_CONNECTED.reason)
    breaker.try_start_probe(NOW + 1)
    breaker.record_probe(NOW + 1, GOOD)
    assert not any(_record(breaker, NOT_CONNECTED, 19, NOW + 1))
    assert breaker.record(NOW + 1, NOT_CONNECTED)


_results = st.one_of(
    st.sampled_from([NOT_CONNECTED, NOT_CONNECTED, NO_RESPONSE, STALE]), st.integers(100, 650).map(_response)
)
_steps = st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.0, 2.5, 9.0, 10.0, 31.0])


@given(seen=st.lists(st.tuples(_steps, st.integers(100, 499).map(_response) | st.sampled_from([NO_RESPONSE, STALE]))))
def test_results_without_failures_never_open_the_circuit(seen: list[tuple[float, AttemptResult]]) -> None:
    """However many rejections arrive, and however fast, the circuit stays closed."""
    breaker, now = CircuitStateMachine(), NOW
    for step, result in seen * 20:
        now += step
        assert not breaker.record(now, result)
    assert breaker.state is CircuitState.CLOSED


class _CircuitMachine(RuleBasedStateMachine):
    """Compares the state machine with a model that remembers every call and counts them each time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitStateMachine()
        self.now = NOW
        self.seen: list[tuple[int, bool]] = []
        self.open_times: Iterator[float] = iter(())

    @rule(step=_steps)
    def pass_time(self, step: float) -> None:
        """Let time pass."""
        self.now += step

    @precondition(lambda self: self.breaker.state is CircuitState.CLOSED)
    @rule(result=_results, times=st.integers(1, 15))
    def record_while_closed(self, result: AttemptResult, times: int) -> None:
        """It opens only on a failure, when half of at least 20 calls in ten seconds have failed."""
        status = result.response.status if result.response else None
        failed = result is NOT_CONNECTED or (status is not None and 500 <= status < 600)
        for _ in range(times):
            if result not in {NO_RESPONSE, STALE}:
                self.seen.append((math.floor(self.now), failed))
            counted = [bad for second, bad in self.seen if math.floor(self.now) - second < 10]
            opens = failed and len(counted) >= 20 and 2 * sum(counted) >= len(counted)
            assert self.breaker.record(self.now, result) is opens
            if opens:
                self.open_times = iter([1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 1_000])
                self.expect_open()
                break

    @precondition(lambda self: self.breaker.state is not CircuitState.CLOSED)
    @rule(result=_results)
    def record_while_not_closed(self, result: AttemptResult) -> None:
        """While it is not closed, only a probe changes it."""
        before = self.breaker.state
        assert not self.breaker.record(self.now, result)
        assert self.breaker.state is before

    @precondition(lambda self: self.breaker.state is CircuitState.OPEN)
    @rule()
    def wait_and_start_probe(self) -> None:
        """When the open time is over, one caller gets the probe."""
        wait = self.breaker.seconds_until_probe(self.now)
        assert self.breaker.try_start_probe(self.now) is (wait == 0)
        self.now += wait + 0.001
        if wait:
            assert self.breaker.try_start_probe(self.now)
        assert not self.breaker.try_start_probe(self.now)

    @precondition(lambda self: self.breaker.state is CircuitState.HALF_OPEN)
    @rule(bad=st.sampled_from([NOT_CONNECTED, NO_RESPONSE, _response(503)]))
    def fail_probe(self, bad: AttemptResult) -> None:
        """A failed probe opens it again, for longer."""
        self.breaker.record_probe(self.now, bad)
        self.expect_open()

    @precondition(lambda self: self.breaker.state is CircuitState.HALF_OPEN)
    @rule(status=st.integers(100, 499))
    def pass_probe(self, status: int) -> None:
        """A successful probe always closes it and resets the counters."""
        self.breaker.record_probe(self.now, _response(status))
        assert self.breaker.state is CircuitState.CLOSED
        self.seen.clear()

    def expect_open(self) -> None:
        """It is open for the next of the expected times."""
        assert self.breaker.state is CircuitState.OPEN
        assert self.breaker.seconds_until_probe(self.now) == pytest.approx(next(self.open_times))

    @invariant()
    def has_a_reason_while_not_closed(self) -> None:
        """There is a reason if and only if it is not closed."""
        assert bool(self.breaker.reason) is (self.breaker.state is not CircuitState.CLOSED)


TestCircuitStateMachine = _CircuitMachine.TestCase
