"""What follows an attempt: whether a call is tried again, why, when, and at what price."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Config, Outcome
from routee_failover._transport import retry_delays as delays
from routee_failover._transport.retry_budget import RetryBudget
from routee_failover._transport.retry_policy import RetryDecision, RetryReason, RetryState, throttle_pause
from routee_failover.outcomes import AttemptResult, Response, RetryMode, StatusRule, StatusTable, outcome_of

CONFIG = Config(application_id="id", application_secret="secret")
PATIENT = attrs.evolve(CONFIG, max_attempts=1_000)
TABLE = StatusTable()

UNREACHED = AttemptResult(may_have_been_sent=False, reason="no connection could be made")
UNTRUSTED = AttemptResult(may_have_been_sent=False, reason="the certificate is not trusted", permanent=True)
UNANSWERED = AttemptResult(may_have_been_sent=True, reason="no answer came")
STALE = AttemptResult(may_have_been_sent=False, reason="the pooled connection had been closed", stale_connection=True)


def _answered(status: int, retry_after: float | None = None) -> AttemptResult:
    return AttemptResult(may_have_been_sent=True, response=Response(status, b"", retry_after))


def _rule(result: AttemptResult, table: StatusTable = TABLE) -> StatusRule | None:
    return table.rule_for(result.response) if result.response is not None else None


def _after(tries: RetryState, *attempts: AttemptResult) -> list[RetryDecision | None]:
    return [tries.decide(result, _rule(result)) for result in attempts]


def _reasons(tries: RetryState, *attempts: AttemptResult) -> list[RetryReason | None]:
    return [retry.reason if retry is not None else None for retry in _after(tries, *attempts)]


@pytest.fixture
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every delay is the longest that it can be."""
    monkeypatch.setattr(delays, "full_jitter", lambda longest: longest)


no_jitter = pytest.mark.usefixtures("_no_jitter")
for_sends_and_reads = pytest.mark.parametrize("safe", [False, True], ids=["send", "read"])


@no_jitter
@for_sends_and_reads
def test_what_never_left_is_tried_again(safe: bool) -> None:
    """No connection: from 50 ms on, doubling, at 14 tokens each, until the tries are used up."""
    assert _after(RetryState(CONFIG, safe=safe), UNREACHED, UNREACHED, UNREACHED) == [
        RetryDecision(RetryReason.NOT_SENT, 0.05, 14),
        RetryDecision(RetryReason.NOT_SENT, 0.1, 14),
        None,
    ]


@for_sends_and_reads
@pytest.mark.parametrize("result", [UNTRUSTED, attrs.evolve(UNTRUSTED, may_have_been_sent=True)])
def test_what_would_end_the_same_way_is_not_tried_again(result: AttemptResult, safe: bool) -> None:
    """A certificate that is not trusted will not be trusted in a second either."""
    assert _after(RetryState(CONFIG, safe=safe), result) == [None]


@no_jitter
@pytest.mark.parametrize("result", [UNANSWERED, _answered(500), _answered(503), _answered(522), _answered(100)])
def test_only_what_reads_is_repeated_without_an_answer(result: AttemptResult) -> None:
    """No answer, or one that proves nothing: Routee may have taken a send, while a reading call changed nothing."""
    assert _after(RetryState(CONFIG, safe=False), result) == [None]
    assert _after(RetryState(CONFIG, safe=True), result, result, result) == [
        RetryDecision(RetryReason.NO_RESPONSE, 0.05, 14),
        RetryDecision(RetryReason.NO_RESPONSE, 0.1, 14),
        None,
    ]


