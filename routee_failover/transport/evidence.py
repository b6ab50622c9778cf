"""What one attempt showed, and the one place that decides what it proves. No I/O happens here."""

import attrs

from ..errors import Outcome
from ..values import Value


@attrs.frozen(slots=False, eq=False, repr=False)
class Answer(Value):
    """An HTTP answer, read whole and within its limit."""

    status: int
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    retry_after: float | None = None
    """The pause in seconds that the answer asks for, however it says it."""


@attrs.frozen(slots=False, eq=False, repr=False)
class Evidence(Value):
    """What one attempt showed: whether a byte of the request can have left, and what came back.

    `cause` says in one line why there is no answer; it holds nothing that was sent or received. `lasting` says that
    another try would end the same way.
    """

    begun: bool
    answer: Answer | None = None
    cause: str = ""
    lasting: bool = False


def outcome_of(evidence: Evidence) -> Outcome:
    """What an attempt proves about a message.

    Nothing left: NOT_SENT. 2xx: ACCEPTED. 3xx and 4xx: REJECTED. 503 with Retry-After: REJECTED. Everything else, every
    other 5xx and every missing or broken answer among it, may have been accepted before it went wrong: UNKNOWN.
    """
    answer = evidence.answer
    if answer is None:
        return Outcome.UNKNOWN if evidence.begun else Outcome.NOT_SENT
    if 200 <= answer.status < 300:
        return Outcome.ACCEPTED
    if 300 <= answer.status < 500:
        return Outcome.REJECTED
    if answer.status == 503 and answer.retry_after is not None:
        return Outcome.REJECTED  # inferred: a server that knows when to come back has not taken the message
    return Outcome.UNKNOWN
