"""Retry policy: whether a request is retried, why, after which delay, and at what cost."""

from datetime import timedelta
from itertools import islice

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Config, Outcome
from routee_failover._transport import retry_policy
from routee_failover._transport.retry_policy import (
    RetryBudget,
    RetryDecision,
    RetryReason,
    RetryState,
    jittered_delays,
    throttle_pause,
)
from routee_failover.outcomes import AttemptResult, Response, RetryMode, StatusRule, StatusTable, outcome_of

CONFIG = Config(application_id="id", application_secret="secret")
MANY_ATTEMPTS = attrs.evolve(CONFIG, max_attempts=1_000)
TABLE = StatusTable()

NOT_CONNECTED = AttemptResult(may_have_been_sent=False, reason="no connection could be made")
UNTRUSTED = AttemptResult(may_have_been_sent=False, reason="the certificate is not trusted", permanent=True)
NO_RESPONSE = AttemptResult(may_have_been_sent=True, reason="no response")
STALE = AttemptResult(may_have_been_sent=False, reason="the pooled connection had been closed", stale_connection=True)


def _response(status: int, retry_after: float | None = None) -> AttemptResult:
    return AttemptResult(may_have_been_sent=True, response=Response(status, b"", retry_after))


def _rule(result: AttemptResult, table: StatusTable = TABLE) -> StatusRule | None:
    return table.rule_for(result.response) if result.response is not None else None


def _decisions(state: RetryState, *attempts: AttemptResult) -> list[RetryDecision | None]:
    return [state.decide(result, _rule(result)) for result in attempts]


def _reasons(state: RetryState, *attempts: AttemptResult) -> list[RetryReason | None]:
    return [retry.reason if retry is not None else None for retry in _decisions(state, *attempts)]


