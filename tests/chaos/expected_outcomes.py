"""Expected outcome of every fault: the tests hold the client to these rows.

`python -m tests.chaos.expected_outcomes` prints them.
"""

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
    OPEN_CONNECTION_STATUSES,
    UNUSUAL_RESPONSES,
    End,
    Fault,
    http,
)

ACCEPTED, REJECTED, NOT_SENT, UNKNOWN = Outcome.ACCEPTED, Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNKNOWN


class RetryExpectation(StrEnum):
    """Whether the client retries by itself."""

    NO = "no"
    YES = "yes"
    UNSENT = "where it is NOT_SENT"
    STATUS = "where it is NOT_SENT, or as its status says"
    ONCE = "once"
    ONCE_IF_NEW = "once, where the connection was new"
    NEW_TOKEN = "once, if a new token is another one"
    PAUSE = "after the pause"


@attrs.frozen
class ExpectedOutcome:
    """A fault, the outcomes that a send may have when every attempt meets it, and whether the client retries."""

    name: str
    outcomes: tuple[Outcome, ...]
    accepted_counts: tuple[int, ...]
    retried: RetryExpectation = RetryExpectation.NO
    fault: Fault | None = None


def _rows(
    faults: Iterable[Fault], *outcomes: Outcome, retried: RetryExpectation = RetryExpectation.NO
) -> Iterator[ExpectedOutcome]:
    for fault in faults:
        counts = {0 if outcome is NOT_SENT else int(fault.accepts) for outcome in outcomes}
        yield ExpectedOutcome(fault.name, outcomes, (*sorted(counts),), retried, fault)


