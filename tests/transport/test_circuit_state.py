"""When the client stops asking Routee, and when it asks again."""

import math
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from routee_failover._transport.circuit_state import CircuitState, CircuitStateMachine
from routee_failover.outcomes import AttemptResult, Response

UNREACHED = AttemptResult(may_have_been_sent=False, reason="no connection to routee:443 could be made")
UNANSWERED = AttemptResult(may_have_been_sent=True, reason="no response within total_timeout")
STALE = AttemptResult(
    may_have_been_sent=False, reason="the pooled connection had been closed by the server", stale_connection=True
)
NOW = 1_000.0


def _answered(status: int) -> AttemptResult:
    return AttemptResult(may_have_been_sent=True, response=Response(status, b""))


GOOD = _answered(200)


def _noted(breaker: CircuitStateMachine, evidence: AttemptResult, times: int, now: float = NOW) -> list[bool]:
    return [breaker.record(now, evidence) for _ in range(times)]


def _opened(now: float = NOW) -> CircuitStateMachine:
    breaker = CircuitStateMachine()
    assert _noted(breaker, UNREACHED, 20, now)[-1]
    return breaker


def _probing(now: float = NOW) -> CircuitStateMachine:
    breaker = _opened(now - 1)
    assert breaker.try_start_probe(now)
    return breaker


def test_a_breaker_starts_closed() -> None:
    """A client that has seen nothing lets everything through, waits for nothing and makes no probe."""
    breaker = CircuitStateMachine()
    assert breaker.state is CircuitState.CLOSED
    assert breaker.reason == ""
    assert breaker.seconds_until_probe(0.0) == 0.0
    assert not breaker.try_start_probe(0.0)
    assert not breaker.try_start_probe(math.inf)


def test_its_states_are_named_for_a_log() -> None:
    """The names of the states are those that observers are told."""
    assert [*CircuitState] == ["closed", "open", "half-open"]


@pytest.mark.parametrize("bad", [UNREACHED, _answered(500), _answered(503), _answered(599)], ids=str)
def test_twenty_failures_open_it_and_nineteen_do_not(bad: AttemptResult) -> None:
    """No connection and 5xx are failures; `note` says which of them opened it."""
    breaker = CircuitStateMachine()
    assert _noted(breaker, bad, 19) == [False] * 19
    assert breaker.record(NOW, bad) is True
    assert breaker.state is CircuitState.OPEN


@pytest.mark.parametrize(("good", "opens"), [(20, True), (21, False), (199, False)])
def test_half_of_the_calls_have_to_fail(good: int, opens: bool) -> None:
    """20 failures beside 20 good answers open it, beside 21 they do not."""
    breaker = CircuitStateMachine()
    _noted(breaker, GOOD, good)
    assert any(_noted(breaker, UNREACHED, 20)) is opens


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 422, 429, 499, 600])
def test_any_other_answer_counts_as_good(status: int) -> None:
    """A refusal shows that Routee is there: 4xx opens nothing, and weighs against failures as a success does."""
    breaker = CircuitStateMachine()
    assert not any(_noted(breaker, _answered(status), 200))
    assert not any(_noted(breaker, UNREACHED, 199))
    assert breaker.record(NOW, UNREACHED)


@pytest.mark.parametrize("neither", [UNANSWERED, STALE], ids=str)
def test_what_says_nothing_about_routee_counts_as_neither(neither: AttemptResult) -> None:
    """No answer, and a dead connection of the pool, open nothing, keep nothing closed and count for no minimum."""
    breaker = CircuitStateMachine()
    assert not any(_noted(breaker, neither, 500))
    assert not any(_noted(breaker, UNREACHED, 19))
    assert not any(_noted(breaker, neither, 500))
    assert breaker.record(NOW, UNREACHED)


def test_a_good_answer_never_opens_it() -> None:
    """19 failures and a good answer are 20 calls that mostly failed, yet only the next failure opens."""
    breaker = CircuitStateMachine()
    _noted(breaker, UNREACHED, 19)
    assert not breaker.record(NOW, GOOD)
    assert breaker.record(NOW, UNREACHED)


@pytest.mark.parametrize(("later", "opens"), [(0.0, True), (1.0, True), (9.0, True), (9.9, True), (10.0, False)])
@pytest.mark.parametrize("start", [0.0, 5.0, 1_003.0])
def test_failures_count_for_ten_seconds(start: float, later: float, opens: bool) -> None:
    """The running second and the nine before it count, and no more."""
    breaker = CircuitStateMachine()
    _noted(breaker, UNREACHED, 19, start)
    assert breaker.record(start + later, UNREACHED) is opens


