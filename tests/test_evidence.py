"""What each answer, and each lack of one, proves about a message."""

import pickle

import pytest

from routee_failover import Outcome
from routee_failover.evidence import Answer, Evidence, outcome_of


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
    proven = {status: outcome_of(Evidence(True, Answer(status, b"", retry_after))) for status in range(100, 600)}
    assert proven == {status: _proven(status, retry_after) for status in range(100, 600)}


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
@pytest.mark.parametrize("retry_after", [None, 1.0])
def test_a_status_that_http_does_not_know_proves_nothing(status: int, retry_after: float | None) -> None:
    """A number outside of HTTP's is no answer to rely on."""
    assert outcome_of(Evidence(begun=True, answer=Answer(status, b"", retry_after))) is Outcome.UNKNOWN


@pytest.mark.parametrize("lasting", [True, False])
@pytest.mark.parametrize(("begun", "outcome"), [(True, Outcome.UNKNOWN), (False, Outcome.NOT_SENT)])
def test_without_an_answer_the_first_byte_decides(begun: bool, outcome: Outcome, lasting: bool) -> None:
    """No answer: NOT_SENT where no byte can have left, UNKNOWN where one can."""
    assert outcome_of(Evidence(begun=begun, cause="x", lasting=lasting)) is outcome


def test_evidence_shows_no_body() -> None:
    """The repr of evidence says how long a body is, not what is in it."""
    evidence = Evidence(begun=True, answer=Answer(200, b"canary"))
    assert "<6 bytes>" in repr(evidence)
    assert "canary" not in repr(evidence)
    assert pickle.loads(pickle.dumps(evidence)) == evidence