CONNECTION_ROWS = (
    ExpectedOutcome("a refused connection", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("an unanswered connection", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("the host name does not exist", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("an untrusted certificate", (NOT_SENT,), (0,)),
    ExpectedOutcome("an expired certificate", (NOT_SENT,), (0,)),
    ExpectedOutcome("a certificate for another name", (NOT_SENT,), (0,)),
    ExpectedOutcome("a server that requires a client certificate", (NOT_SENT, UNKNOWN), (0,), RetryExpectation.UNSENT),
    ExpectedOutcome("FIN in the handshake", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("RST in the handshake", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("plain HTTP on the port for TLS", (NOT_SENT,), (0,), RetryExpectation.YES),
    ExpectedOutcome("a handshake that hangs", (NOT_SENT,), (0,), RetryExpectation.YES),
)
"""No connection is established."""

_AT_ACCEPT = tuple(fault for fault in BEFORE_RESPONSE if fault.read_limit == 0 and not fault.hangs)
REQUEST_ROWS = (
    *_rows(_AT_ACCEPT, NOT_SENT, UNKNOWN, retried=RetryExpectation.UNSENT),
    *_rows([HALF_CLOSED], NOT_SENT, UNKNOWN, retried=RetryExpectation.UNSENT),
    *_rows((fault for fault in BEFORE_RESPONSE if fault not in _AT_ACCEPT), UNKNOWN),
    *_rows(EARLY_RESPONSE, REJECTED, UNKNOWN, NOT_SENT, retried=RetryExpectation.STATUS),
)
"""The request is not read completely, or may not be, and nothing that the client sees can prove which."""

_POSSIBLE_OUTCOMES = {OK_THEN_RST.name: (ACCEPTED, UNKNOWN)}
RESPONSE_ROWS = (
    *_rows(BROKEN_RESPONSES, UNKNOWN),
    *(row for fault in UNUSUAL_RESPONSES for row in _rows([fault], *_POSSIBLE_OUTCOMES.get(fault.name, (ACCEPTED,)))),
)
"""The message is accepted, and the response is broken, unusual or good."""

_RETRIED = {
    401: RetryExpectation.NEW_TOKEN,
    403: RetryExpectation.NEW_TOKEN,
    408: RetryExpectation.ONCE,
    425: RetryExpectation.ONCE,
    429: RetryExpectation.PAUSE,
    503: RetryExpectation.PAUSE,
}
ERROR_STATUS_ROWS = (
    *(
        row
        for code, fault in ERROR_STATUSES.items()
        for row in _rows([fault], REJECTED, retried=_RETRIED.get(code, RetryExpectation.NO))
    ),
    *_rows(OPEN_CONNECTION_STATUSES, REJECTED, UNKNOWN, retried=RetryExpectation.ONCE_IF_NEW),
)
"""The message is read and rejected."""

_CONNECTION_ENDS = {
    "FIN on a pooled connection": End.FIN,
    "FIN on a pooled connection, over TLS without close_notify": End.VANISH,
    "RST on a pooled connection": End.RST,
}
STALE_CONNECTION_ROWS = tuple(
    ExpectedOutcome(name, (ACCEPTED,), (1,), RetryExpectation.YES, Fault(name, end=end, waits_for_resume=True))
    for name, end in _CONNECTION_ENDS.items()
)
"""The server closes a connection while it is in the pool; the next one is good."""

_STRAY_DATA = {
    "408": http("408 Request Timeout"),
    "408 with Connection: close": http("408 Request Timeout", b"", "Connection: close"),
    "400": http("400 Bad Request"),
    "a receipt": http("200 OK", b'{"trackingId":"stray","flowId":"stray"}'),
    "half a response": b"HTTP/1.1 400 Ba",
    "data that is not HTTP": b"garbage\r\n\r\n",
}
STRAY_DATA_ROWS = tuple(
    ExpectedOutcome(
        f"{name}, unsolicited, on a pooled connection",
        (ACCEPTED,),
        (1,),
        RetryExpectation.YES,
        Fault(name, waits_for_resume=True, stray_data=data),
    )
    for name, data in _STRAY_DATA.items()
)
"""Data that comes over a connection in the pool. Servers and balancers do send 408 on idle connections."""

CROSSING_ROWS = (
    ExpectedOutcome("408 or 425 that crosses the message, on a connection that stays open", (UNKNOWN,), (1,)),
    ExpectedOutcome(
        "401, 429, or 503 with Retry-After that crosses the message: HTTP/1.1 cannot tell it from the message's own",
        (ACCEPTED, REJECTED, UNKNOWN),
        (0, 1, 2),
        RetryExpectation.STATUS,
    ),
    ExpectedOutcome(
        "any other response that crosses the message: HTTP/1.1 cannot tell it from the message's own",
        (ACCEPTED, REJECTED, UNKNOWN),
        (0, 1),
    ),
)
"""Data that the server sends on a pooled connection while the message is on its way."""

TOKEN_ROWS = (ExpectedOutcome("any of these with the token service", (NOT_SENT,), (0,), RetryExpectation.YES),)
CANCELLATION_ROWS = (
    ExpectedOutcome("a deadline or a cancellation before the first byte", (NOT_SENT,), (0,)),
    ExpectedOutcome("a cancellation after it; observers get the outcome", (ACCEPTED, REJECTED, UNKNOWN), (0, 1)),
)

TABLE = {
    "Before there is a connection": CONNECTION_ROWS,
    "Before there is a token": TOKEN_ROWS,
    "While the request is read": REQUEST_ROWS,
    "Once it is read: rejected": ERROR_STATUS_ROWS,
    "Once it is accepted": RESPONSE_ROWS,
    "In the pool": (*STALE_CONNECTION_ROWS, *STRAY_DATA_ROWS, *CROSSING_ROWS),
    "By the caller": CANCELLATION_ROWS,
}


def markdown() -> str:
    """Return the table in Markdown."""
    lines = ["| fault | outcome | accepted by the server | retried |", "|---|---|---|---|"]
    for section, rows in TABLE.items():
        lines.append(f"| **{section}** | | | |")
        for row in rows:
            outcomes = " or ".join(f"`{outcome}`" for outcome in row.outcomes)
            counts = " or ".join(map(str, row.accepted_counts))
            lines.append(f"| {row.name} | {outcomes} | {counts} | {row.retried} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