@pytest.mark.parametrize("later", [10.0, 11.0, 15.0, 19.0, 20.0, 1e6])
def test_after_a_long_silence_nothing_counts(later: float) -> None:
    """Whatever was seen before a silence of ten seconds is forgotten, however long it lasted."""
    breaker = CircuitStateMachine()
    for second in range(10):
        _noted(breaker, UNREACHED, 1, second)
        _noted(breaker, GOOD, 9, second)
    assert not any(_noted(breaker, UNREACHED, 19, 9 + later))
    assert breaker.record(9 + later, UNREACHED)


def test_good_answers_are_forgotten_too() -> None:
    """An hour of good answers does not keep the breaker closed in the outage that follows."""
    breaker = CircuitStateMachine()
    for second in range(3_600):
        _noted(breaker, GOOD, 3, second)
    assert [breaker.record(3_600.0 + n / 10, UNREACHED) for n in range(200)].index(True) < 50


def test_the_cause_is_what_was_seen_last() -> None:
    """The cause of the failure that opened it, or the status that Routee answered."""
    assert _opened().reason == UNREACHED.reason
    breaker = CircuitStateMachine()
    _noted(breaker, UNREACHED, 19)
    breaker.record(NOW, _answered(502))
    assert breaker.reason == "Routee answered 502"
    breaker.try_start_probe(NOW + 1)
    assert breaker.reason == "Routee answered 502"
    breaker.record_probe(NOW + 1, UNANSWERED)
    assert breaker.reason == UNANSWERED.reason


def test_an_open_breaker_rests_for_a_second() -> None:
    """No probe may be made before the first second is over, and whoever asks hears how long that is."""
    breaker = _opened()
    assert breaker.seconds_until_probe(NOW) == 1.0
    assert breaker.seconds_until_probe(NOW + 0.75) == 0.25
    assert not breaker.try_start_probe(NOW + 0.999)
    assert breaker.seconds_until_probe(NOW + 1) == 0.0
    assert breaker.seconds_until_probe(NOW + 5) == 0.0
    assert breaker.try_start_probe(NOW + 1)
    assert breaker.state is CircuitState.HALF_OPEN


def test_one_probe_is_made_at_a_time() -> None:
    """While a probe is under way, nobody else is told to make one, however long it takes."""
    breaker = _probing()
    assert not breaker.try_start_probe(NOW)
    assert not breaker.try_start_probe(NOW + 100)
    assert breaker.seconds_until_probe(NOW - 100) == 0.0


@pytest.mark.parametrize("status", [200, 204, 401, 404, 429])
def test_a_good_probe_closes_it(status: int) -> None:
    """Any answer below 500 shows that Routee is there: all is as it was at the start."""
    breaker = _probing()
    breaker.record_probe(NOW, _answered(status))
    assert breaker.state is CircuitState.CLOSED
    assert breaker.reason == ""
    assert breaker.seconds_until_probe(NOW) == 0.0
    assert not any(_noted(breaker, UNREACHED, 19))
    assert breaker.record(NOW, UNREACHED)
    assert breaker.seconds_until_probe(NOW) == 1.0


@pytest.mark.parametrize("bad", [UNREACHED, UNANSWERED, _answered(500), _answered(503)], ids=str)
def test_the_rest_doubles_with_each_bad_probe(bad: AttemptResult) -> None:
    """No connection, no answer and 5xx: 2, 4, 8, 16 and then always 30 seconds; a good probe makes it 1 again."""
    breaker, now = _probing(), NOW
    rests = []
    for _ in range(7):
        breaker.record_probe(now, bad)
        assert breaker.state is CircuitState.OPEN
        rests.append(breaker.seconds_until_probe(now))
        assert not breaker.try_start_probe(now + rests[-1] - 0.001)
        now += rests[-1]
        assert breaker.try_start_probe(now)
    assert rests == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    breaker.record_probe(now, GOOD)
    _noted(breaker, UNREACHED, 20, now)
    assert breaker.seconds_until_probe(now) == 1.0


@pytest.mark.parametrize("nothing", [None, STALE], ids=str)
def test_a_probe_that_proved_nothing_is_made_again_at_once(nothing: AttemptResult | None) -> None:
    """A cancelled probe, and a dead connection of the pool: the next may probe now, and the rest is no longer."""
    breaker = _probing()
    breaker.record_probe(NOW, nothing)
    assert breaker.state is CircuitState.OPEN
    assert breaker.reason == UNREACHED.reason
    assert breaker.seconds_until_probe(NOW) == 0.0
    assert breaker.try_start_probe(NOW)
    breaker.record_probe(NOW, UNREACHED)
    assert breaker.seconds_until_probe(NOW) == 2.0


