"""What each answer, and each lack of one, proves about a message."""

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
REFUSED = StatusRule(Outcome.REJECTED)
UNKNOWN = StatusRule(Outcome.UNKNOWN)
ONCE = StatusRule(Outcome.REJECTED, RetryMode.ONCE)
AFTER_PAUSE = StatusRule(Outcome.REJECTED, RetryMode.AFTER_PAUSE)
NEW_TOKEN = StatusRule(Outcome.REJECTED, RetryMode.NEW_TOKEN)


def _proven(status: int, retry_after: float | None) -> Outcome:
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
def test_every_status_proves_what_its_kind_does(retry_after: float | None) -> None:
    """2xx accepts, 3xx and 4xx refuse, 503 refuses where it names a pause, and nothing else proves anything."""
    proven = {status: outcome_of(AttemptResult(True, Response(status, b"", retry_after))) for status in range(100, 600)}
    assert proven == {status: _proven(status, retry_after) for status in range(100, 600)}


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_status_that_http_does_not_know_proves_nothing(status: int, retry_after: float | None) -> None:
    """A number outside of HTTP's is no answer to rely on."""
    assert (
        outcome_of(AttemptResult(may_have_been_sent=True, response=Response(status, b"", retry_after)))
        is Outcome.UNKNOWN
    )


@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize(("begun", "outcome"), [(True, Outcome.UNKNOWN), (False, Outcome.NOT_SENT)])
def test_without_an_answer_the_first_byte_decides(begun: bool, outcome: Outcome, lasting: bool) -> None:
    """No answer: NOT_SENT where no byte can have left, UNKNOWN where one can."""
    assert outcome_of(AttemptResult(may_have_been_sent=begun, reason="x", permanent=lasting)) is outcome


def test_evidence_shows_no_body() -> None:
    """The repr of evidence says how long a body is, not what is in it."""
    evidence = AttemptResult(may_have_been_sent=True, response=Response(200, b"canary"))
    assert "body=<6 bytes>," in repr(evidence)
    assert "canary" not in repr(evidence)
    assert pickle.loads(pickle.dumps(evidence)) == evidence


def test_evidence_assumes_nothing() -> None:
    """What is not said of an attempt is not taken for granted: no answer, no cause, nothing written, nothing stale."""
    assert AttemptResult(may_have_been_sent=True) == AttemptResult(
        may_have_been_sent=True, response=None, reason="", permanent=False, bytes_written=0, stale_connection=False
    )
    assert Response(503, b"") == Response(status=503, body=b"", retry_after=None)


def test_the_standard_table_is_what_the_documentation_says() -> None:
    """Each line of `STATUS_RULES`, and that nobody can change it in place."""
    assert dict(STATUS_RULES) == {
        "2xx": ACCEPTED,
        "3xx": REFUSED,
        "4xx": REFUSED,
        "401": NEW_TOKEN,
        "403": NEW_TOKEN,
        "408": ONCE,
        "425": ONCE,
        "429": AFTER_PAUSE,
        "5xx": UNKNOWN,
        "503 with Retry-After": AFTER_PAUSE,
    }
    with pytest.raises(TypeError):
        STATUS_RULES["502"] = REFUSED  # type: ignore[index]


def test_what_follows_a_status_reads_as_words() -> None:
    """The names of `RetryMode` complete "a refused message is sent again ..."."""
    assert [*RetryMode] == ["never", "once", "after a pause", "with a new token"]


def _follows(status: int, retry_after: float | None) -> RetryMode:
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
def test_few_statuses_are_made_again(retry_after: float | None) -> None:
    """401 and 403 with a new token, 408 and 425 once, 429 and a 503 that names a pause after it; no other."""
    follows = {
        status: default_status_table().rule_for(Response(status, b"", retry_after)).retry for status in range(100, 700)
    }
    assert follows == {status: _follows(status, retry_after) for status in range(100, 700)}


def test_the_standard_table_is_made_once() -> None:
    """It is asked for by every call, and made by the first."""
    assert default_status_table() is default_status_table()


def _found(own: dict[str, StatusRule], status: int, retry_after: float | None = None) -> StatusRule:
    return StatusTable(own).rule_for(Response(status, b"", retry_after))


def test_a_line_of_ones_own_counts_over_the_standard_one() -> None:
    """A status, a whole kind, or one with a pause: the line is followed where it fits and nowhere else."""
    assert _found({"502": REFUSED}, 502) == REFUSED
    assert _found({"502": REFUSED}, 502, 1.0) == REFUSED
    assert _found({"502": REFUSED}, 500) == _found({"502": REFUSED}, 503) == UNKNOWN
    assert _found({"5xx": REFUSED}, 500) == _found({"5xx": REFUSED}, 599) == REFUSED
    assert _found({"429": UNKNOWN}, 429, 1.0) == UNKNOWN
    assert _found({"429 with Retry-After": UNKNOWN}, 429, 0.0) == UNKNOWN
    assert _found({"429 with Retry-After": UNKNOWN}, 429) == AFTER_PAUSE


