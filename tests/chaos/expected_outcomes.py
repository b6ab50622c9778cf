"""What every fault leads to: the tests hold the client to these rows, and `python -m tests.chaos.expected_outcomes` prints them."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs

from routee_failover import Outcome

from .faults import (
    BEFORE_RESPONSE,
    BROKEN_RESPONSES,
    EARLY_RESPONSE,
    ERROR_STATUSES,
    HALF_CLOSED,
    OK_THEN_RST,
    UNUSUAL_RESPONSES,
    End,
    Fault,
    http,
)

ACCEPTED, REJECTED, NOT_SENT, UNKNOWN = Outcome.ACCEPTED, Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNKNOWN


class RetryExpectation(StrEnum):
    """Whether the client tries again of itself."""

    NO = "no"
    YES = "yes"
    UNSENT = "where it is NOT_SENT"
    STATUS = "where it is NOT_SENT, or as its status says"
    ONCE = "once"
    NEW_TOKEN = "once, if a new token is another one"
    PAUSE = "after the pause"


@attrs.frozen
class ExpectedOutcome:
    """A fault, the outcomes that a send may end in when every try meets it, and whether there is another try."""

    name: str
    outcomes: tuple[Outcome, ...]
    accepted_counts: tuple[int, ...]
    retried: RetryExpectation = RetryExpectation.NO
    fault: Fault | None = None


def _rows(
    faults: Iterable[Fault], *ends: Outcome, retried: RetryExpectation = RetryExpectation.NO
) -> Iterator[ExpectedOutcome]:
    for fault in faults:
        counts = {0 if end is NOT_SENT else int(fault.accepts) for end in ends}
        yield ExpectedOutcome(fault.name, ends, (*sorted(counts),), retried, fault)


CONNECTION_ROWS = (
    ExpectedOutcome("nobody listens", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("nobody answers the connection", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("the host name does not exist", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("an untrusted certificate", (NOT_SENT,), (0,)),
    ExpectedOutcome("an expired certificate", (NOT_SENT,), (0,)),
    ExpectedOutcome("a certificate for another name", (NOT_SENT,), (0,)),
    ExpectedOutcome(
        "a server that wants a certificate of the client", (NOT_SENT, UNKNOWN), (0,), RetryExpectation.UNSENT
    ),
    ExpectedOutcome("FIN in the handshake", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("RST in the handshake", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("plain HTTP on the port for TLS", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("a handshake that hangs", (NOT_SENT,), (0,), RetryExpectation.YES),
)
"""No connection comes to be."""

_AT_ACCEPT = tuple(fault for fault in BEFORE_RESPONSE if fault.read_limit == 0 and not fault.hangs)
REQUEST_ROWS = (
    *_rows(_AT_ACCEPT, NOT_SENT, UNKNOWN, retried=RetryExpectation.UNSENT),
    *_rows([HALF_CLOSED], NOT_SENT, UNKNOWN, retried=RetryExpectation.UNSENT),
    *_rows((fault for fault in BEFORE_RESPONSE if fault not in _AT_ACCEPT), UNKNOWN),
    *_rows(EARLY_RESPONSE, REJECTED, UNKNOWN, NOT_SENT, retried=RetryExpectation.STATUS),
)
"""The request is not read whole, or may not be, which nothing of what the client sees can prove."""

_MAYBE = {OK_THEN_RST.name: (ACCEPTED, UNKNOWN)}
RESPONSE_ROWS = (
    *_rows(BROKEN_RESPONSES, UNKNOWN),
    *(row for fault in UNUSUAL_RESPONSES for row in _rows([fault], *_MAYBE.get(fault.name, (ACCEPTED,)))),
)
"""The message is taken, and what the client hears of it is broken, odd or fine."""

_RETRIED = {
    401: RetryExpectation.NEW_TOKEN,
    403: RetryExpectation.NEW_TOKEN,
    408: RetryExpectation.ONCE,
    425: RetryExpectation.ONCE,
    429: RetryExpectation.PAUSE,
    503: RetryExpectation.PAUSE,
}
ERROR_STATUS_ROWS = tuple(
    row
    for code, fault in ERROR_STATUSES.items()
    for row in _rows([fault], REJECTED, retried=_RETRIED.get(code, RetryExpectation.NO))
)
"""The message is read and refused."""

_ENDS = {
    "FIN on a pooled connection": End.FIN,
    "FIN on a pooled connection, over TLS without a goodbye": End.VANISH,
    "RST on a pooled connection": End.RST,
}
STALE_CONNECTION_ROWS = tuple(
    ExpectedOutcome(name, (ACCEPTED,), (1,), RetryExpectation.YES, Fault(name, end=end, waits_for_resume=True))
    for name, end in _ENDS.items()
)
"""The server closes a connection while it lies in the pool; the next one is fine."""

_WORDS = {
    "408": http("408 Request Timeout"),
    "408 with Connection: close": http("408 Request Timeout", b"", "Connection: close"),
    "400": http("400 Bad Request"),
    "a receipt": http("200 OK", b'{"trackingId":"stray","flowId":"stray"}'),
}
STRAY_DATA_ROWS = tuple(
    ExpectedOutcome(
        f"{name}, unasked, on a pooled connection",
        (ACCEPTED,),
        (1,),
        RetryExpectation.YES,
        Fault(name, waits_for_resume=True, stray_data=words),
    )
    for name, words in _WORDS.items()
)
"""What comes over a connection that lies in the pool. Servers and balancers do say 408 to those that idle."""

TOKEN_ROWS = (ExpectedOutcome("any of these with the token service", (NOT_SENT,), (0,), RetryExpectation.YES),)
CANCELLATION_ROWS = (
    ExpectedOutcome("the deadline passes, or the caller leaves, before the first byte", (NOT_SENT,), (0,)),
    ExpectedOutcome("the caller leaves after it; an observer is told", (ACCEPTED, REJECTED, UNKNOWN), (0, 1)),
)

TABLE = {
    "Before there is a connection": CONNECTION_ROWS,
    "Before there is a token": TOKEN_ROWS,
    "While the request is read": REQUEST_ROWS,
    "Once it is read: refused": ERROR_STATUS_ROWS,
    "Once it is taken": RESPONSE_ROWS,
    "In the pool": (*STALE_CONNECTION_ROWS, *STRAY_DATA_ROWS),
    "At the caller's": CANCELLATION_ROWS,
}


def markdown() -> str:
    """The table, for people."""
    lines = ["| fault | outcome | accepted by the server | retried |", "|---|---|---|---|"]
    for stage, rows in TABLE.items():
        lines.append(f"| **{stage}** | | | |")
        for row in rows:
            ends = " or ".join(f"`{outcome}`" for outcome in row.outcomes)
            taken = " or ".join(map(str, row.accepted_counts))
            lines.append(f"| {row.name} | {ends} | {taken} | {row.retried} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