@for_sends_and_reads
@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 404, 413, 415, 422])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_what_is_answered_for_good_is_not_tried_again(status: int, retry_after: float | None, safe: bool) -> None:
    """A yes is a yes, and a no of the message's own making stays one, whatever else the answer says."""
    assert _after(RetryState(CONFIG, safe=safe), _answered(status, retry_after)) == [None]


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_kept_before_the_jitter(status: int, safe: bool) -> None:
    """Throttled: as long as Retry-After says, and then from 1 s on, doubling, at 5 tokens each."""
    assert _after(RetryState(CONFIG, safe=safe), *[_answered(status, 7.0)] * 3) == [
        RetryDecision(RetryReason.THROTTLED, 7.0 + 1.0, 5),
        RetryDecision(RetryReason.THROTTLED, 7.0 + 2.0, 5),
        None,
    ]


@no_jitter
@pytest.mark.parametrize(
    ("asked", "longest", "kept"),
    [(None, 60.0, 1.0), (None, 0.25, 0.25), (0.0, 60.0, 0.0), (0.5, 60.0, 0.5), (60.0, 60.0, 60.0)],
)
def test_a_call_waits_as_long_as_asked_for(asked: float | None, longest: float, kept: float) -> None:
    """A 429 that does not say how long counts as a second, or as the longest pause; no pause at all is believed."""
    tries = RetryState(attrs.evolve(CONFIG, max_throttle_pause=timedelta(seconds=longest)), safe=False)
    assert _after(tries, _answered(429, asked)) == [RetryDecision(RetryReason.THROTTLED, kept + 1.0, 5)]


@pytest.mark.parametrize(("asked", "pause"), [(None, 1.0), (0.0, 0.0), (0.5, 0.5), (60.0, 60.0), (86_400.0, 86_400.0)])
def test_the_client_pauses_as_long_as_asked_for(asked: float | None, pause: float) -> None:
    """What an answer asks of the whole client: a second, if it does not say."""
    assert throttle_pause(Response(429, b"", asked)) == pause


@for_sends_and_reads
def test_a_pause_that_is_too_long_ends_the_call(safe: bool) -> None:
    """Past `max_throttle_pause` a caller gets its refusal, while the client is still asked to pause."""
    answer = Response(429, b"", 60.001)
    assert _after(RetryState(CONFIG, safe=safe), AttemptResult(may_have_been_sent=True, response=answer)) == [None]
    assert throttle_pause(answer) == 60.001


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("status", [408, 425])
def test_what_was_refused_for_its_time_is_made_once_more(status: int, safe: bool) -> None:
    """408 and 425: one time only, soon, whatever comes between."""
    assert _after(RetryState(PATIENT, safe=safe), _answered(status), UNREACHED, _answered(status), UNREACHED) == [
        RetryDecision(RetryReason.TRANSIENT_REJECTION, 0.05, 14),
        RetryDecision(RetryReason.NOT_SENT, 0.1, 14),
        None,
        RetryDecision(RetryReason.NOT_SENT, 0.2, 14),
    ]


@for_sends_and_reads
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_refused_token_is_renewed_once_and_uses_no_try(most: int, status: int, safe: bool) -> None:
    """The one renewal of a call is free and comes at once; the tries left to it are as many as before."""
    tries = RetryState(attrs.evolve(CONFIG, max_attempts=most), safe=safe)
    assert _after(tries, _answered(status)) == [RetryDecision(RetryReason.NEW_TOKEN, 0.0, 0)]
    assert _reasons(tries, *[UNREACHED] * most) == [RetryReason.NOT_SENT] * (most - 1) + [None]
    assert _after(RetryState(CONFIG, safe=safe), *[_answered(status)] * 3)[1:] == [None, None]


@no_jitter
@for_sends_and_reads
@pytest.mark.parametrize("most", [1, 3])
def test_dead_connections_of_the_pool_use_no_try(most: int, safe: bool) -> None:
    """A call gets past 100 of them, at once and for nothing; then they count like no connection."""
    tries = RetryState(attrs.evolve(CONFIG, max_attempts=most), safe=safe)
    assert _after(tries, *[STALE] * 100) == [RetryDecision(RetryReason.STALE_CONNECTION, 0.0, 0)] * 100
    assert _reasons(tries, *[STALE] * most) == [RetryReason.NOT_SENT] * (most - 1) + [None]
    assert _after(RetryState(CONFIG, safe=safe), STALE, UNREACHED)[1] == RetryDecision(RetryReason.NOT_SENT, 0.05, 14)