LINES = ["502 with Retry-After", "502", "5xx with Retry-After", "5xx"]
"""From the most exact to the least."""


@pytest.mark.parametrize("most_exact", range(4))
def test_the_most_exact_line_counts(most_exact: int) -> None:
    """A status counts over its kind, and within each of the two the line with a pause where the answer names one."""
    own = dict.fromkeys(LINES[most_exact:], ACCEPTED) | {LINES[most_exact]: ONCE}
    assert _found(own, 502, 1.0) == ONCE
    assert _found(own, 502) == (ONCE if most_exact in {1, 3} else ACCEPTED)
    assert _found(own, 504, 1.0) == (ONCE if most_exact > 1 else ACCEPTED)
    assert _found(own, 504) == (ONCE if most_exact > 2 else ACCEPTED)


def test_a_line_may_come_in_any_order() -> None:
    """How exact a line is decides, not where it stands."""
    own = {"5xx": REFUSED, "502": UNKNOWN}
    for table in (StatusTable(own), StatusTable(dict(reversed(own.items())))):
        assert table.rule_for(Response(502, b"")) == UNKNOWN
        assert table.rule_for(Response(504, b"")) == REFUSED


def test_a_table_of_ones_own_decides_the_outcome() -> None:
    """`outcome_of` follows the table that it is given, and leaves the standard one as it is."""
    evidence = AttemptResult(may_have_been_sent=True, response=Response(502, b""))
    assert outcome_of(evidence, StatusTable({"502": REFUSED})) is Outcome.REJECTED
    assert outcome_of(evidence, StatusTable()) is outcome_of(evidence) is Outcome.UNKNOWN
    assert "502" not in STATUS_RULES


def _refused(words: str) -> AbstractContextManager[pytest.ExceptionInfo[InvalidConfig]]:
    return pytest.raises(InvalidConfig, match=f"^{re.escape(words)}$")


@pytest.mark.parametrize(
    "line",
    ["", "1xx", "100", "199", "6xx", "600", "50", "5x", "5x2", "50x", "xxx", "5XX", "5022", " 502", "502 ", "502\n",
     "502 with retry-after", "502with Retry-After", "502 with Retry-After ", "503 without Retry-After", 502, None],
)  # fmt: skip
def test_a_line_that_names_no_status_is_refused(line: str) -> None:
    """A misspelt line would silently never count."""
    with _refused('a line of status_rules is named like "502", "5xx" or "503 with Retry-After"'):
        StatusTable({line: REFUSED})


@pytest.mark.parametrize(
    "line", ["200", "2xx", "299", "3xx", "4xx", "599", "404 with Retry-After", "2xx with Retry-After"]
)
def test_a_line_for_every_status_may_be_given(line: str) -> None:
    """Any status from 200 to 599 and each of their kinds, with a pause or without."""
    status = int(line[:3].replace("xx", "17"))
    assert _found({line: ONCE}, status, 1.0) == ONCE
    assert _found({line: ONCE}, status) == (STATUS_RULES[f"{line[0]}xx"] if "with" in line else ONCE)


@pytest.mark.parametrize("rule", [None, Outcome.REJECTED, "REJECTED", (Outcome.REJECTED, RetryMode.ONCE)])
def test_a_line_without_a_rule_is_refused(rule: StatusRule) -> None:
    """The error names the line that is given something else."""
    with _refused("status_rules: 502 must be given a StatusRule"):
        StatusTable({"502": rule})


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, "REJECTED", None])
def test_an_answer_cannot_prove_that_nothing_was_sent(outcome: Outcome) -> None:
    """Whoever answers has been asked: a rule says ACCEPTED, REJECTED or UNKNOWN."""
    with _refused("the outcome of a status is ACCEPTED, REJECTED or UNKNOWN: an answer shows that it was sent"):
        StatusRule(outcome)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNKNOWN])
@pytest.mark.parametrize("again", [RetryMode.ONCE, RetryMode.AFTER_PAUSE, RetryMode.NEW_TOKEN])
def test_only_what_was_refused_may_be_made_again(outcome: Outcome, again: RetryMode) -> None:
    """Never twice: no setting has a message sent again that Routee may have taken."""
    assert StatusRule(Outcome.REJECTED, again).retry is again
    with _refused("only what is REJECTED may be sent again: anything else could arrive twice"):
        StatusRule(outcome, again)


@pytest.mark.parametrize("again", ["once", True, None])
def test_what_follows_a_status_is_an_again(again: RetryMode) -> None:
    """A text or a switch is no rule."""
    with _refused("what follows a status is an RetryMode, such as RetryMode.AFTER_PAUSE"):
        StatusRule(Outcome.REJECTED, again)