@pytest.mark.parametrize("evidence", [UNREACHED, GOOD, _answered(500)], ids=str)
@pytest.mark.parametrize("make", [_opened, _probing])
def test_what_ends_while_it_is_open_changes_nothing(
    make: Callable[[float], CircuitStateMachine], evidence: AttemptResult
) -> None:
    """Attempts that were under way when it opened do not open it again, put off the probe, or count afterwards."""
    breaker = make(NOW)
    state, rest = breaker.state, breaker.seconds_until_probe(NOW)
    assert not any(_noted(breaker, evidence, 100))
    assert (breaker.state, breaker.seconds_until_probe(NOW), breaker.reason) == (state, rest, UNREACHED.reason)
    breaker.try_start_probe(NOW + 1)
    breaker.record_probe(NOW + 1, GOOD)
    assert not any(_noted(breaker, UNREACHED, 19, NOW + 1))
    assert breaker.record(NOW + 1, UNREACHED)


_evidence = st.one_of(st.sampled_from([UNREACHED, UNREACHED, UNANSWERED, STALE]), st.integers(100, 650).map(_answered))
_steps = st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.0, 2.5, 9.0, 10.0, 31.0])


@given(seen=st.lists(st.tuples(_steps, st.integers(100, 499).map(_answered) | st.sampled_from([UNANSWERED, STALE]))))
def test_what_is_no_failure_never_opens_it(seen: list[tuple[float, AttemptResult]]) -> None:
    """However many refusals come, and however fast, the breaker stays closed."""
    breaker, now = CircuitStateMachine(), NOW
    for step, evidence in seen * 20:
        now += step
        assert not breaker.record(now, evidence)
    assert breaker.state is CircuitState.CLOSED


class _AnyUse(RuleBasedStateMachine):
    """Beside it runs a model that remembers every call and counts anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitStateMachine()
        self.now = NOW
        self.seen: list[tuple[int, bool]] = []
        self.rests: Iterator[float] = iter(())

    @rule(step=_steps)
    def pass_time(self, step: float) -> None:
        """Time goes on."""
        self.now += step

    @precondition(lambda self: self.breaker.state is CircuitState.CLOSED)
    @rule(evidence=_evidence, times=st.integers(1, 15))
    def note_closed(self, evidence: AttemptResult, times: int) -> None:
        """It opens on the failure that makes it half of at least 20 calls within ten seconds, and on nothing else."""
        status = evidence.response.status if evidence.response else None
        failed = evidence is UNREACHED or (status is not None and 500 <= status < 600)
        for _ in range(times):
            if evidence not in {UNANSWERED, STALE}:
                self.seen.append((math.floor(self.now), failed))
            counted = [bad for second, bad in self.seen if math.floor(self.now) - second < 10]
            opens = failed and len(counted) >= 20 and 2 * sum(counted) >= len(counted)
            assert self.breaker.record(self.now, evidence) is opens
            if opens:
                self.rests = iter([1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 1_000])
                self.expect_rest()
                break

    @precondition(lambda self: self.breaker.state is not CircuitState.CLOSED)
    @rule(evidence=_evidence)
    def note_open(self, evidence: AttemptResult) -> None:
        """While it is not closed, nothing but a probe changes it."""
        before = self.breaker.state
        assert not self.breaker.record(self.now, evidence)
        assert self.breaker.state is before

    @precondition(lambda self: self.breaker.state is CircuitState.OPEN)
    @rule()
    def wait_and_take_probe(self) -> None:
        """When the rest is over, one caller is told to probe."""
        rest = self.breaker.seconds_until_probe(self.now)
        assert self.breaker.try_start_probe(self.now) is (rest == 0)
        self.now += rest + 0.001
        if rest:
            assert self.breaker.try_start_probe(self.now)
        assert not self.breaker.try_start_probe(self.now)

    @precondition(lambda self: self.breaker.state is CircuitState.HALF_OPEN)
    @rule(bad=st.sampled_from([UNREACHED, UNANSWERED, _answered(503)]))
    def probe_badly(self, bad: AttemptResult) -> None:
        """A bad probe opens it again, for longer."""
        self.breaker.record_probe(self.now, bad)
        self.expect_rest()

    @precondition(lambda self: self.breaker.state is CircuitState.HALF_OPEN)
    @rule(status=st.integers(100, 499))
    def probe_well(self, status: int) -> None:
        """A good probe always closes it and clears what was counted."""
        self.breaker.record_probe(self.now, _answered(status))
        assert self.breaker.state is CircuitState.CLOSED
        self.seen.clear()

    def expect_rest(self) -> None:
        """It is open, for as long as is its turn."""
        assert self.breaker.state is CircuitState.OPEN
        assert self.breaker.seconds_until_probe(self.now) == pytest.approx(next(self.rests))

    @invariant()
    def says_why_it_is_open(self) -> None:
        """There is a cause exactly as long as it is not closed."""
        assert bool(self.breaker.reason) is (self.breaker.state is not CircuitState.CLOSED)


TestAnyUse = _AnyUse.TestCase