def test_one_try_tries_nothing_again() -> None:
    """With `max_attempts=1` every attempt that reached the network is the last."""
    config = attrs.evolve(CONFIG, max_attempts=1)
    for result in (UNREACHED, UNANSWERED, _answered(429), _answered(503, 1.0), _answered(408), _answered(500)):
        assert _after(RetryState(config, safe=True), result) == [None]


def test_it_stays_at_no() -> None:
    """Once the tries are used up, none comes back."""
    tries = RetryState(CONFIG, safe=True)
    assert _reasons(tries, *[UNREACHED] * 50)[2:] == [None] * 48


@no_jitter
def test_kinds_of_trouble_keep_their_own_delays() -> None:
    """Throttling does not lengthen the delay after a lost connection, nor the other way round."""
    assert [
        retry.delay for retry in _after(RetryState(PATIENT, safe=True), *[UNREACHED, _answered(429, 0.0)] * 2) if retry
    ] == [
        0.05,
        1.0,
        0.1,
        2.0,
    ]


def test_it_knows_what_its_retries_have_cost() -> None:
    """What a call has spent is what the budget gives back if it succeeds after all."""
    tries = RetryState(PATIENT, safe=True)
    assert tries.spent == 0
    spent = []
    for result in (STALE, _answered(401), UNREACHED, _answered(429), _answered(408), UNANSWERED, _answered(404)):
        _after(tries, result)
        spent.append(tries.spent)
    assert spent == [0, 0, 14, 19, 33, 47, 47]


def test_the_jitter_is_full() -> None:
    """Calls that fail together do not come back together: delays fill the room from nothing to their bound."""
    for result, floor, longest in [
        (UNREACHED, 0.0, 0.05),
        (_answered(429, 7.0), 7.0, 1.0),
        (_answered(408), 0.0, 0.05),
    ]:
        drawn = [
            retry.delay - floor for _ in range(300) for retry in _after(RetryState(CONFIG, safe=False), result) if retry
        ]
        assert len(drawn) == 300
        assert 0 <= min(drawn) < 0.1 * longest
        assert 0.9 * longest < max(drawn) <= longest


def test_the_rule_decides_and_not_the_status() -> None:
    """Lines of one's own in the table are followed."""
    again = StatusRule(Outcome.REJECTED, RetryMode.ONCE)
    tries = RetryState(CONFIG, safe=False)
    assert tries.decide(_answered(502), again) is not None
    assert tries.decide(_answered(429), StatusRule(Outcome.REJECTED)) is None


def test_a_rule_without_its_answer_is_not_followed() -> None:
    """A pause is read from an answer; without one there is nothing to wait for and nothing is sent."""
    assert RetryState(CONFIG, safe=True).decide(UNREACHED, StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE)) is None


def test_reasons_are_fit_for_a_log() -> None:
    """Each reason says in plain words, and no others, why it is safe to try again."""
    assert {reason.name: str(reason) for reason in RetryReason} == {
        "NOT_SENT": "nothing was sent",
        "CONNECTION_GONE": "the pooled connection had been closed before anything was written",
        "THROTTLED": "Routee refused it for now",
        "ONCE_MORE": "Routee refused it for the time it came at",
        "NEW_TOKEN": "Routee refused its token",
        "NO_ANSWER": "it had no usable answer, and only reads",
    }


def test_tries_are_small() -> None:
    """They are made for every call that fails, in an outage for all of them, and hold nothing but their slots."""
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
    st.builds(_answered, st.integers(100, 650), _retry_after),
    st.builds(_answered, st.sampled_from([401, 403, 408, 425, 429, 503]), _retry_after),
)
_rules = st.sampled_from(
    [
        StatusRule(Outcome.ACCEPTED),
        StatusRule(Outcome.UNKNOWN),
        *(StatusRule(Outcome.REJECTED, again) for again in RetryMode),
    ]
)
_tables = st.builds(
    StatusTable,
    st.dictionaries(st.sampled_from(["2xx", "5xx", "401", "429", "502", "503 with Retry-After"]), _rules, max_size=3),
)


