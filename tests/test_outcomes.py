"""What each response, and each missing response, proves about a message."""

import pickle
import re
from contextlib import AbstractContextManager

import pytest

from routee_failover import InvalidConfig, Outcome
from routee_failover.outcomes import (
    STATUS_RULES,
    AttemptResult,
    Response,
    RetryMode,
    StatusRule,
    StatusTable,
    default_status_table,
    outcome_of,
)

ACCEPTED = StatusRule(Outcome.ACCEPTED)
REJECTED = StatusRule(Outcome.REJECTED)
UNKNOWN = StatusRule(Outcome.UNKNOWN)
ONCE = StatusRule(Outcome.REJECTED, RetryMode.ONCE)
AFTER_PAUSE = StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE)
NEW_TOKEN = StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN)


def _expected_outcome(status: int, retry_after: float | None) -> Outcome:
    match status:
        case _ if status < 200:
            return Outcome.UNKNOWN
        case _ if status < 300:
            return Outcome.ACCEPTED
        case _ if status < 500:
            return Outcome.REJECTED
        case 503 if retry_after is not None:
            return Outcome.REJECTED
        case _:
            return Outcome.UNKNOWN


@pytest.mark.parametrize("retry_after", [None, 0.0, 7.0])
def test_status_class_determines_the_outcome(retry_after: float | None) -> None:
    """2xx accepts, 3xx and 4xx reject, 503 rejects if it names a pause, and no other status proves anything."""
    outcomes = {
        status: outcome_of(AttemptResult(True, Response(status, b"", retry_after))) for status in range(100, 600)
    }
    assert outcomes == {status: _expected_outcome(status, retry_after) for status in range(100, 600)}


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_status_outside_http_is_unknown(status: int, retry_after: float | None) -> None:
    """A number outside of HTTP's range is not a response to rely on."""
    assert (
        outcome_of(AttemptResult(may_have_been_sent=True, response=Response(status, b"", retry_after)))
        is Outcome.UNKNOWN
    )


@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize(("may_have_been_sent", "outcome"), [(True, Outcome.UNKNOWN), (False, Outcome.NOT_SENT)])
def test_missing_response_is_not_sent_before_the_first_byte_and_unknown_after(
    may_have_been_sent: bool, outcome: Outcome, permanent: bool
) -> None:
    """No response: NOT_SENT if no byte can have left, UNKNOWN if one can."""
    assert outcome_of(AttemptResult(may_have_been_sent=may_have_been_sent, reason="x", permanent=permanent)) is outcome


def test_attempt_result_repr_hides_the_body() -> None:
    """The repr of an attempt result says how long a body is, not what is in it."""
    result = AttemptResult(may_have_been_sent=True, response=Response(200, b"canary"))
    assert "body=<6 bytes>," in repr(result)
    assert "canary" not in repr(result)
    assert pickle.loads(pickle.dumps(result)) == result


def test_attempt_result_defaults_claim_nothing() -> None:
    """By default an attempt has no response, no reason, nothing written and no stale connection."""
    assert AttemptResult(may_have_been_sent=True) == AttemptResult(
        may_have_been_sent=True, response=None, reason="", permanent=False, bytes_written=0, stale_connection=False
    )
    assert Response(503, b"") == Response(status=503, body=b"", retry_after=None)


def test_status_rules_are_as_documented_and_read_only() -> None:
    """Each line of `STATUS_RULES`, and that it cannot be changed in place."""
    assert dict(STATUS_RULES) == {
        "2xx": ACCEPTED,
        "3xx": REJECTED,
        "4xx": REJECTED,
        "401": NEW_TOKEN,
        "403": NEW_TOKEN,
        "408": ONCE,
        "425": ONCE,
        "429": AFTER_PAUSE,
        "408 on an open connection": UNKNOWN,
        "425 on an open connection": UNKNOWN,
        "5xx": UNKNOWN,
        "503 with Retry-After": AFTER_PAUSE,
    }
    with pytest.raises(TypeError):
        STATUS_RULES["502"] = REJECTED  # type: ignore[index]


def test_retry_mode_values_are_readable_phrases() -> None:
    """The values of `RetryMode` complete "a rejected message is sent again ..."."""
    assert [*RetryMode] == ["never", "once", "after a pause", "with a new token"]