@pytest.fixture
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every delay its upper bound."""
    monkeypatch.setattr(retry_policy, "full_jitter", lambda bound: bound)


no_jitter = pytest.mark.usefixtures("_no_jitter")
for_sends_and_reads = pytest.mark.parametrize("safe", [False, True], ids=["send", "read"])


@no_jitter
@for_sends_and_reads
def test_unsent_request_is_retried_with_backoff(safe: bool) -> None:
    """No connection: delays double from 50 ms, at 14 tokens each, until max_attempts is reached."""
    assert _decisions(RetryState(CONFIG, safe=safe), NOT_CONNECTED, NOT_CONNECTED, NOT_CONNECTED) == [
        RetryDecision(RetryReason.NOT_SENT, 0.05, 14),
        RetryDecision(RetryReason.NOT_SENT, 0.1, 14),
        None,
    ]


@for_sends_and_reads
@pytest.mark.parametrize("result", [UNTRUSTED, attrs.evolve(UNTRUSTED, may_have_been_sent=True)])
def test_permanent_failure_is_not_retried(result: AttemptResult, safe: bool) -> None:
    """A certificate that is not trusted will not be trusted a second later either."""
    assert _decisions(RetryState(CONFIG, safe=safe), result) == [None]


@no_jitter
@pytest.mark.parametrize("result", [NO_RESPONSE, _response(500), _response(503), _response(522), _response(100)])
def test_only_reading_calls_are_retried_without_a_usable_response(result: AttemptResult) -> None:
    """Without a response that proves anything, Routee may have accepted a send; a reading call changed nothing."""
    assert _decisions(RetryState(CONFIG, safe=False), result) == [None]
    assert _decisions(RetryState(CONFIG, safe=True), result, result, result) == [
        RetryDecision(RetryReason.NO_RESPONSE, 0.05, 14),
        RetryDecision(RetryReason.NO_RESPONSE, 0.1, 14),
        None,
    ]


@for_sends_and_reads
@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 404, 413, 415, 422])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_final_response_is_not_retried(status: int, retry_after: float | None, safe: bool) -> None:
    """An acceptance, and a rejection of the content, are final, whatever else the response says."""
    assert _decisions(RetryState(CONFIG, safe=safe), _response(status, retry_after)) == [None]


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("status", [429, 503])
def test_jitter_is_added_to_the_throttle_pause(status: int, safe: bool) -> None:
    """Throttled: Retry-After plus a delay that doubles from 1 s, at 5 tokens each."""
    assert _decisions(RetryState(CONFIG, safe=safe), *[_response(status, 7.0)] * 3) == [
        RetryDecision(RetryReason.THROTTLED, 7.0 + 1.0, 5),
        RetryDecision(RetryReason.THROTTLED, 7.0 + 2.0, 5),
        None,
    ]


@no_jitter
@pytest.mark.parametrize(
    ("retry_after", "max_pause", "pause"),
    [(None, 60.0, 1.0), (None, 0.25, 0.25), (0.0, 60.0, 0.0), (0.5, 60.0, 0.5), (60.0, 60.0, 60.0)],
)
def test_throttled_request_waits_for_retry_after_or_the_default(
    retry_after: float | None, max_pause: float, pause: float
) -> None:
    """A 429 without Retry-After counts as one second, at most max_throttle_pause; a Retry-After of 0 is respected."""
    state = RetryState(attrs.evolve(CONFIG, max_throttle_pause=timedelta(seconds=max_pause)), safe=False)
    assert _decisions(state, _response(429, retry_after)) == [RetryDecision(RetryReason.THROTTLED, pause + 1.0, 5)]


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 1.0), (0.0, 0.0), (0.5, 0.5), (60.0, 60.0), (86_400.0, 86_400.0)]
)
def test_client_pauses_for_retry_after_or_one_second(retry_after: float | None, pause: float) -> None:
    """The throttle pause of the whole client is Retry-After, or one second without it."""
    assert throttle_pause(Response(429, b"", retry_after)) == pause


@for_sends_and_reads
def test_pause_above_the_maximum_is_not_waited_for(safe: bool) -> None:
    """Above `max_throttle_pause` the caller gets the rejection; the pause of the client is not shortened here."""
    response = Response(429, b"", 60.001)
    assert _decisions(RetryState(CONFIG, safe=safe), AttemptResult(may_have_been_sent=True, response=response)) == [
        None
    ]
    assert throttle_pause(response) == 60.001


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("status", [408, 425])
def test_transient_rejection_is_retried_once(status: int, safe: bool) -> None:
    """408 and 425: one retry only, with a short backoff, whatever happens in between."""
    assert _decisions(
        RetryState(MANY_ATTEMPTS, safe=safe), _response(status), NOT_CONNECTED, _response(status), NOT_CONNECTED
    ) == [
        RetryDecision(RetryReason.TRANSIENT_REJECTION, 0.05, 14),
        RetryDecision(RetryReason.NOT_SENT, 0.1, 14),
        None,
        RetryDecision(RetryReason.NOT_SENT, 0.2, 14),
    ]


@for_sends_and_reads
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("max_attempts", [1, 2, 3])
def test_rejected_token_is_renewed_once_without_counting_as_attempt(max_attempts: int, status: int, safe: bool) -> None:
    """The single renewal of a request is free and immediate; the number of attempts left stays the same."""
    state = RetryState(attrs.evolve(CONFIG, max_attempts=max_attempts), safe=safe)
    assert _decisions(state, _response(status)) == [RetryDecision(RetryReason.NEW_TOKEN, 0.0, 0)]
    assert _reasons(state, *[NOT_CONNECTED] * max_attempts) == [RetryReason.NOT_SENT] * (max_attempts - 1) + [None]
    assert _decisions(RetryState(CONFIG, safe=safe), *[_response(status)] * 3)[1:] == [None, None]


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("max_attempts", [1, 3])
def test_stale_connections_do_not_count_as_attempts_up_to_100(max_attempts: int, safe: bool) -> None:
    """A request may meet 100 of them, immediately and for free; after that each counts as a failed connection."""
    state = RetryState(attrs.evolve(CONFIG, max_attempts=max_attempts), safe=safe)
    assert _decisions(state, *[STALE] * 100) == [RetryDecision(RetryReason.STALE_CONNECTION, 0.0, 0)] * 100
    assert _reasons(state, *[STALE] * max_attempts) == [RetryReason.NOT_SENT] * (max_attempts - 1) + [None]
    assert _decisions(RetryState(CONFIG, safe=safe), STALE, NOT_CONNECTED)[1] == RetryDecision(
        RetryReason.NOT_SENT, 0.05, 14
    )


def test_max_attempts_of_one_allows_no_retry() -> None:
    """With `max_attempts=1` the first attempt that reached the network is the last."""
    config = attrs.evolve(CONFIG, max_attempts=1)
    for result in (NOT_CONNECTED, NO_RESPONSE, _response(429), _response(503, 1.0), _response(408), _response(500)):
        assert _decisions(RetryState(config, safe=True), result) == [None]


def test_no_retry_after_the_attempts_are_used_up() -> None:
    """Once max_attempts is reached, every further decision is None."""
    state = RetryState(CONFIG, safe=True)
    assert _reasons(state, *[NOT_CONNECTED] * 50)[2:] == [None] * 48


@no_jitter
def test_backoff_and_throttle_delays_grow_independently() -> None:
    """Throttling does not lengthen the delay after a failed connection, nor the other way round."""
    assert [
        retry.delay
        for retry in _decisions(RetryState(MANY_ATTEMPTS, safe=True), *[NOT_CONNECTED, _response(429, 0.0)] * 2)
        if retry
    ] == [
        0.05,
        1.0,
        0.1,
        2.0,
    ]


def test_spent_is_the_cost_of_all_retries() -> None:
    """`spent` is what the retry budget gets back if the request succeeds after all."""
    state = RetryState(MANY_ATTEMPTS, safe=True)
    assert state.spent == 0
    spent = []
    for result in (STALE, _response(401), NOT_CONNECTED, _response(429), _response(408), NO_RESPONSE, _response(404)):
        _decisions(state, result)
        spent.append(state.spent)
    assert spent == [0, 0, 14, 19, 33, 47, 47]


def test_retry_delays_cover_the_whole_jitter_range() -> None:
    """Requests that fail together are not retried together: the delays cover the range from zero to their bound."""
    for result, floor, bound in [
        (NOT_CONNECTED, 0.0, 0.05),
        (_response(429, 7.0), 7.0, 1.0),
        (_response(408), 0.0, 0.05),
    ]:
        drawn = [
            retry.delay - floor
            for _ in range(300)
            for retry in _decisions(RetryState(CONFIG, safe=False), result)
            if retry
        ]
        assert len(drawn) == 300
        assert 0 <= min(drawn) < 0.1 * bound
        assert 0.9 * bound < max(drawn) <= bound


def test_status_rule_decides_not_the_status() -> None:
    """Configured status rules are applied."""
    retry_once = StatusRule(Outcome.REJECTED, RetryMode.ONCE)
    state = RetryState(CONFIG, safe=False)
    assert state.decide(_response(502), retry_once) is not None
    assert state.decide(_response(429), StatusRule(Outcome.REJECTED)) is None


def test_pause_rule_without_a_response_is_ignored() -> None:
    """The pause is read from the response; without one there is no pause to wait for, and no retry."""
    assert (
        RetryState(CONFIG, safe=True).decide(NOT_CONNECTED, StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE)) is None
    )


def test_retry_reasons_have_fixed_texts() -> None:
    """Each reason says in one fixed text why a retry is safe; observers log it."""
    assert {reason.name: str(reason) for reason in RetryReason} == {
        "NOT_SENT": "nothing was sent",
        "STALE_CONNECTION": "the pooled connection had been closed before anything was written",
        "THROTTLED": "Routee throttled the request",
        "TRANSIENT_REJECTION": "Routee rejected the request for a transient reason",
        "NEW_TOKEN": "Routee rejected the access token",
        "NO_RESPONSE": "no usable response came, and the request is safe to repeat",
    }


def test_retry_state_has_no_dict() -> None:
    """One is created for every request that fails, in an outage for all of them, so it has slots only."""
    assert not hasattr(RetryState(CONFIG, safe=True), "__dict__")


_retry_after = st.none() | st.floats(0, 86_400)
_attempts = st.one_of(
    st.builds(
        AttemptResult,
        may_have_been_sent=st.booleans(),
        reason=st.just("x"),
        permanent=st.booleans(),
        bytes_written=st.just(0),
        stale_connection=st.booleans(),
    ),
    st.builds(_response, st.integers(100, 650), _retry_after),
    st.builds(_response, st.sampled_from([401, 403, 408, 425, 429, 503]), _retry_after),
)
_rules = st.sampled_from(
    [
        StatusRule(Outcome.ACCEPTED),
        StatusRule(Outcome.UNKNOWN),
        *(StatusRule(Outcome.REJECTED, mode) for mode in RetryMode),
    ]
)
_tables = st.builds(
    StatusTable,
    st.dictionaries(st.sampled_from(["2xx", "5xx", "401", "429", "502", "503 with Retry-After"]), _rules, max_size=3),
)


@given(attempts=st.lists(_attempts, max_size=60), table=_tables)
def test_send_is_retried_only_if_not_sent_or_rejected(attempts: list[AttemptResult], table: StatusTable) -> None:
    """Never twice: whatever happened before, and whatever the status table, ACCEPTED and UNKNOWN are not retried."""
    state = RetryState(MANY_ATTEMPTS, safe=False)
    for result in attempts:
        if state.decide(result, _rule(result, table)) is not None:
            assert outcome_of(result, table) in {Outcome.NOT_SENT, Outcome.REJECTED}


@given(attempts=st.lists(_attempts, max_size=60), table=_tables)
def test_reading_call_is_retried_only_if_not_accepted(attempts: list[AttemptResult], table: StatusTable) -> None:
    """A reading call may be retried after UNKNOWN, but not after its data has arrived."""
    state = RetryState(MANY_ATTEMPTS, safe=True)
    for result in attempts:
        if state.decide(result, _rule(result, table)) is not None:
            assert outcome_of(result, table) is not Outcome.ACCEPTED


@given(attempts=st.lists(_attempts, max_size=60), max_attempts=st.integers(1, 9), safe=st.booleans(), table=_tables)
def test_counted_retries_stay_below_max_attempts(
    attempts: list[AttemptResult], max_attempts: int, safe: bool, table: StatusTable
) -> None:
    """Except for one renewal and stale connections, a request makes at most max_attempts attempts; each retry costs."""
    state = RetryState(attrs.evolve(CONFIG, max_attempts=max_attempts), safe=safe)
    retries = [state.decide(result, _rule(result, table)) for result in attempts]
    reasons = [retry.reason for retry in retries if retry is not None]
    free = {RetryReason.NEW_TOKEN, RetryReason.STALE_CONNECTION}
    assert len([reason for reason in reasons if reason not in free]) < max_attempts
    assert reasons.count(RetryReason.NEW_TOKEN) <= 1
    assert reasons.count(RetryReason.TRANSIENT_REJECTION) <= 1
    assert reasons.count(RetryReason.STALE_CONNECTION) <= 100
    assert all((retry.cost == 0) is (retry.delay == 0) is (retry.reason in free) for retry in retries if retry)
    assert state.spent == sum(retry.cost for retry in retries if retry is not None)


@given(retry_after=_retry_after, max_pause=st.floats(0.001, 3_600))
def test_retry_never_starts_before_the_pause_ends(retry_after: float | None, max_pause: float) -> None:
    """The client pauses for at least min(Retry-After, max_throttle_pause), and the retry does not start sooner."""
    max_throttle_pause = timedelta(seconds=max_pause)
    floor = min(retry_after or 0.0, max_throttle_pause.total_seconds())
    assert min(throttle_pause(Response(429, b"", retry_after)), max_throttle_pause.total_seconds()) >= floor
    (retry,) = _decisions(
        RetryState(attrs.evolve(CONFIG, max_throttle_pause=max_throttle_pause), safe=False), _response(429, retry_after)
    )
    assert (retry is None) is ((retry_after or 0.0) > max_throttle_pause.total_seconds())
    assert retry is None or retry.delay >= floor


@given(requests=st.integers(180, 800), max_attempts=st.integers(1, 20), safe=st.booleans())
def test_total_outage_gets_at_most_a_fifth_more_attempts(requests: int, max_attempts: int, safe: bool) -> None:
    """Retry state and retry budget together: N requests during a total outage make at most 1.2 N attempts."""
    budget = RetryBudget()
    config = attrs.evolve(CONFIG, max_attempts=max_attempts)
    attempts = 0
    for _ in range(requests):
        state = RetryState(config, safe=safe)
        attempts += 1
        while (retry := state.decide(NOT_CONNECTED, None)) is not None and budget.try_withdraw(retry.cost):
            attempts += 1
    assert attempts <= 1.2 * requests


@pytest.mark.parametrize(
    ("initial", "bounds"),
    [(0.05, [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]), (1.0, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0])],
    ids=["backoff", "throttling"],
)
@no_jitter
def test_upper_bound_doubles_up_to_the_maximum(initial: float, bounds: list[float]) -> None:
    """Without jitter the delay doubles from 50 ms to 2 s, and from 1 s to 30 s after throttling."""
    assert list(islice(jittered_delays(initial, bounds[-1]), len(bounds))) == bounds


def test_delays_differ_between_clients() -> None:
    """Jitter: two clients that fail at the same time do not retry at the same time."""
    assert list(islice(jittered_delays(1.0, 30.0), 10)) != list(islice(jittered_delays(1.0, 30.0), 10))