@given(attempts=st.lists(_attempts, max_size=60), table=_tables)
def test_a_send_is_made_again_only_where_nothing_was_accepted(
    attempts: list[AttemptResult], table: StatusTable
) -> None:
    """Never twice: whatever came before, and whatever the table says, what is ACCEPTED or UNKNOWN is left alone."""
    tries = RetryState(PATIENT, safe=False)
    for result in attempts:
        if tries.decide(result, _rule(result, table)) is not None:
            assert outcome_of(result, table) in {Outcome.NOT_SENT, Outcome.REJECTED}


@given(attempts=st.lists(_attempts, max_size=60), table=_tables)
def test_a_read_is_made_again_only_where_it_was_not_answered(attempts: list[AttemptResult], table: StatusTable) -> None:
    """What reads may be repeated after an UNKNOWN, yet not after it got what it asked for."""
    tries = RetryState(PATIENT, safe=True)
    for result in attempts:
        if tries.decide(result, _rule(result, table)) is not None:
            assert outcome_of(result, table) is not Outcome.ACCEPTED


@given(attempts=st.lists(_attempts, max_size=60), most=st.integers(1, 9), safe=st.booleans(), table=_tables)
def test_no_call_is_tried_more_often_than_it_may(
    attempts: list[AttemptResult], most: int, safe: bool, table: StatusTable
) -> None:
    """One renewal and the dead connections aside, a call makes at most `tries` attempts, and every other one costs."""
    tries = RetryState(attrs.evolve(CONFIG, max_attempts=most), safe=safe)
    retries = [tries.decide(result, _rule(result, table)) for result in attempts]
    reasons = [retry.reason for retry in retries if retry is not None]
    free = {RetryReason.NEW_TOKEN, RetryReason.STALE_CONNECTION}
    assert len([reason for reason in reasons if reason not in free]) < most
    assert reasons.count(RetryReason.NEW_TOKEN) <= 1
    assert reasons.count(RetryReason.TRANSIENT_REJECTION) <= 1
    assert reasons.count(RetryReason.STALE_CONNECTION) <= 100
    assert all((retry.cost == 0) is (retry.delay == 0) is (retry.reason in free) for retry in retries if retry)
    assert tries.spent == sum(retry.cost for retry in retries if retry is not None)


@given(asked=_retry_after, longest=st.floats(0.001, 3_600))
def test_a_pause_is_never_cut_short(asked: float | None, longest: float) -> None:
    """The client pauses for min(Retry-After, max_throttle_pause) at least, and its call is not made sooner."""
    max_throttle_pause = timedelta(seconds=longest)
    floor = min(asked or 0.0, max_throttle_pause.total_seconds())
    assert min(throttle_pause(Response(429, b"", asked)), max_throttle_pause.total_seconds()) >= floor
    (retry,) = _after(
        RetryState(attrs.evolve(CONFIG, max_throttle_pause=max_throttle_pause), safe=False), _answered(429, asked)
    )
    assert (retry is None) is ((asked or 0.0) > max_throttle_pause.total_seconds())
    assert retry is None or retry.delay >= floor


@given(requests=st.integers(180, 800), most=st.integers(1, 20), safe=st.booleans())
def test_an_outage_is_met_with_at_most_a_fifth_more(requests: int, most: int, safe: bool) -> None:
    """Tries and budget together: N calls into a total outage make at most 1.2 N attempts."""
    budget = RetryBudget()
    config = attrs.evolve(CONFIG, max_attempts=most)
    attempts = 0
    for _ in range(requests):
        tries = RetryState(config, safe=safe)
        attempts += 1
        while (retry := tries.decide(UNREACHED, None)) is not None and budget.try_withdraw(retry.cost):
            attempts += 1
    assert attempts <= 1.2 * requests