def _expected_retry(status: int, retry_after: float | None) -> RetryMode:
    match status:
        case 401 | 403:
            return RetryMode.NEW_TOKEN
        case 408 | 425:
            return RetryMode.ONCE
        case 429:
            return RetryMode.AFTER_PAUSE
        case 503 if retry_after is not None:
            return RetryMode.AFTER_PAUSE
        case _:
            return RetryMode.NEVER


@pytest.mark.parametrize("retry_after", [None, 0.0, 7.0])
def test_only_documented_statuses_are_retried(retry_after: float | None) -> None:
    """401 and 403 with a new token, 408 and 425 once, 429 and a 503 that names a pause after it; no other."""
    retries = {
        status: default_status_table().rule_for(Response(status, b"", retry_after)).retry for status in range(100, 700)
    }
    assert retries == {status: _expected_retry(status, retry_after) for status in range(100, 700)}


def test_default_status_table_is_cached() -> None:
    """Every request uses the table; the first one builds it."""
    assert default_status_table() is default_status_table()


def _rule_for(overrides: dict[str, StatusRule], status: int, retry_after: float | None = None) -> StatusRule:
    return StatusTable(overrides).rule_for(Response(status, b"", retry_after))


def test_override_applies_only_where_its_key_matches() -> None:
    """A status, a whole class, or one with a pause: the override applies where its key matches and nowhere else."""
    assert _rule_for({"502": REJECTED}, 502) == REJECTED
    assert _rule_for({"502": REJECTED}, 502, 1.0) == REJECTED
    assert _rule_for({"502": REJECTED}, 500) == _rule_for({"502": REJECTED}, 503) == UNKNOWN
    assert _rule_for({"5xx": REJECTED}, 500) == _rule_for({"5xx": REJECTED}, 599) == REJECTED
    assert _rule_for({"429": UNKNOWN}, 429, 1.0) == UNKNOWN
    assert _rule_for({"429 with Retry-After": UNKNOWN}, 429, 0.0) == UNKNOWN
    assert _rule_for({"429 with Retry-After": UNKNOWN}, 429) == AFTER_PAUSE


KEYS = ["502 with Retry-After", "502", "5xx with Retry-After", "5xx"]
"""From the most specific to the least."""


@pytest.mark.parametrize("most_specific", range(4))
def test_most_specific_key_wins(most_specific: int) -> None:
    """A status takes precedence over its class, and within each a key with a pause if the response names one."""
    overrides = dict.fromkeys(KEYS[most_specific:], ACCEPTED) | {KEYS[most_specific]: ONCE}
    assert _rule_for(overrides, 502, 1.0) == ONCE
    assert _rule_for(overrides, 502) == (ONCE if most_specific in {1, 3} else ACCEPTED)
    assert _rule_for(overrides, 504, 1.0) == (ONCE if most_specific > 1 else ACCEPTED)
    assert _rule_for(overrides, 504) == (ONCE if most_specific > 2 else ACCEPTED)


def _rule_on_open_connection(overrides: dict[str, StatusRule], status: int) -> StatusRule:
    return StatusTable(overrides).rule_for(Response(status, b"", None, may_be_unsolicited=True))


def test_408_and_425_on_an_open_connection_are_unknown_unless_overridden() -> None:
    """They may be about another request; a rule for the status alone leaves that as it is."""
    assert _rule_on_open_connection({}, 408) == _rule_on_open_connection({}, 425) == UNKNOWN
    assert _rule_on_open_connection({"408": ONCE}, 408) == UNKNOWN
    assert _rule_on_open_connection({"408 on an open connection": ONCE}, 408) == ONCE
    assert _rule_on_open_connection({}, 429) == AFTER_PAUSE


def test_rule_for_a_class_on_an_open_connection_leaves_statuses_with_a_line_of_their_own() -> None:
    """It applies to the others of its class, and on no other connection."""
    overrides = {"4xx on an open connection": UNKNOWN}
    assert _rule_on_open_connection(overrides, 400) == UNKNOWN
    assert (_rule_on_open_connection(overrides, 401), _rule_on_open_connection(overrides, 429)) == (
        NEW_TOKEN,
        AFTER_PAUSE,
    )
    assert _rule_for(overrides, 400) == REJECTED


def test_order_of_overrides_does_not_matter() -> None:
    """How specific a key is decides, not its position."""
    overrides = {"5xx": REJECTED, "502": UNKNOWN}
    for table in (StatusTable(overrides), StatusTable(dict(reversed(overrides.items())))):
        assert table.rule_for(Response(502, b"")) == UNKNOWN
        assert table.rule_for(Response(504, b"")) == REJECTED


def test_outcome_of_uses_the_given_table() -> None:
    """`outcome_of` follows the table that it is given, and leaves the default one unchanged."""
    result = AttemptResult(may_have_been_sent=True, response=Response(502, b""))
    assert outcome_of(result, StatusTable({"502": REJECTED})) is Outcome.REJECTED
    assert outcome_of(result, StatusTable()) is outcome_of(result) is Outcome.UNKNOWN
    assert "502" not in STATUS_RULES


def _raises_invalid_config(text: str) -> AbstractContextManager[pytest.ExceptionInfo[InvalidConfig]]:
    return pytest.raises(InvalidConfig, match=f"^{re.escape(text)}$")


@pytest.mark.parametrize(
    "key",
    ["", "1xx", "100", "199", "6xx", "600", "50", "5x", "5x2", "50x", "xxx", "5XX", "5022", " 502", "502 ", "502\n",
     "408 on open connection", "502 with retry-after", "502with Retry-After",
     "502 with Retry-After ", "503 without Retry-After", 502, None],
)  # fmt: skip
def test_invalid_override_key_is_refused(key: str) -> None:
    """A misspelt key would silently never apply."""
    with _raises_invalid_config(
        'a key of status_rules must look like "502", "5xx", "503 with Retry-After" or "408 on an open connection"'
    ):
        StatusTable({key: REJECTED})


@pytest.mark.parametrize(
    "key", ["200", "2xx", "299", "3xx", "4xx", "599", "404 with Retry-After", "2xx with Retry-After"]
)
def test_any_status_or_class_can_be_overridden(key: str) -> None:
    """Any status from 200 to 599 and each of their classes, with a pause or without."""
    status = int(key[:3].replace("xx", "17"))
    assert _rule_for({key: ONCE}, status, 1.0) == ONCE
    assert _rule_for({key: ONCE}, status) == (STATUS_RULES[f"{key[0]}xx"] if "with" in key else ONCE)


@pytest.mark.parametrize("rule", [None, Outcome.REJECTED, "REJECTED", (Outcome.REJECTED, RetryMode.ONCE)])
def test_override_value_must_be_a_status_rule(rule: StatusRule) -> None:
    """The error names the key that has another value."""
    with _raises_invalid_config("status_rules: 502 must have a StatusRule as its value"):
        StatusTable({"502": rule})


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, "REJECTED", None])
def test_status_rule_cannot_claim_not_sent(outcome: Outcome) -> None:
    """A response proves that the request was sent: a rule says ACCEPTED, REJECTED or UNKNOWN."""
    with _raises_invalid_config(
        "the outcome of a status must be ACCEPTED, REJECTED or UNKNOWN: a response proves that it was sent"
    ):
        StatusRule(outcome)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNKNOWN])
@pytest.mark.parametrize("retry", [RetryMode.ONCE, RetryMode.AFTER_PAUSE, RetryMode.NEW_TOKEN])
def test_status_rule_retries_only_rejected_messages(outcome: Outcome, retry: RetryMode) -> None:
    """Never twice: no setting resends a message that Routee may have accepted."""
    assert StatusRule(Outcome.REJECTED, retry).retry is retry
    with _raises_invalid_config("only a REJECTED message may be sent again: any other could arrive twice"):
        StatusRule(outcome, retry)


@pytest.mark.parametrize("retry", ["once", True, None])
def test_status_rule_retry_must_be_a_retry_mode(retry: RetryMode) -> None:
    """A text or a bool is not a retry mode."""
    with _raises_invalid_config("the retry of a status must be a RetryMode, such as RetryMode.AFTER_PAUSE"):
        StatusRule(Outcome.REJECTED, retry)
