"""What every fault leads to: the tests hold the client to these rows, and `python -m tests.chaos.table` prints them."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import attrs

from routee_failover import Outcome

from .faults import BEFORE, BROKEN_ANSWERS, EARLY, HALF_CLOSED, ODD_ANSWERS, REFUSALS, WELL_AND_RESETS, End, Fault, http

ACCEPTED, REJECTED, NOT_SENT, UNKNOWN = Outcome.ACCEPTED, Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNKNOWN


class Retried(StrEnum):
    """Whether the client tries again of itself."""

    NO = "no"
    YES = "yes"
    UNSENT = "where it is NOT_SENT"
    STATUS = "where it is NOT_SENT, or as its status says"
    ONCE = "once"
    NEW_TOKEN = "once, if a new token is another one"
    PAUSE = "after the pause"


@attrs.frozen
class Row:
    """A fault, the outcomes that a send may end in when every try meets it, and whether there is another try."""

    name: str
    outcomes: tuple[Outcome, ...]
    taken: tuple[int, ...]
    retried: Retried = Retried.NO
    fault: Fault | None = None


def _rows(faults: Iterable[Fault], *ends: Outcome, retried: Retried = Retried.NO) -> Iterator[Row]:
    for fault in faults:
        counts = {0 if end is NOT_SENT else int(fault.takes) for end in ends}
        yield Row(fault.name, ends, (*sorted(counts),), retried, fault)


CONNECTING = (
    Row("nobody listens", (NOT_SENT,), (0,), Retried.YES),
    Row("nobody answers the connection", (NOT_SENT,), (0,), Retried.YES),
    Row("the host name does not exist", (NOT_SENT,), (0,), Retried.YES),
    Row("an untrusted certificate", (NOT_SENT,), (0,)),
    Row("an expired certificate", (NOT_SENT,), (0,)),
    Row("a certificate for another name", (NOT_SENT,), (0,)),
    Row("a server that wants a certificate of the client", (NOT_SENT, UNKNOWN), (0,), Retried.UNSENT),
    Row("FIN in the handshake", (NOT_SENT,), (0,), Retried.YES),
    Row("RST in the handshake", (NOT_SENT,), (0,), Retried.YES),
    Row("plain HTTP on the port for TLS", (NOT_SENT,), (0,), Retried.YES),
    Row("a handshake that hangs", (NOT_SENT,), (0,), Retried.YES),
)
"""No connection comes to be."""

_AT_ACCEPT = tuple(fault for fault in BEFORE if fault.reads == 0 and not fault.hangs)
REQUESTS = (
    *_rows(_AT_ACCEPT, NOT_SENT, UNKNOWN, retried=Retried.UNSENT),
    *_rows([HALF_CLOSED], NOT_SENT, UNKNOWN, retried=Retried.UNSENT),
    *_rows((fault for fault in BEFORE if fault not in _AT_ACCEPT), UNKNOWN),
    *_rows(EARLY, REJECTED, UNKNOWN, NOT_SENT, retried=Retried.STATUS),
)
"""The request is not read whole, or may not be, which nothing of what the client sees can prove."""

_MAYBE = {WELL_AND_RESETS.name: (ACCEPTED, UNKNOWN)}
ANSWERS = (
    *_rows(BROKEN_ANSWERS, UNKNOWN),
    *(row for fault in ODD_ANSWERS for row in _rows([fault], *_MAYBE.get(fault.name, (ACCEPTED,)))),
)
"""The message is taken, and what the client hears of it is broken, odd or fine."""

_RETRIED = {
    401: Retried.NEW_TOKEN,
    403: Retried.NEW_TOKEN,
    408: Retried.ONCE,
    425: Retried.ONCE,
    429: Retried.PAUSE,
    503: Retried.PAUSE,
}
REFUSED = tuple(
    row for code, fault in REFUSALS.items() for row in _rows([fault], REJECTED, retried=_RETRIED.get(code, Retried.NO))
)
"""The message is read and refused."""

_ENDS = {
    "FIN on a pooled connection": End.FIN,
    "FIN on a pooled connection, over TLS without a goodbye": End.VANISH,
    "RST on a pooled connection": End.RST,
}
STALE = tuple(
    Row(name, (ACCEPTED,), (1,), Retried.YES, Fault(name, end=end, lingers=True)) for name, end in _ENDS.items()
)
"""The server closes a connection while it lies in the pool; the next one is fine."""

_WORDS = {
    "408": http("408 Request Timeout"),
    "408 with Connection: close": http("408 Request Timeout", b"", "Connection: close"),
    "400": http("400 Bad Request"),
    "a receipt": http("200 OK", b'{"trackingId":"stray","flowId":"stray"}'),
}
STRAY = tuple(
    Row(
        f"{name}, unasked, on a pooled connection",
        (ACCEPTED,),
        (1,),
        Retried.YES,
        Fault(name, lingers=True, stray=words),
    )
    for name, words in _WORDS.items()
)
"""What comes over a connection that lies in the pool. Servers and balancers do say 408 to those that idle."""

TOKENS = (Row("any of these with the token service", (NOT_SENT,), (0,), Retried.YES),)
LEAVING = (
    Row("the deadline passes, or the caller leaves, before the first byte", (NOT_SENT,), (0,)),
    Row("the caller leaves after it; an observer is told", (ACCEPTED, REJECTED, UNKNOWN), (0, 1)),
)

TABLE = {
    "Before there is a connection": CONNECTING,
    "Before there is a token": TOKENS,
    "While the request is read": REQUESTS,
    "Once it is read: refused": REFUSED,
    "Once it is taken": ANSWERS,
    "In the pool": (*STALE, *STRAY),
    "At the caller's": LEAVING,
}


def markdown() -> str:
    """The table, for people."""
    lines = ["| fault | outcome | accepted by the server | retried |", "|---|---|---|---|"]
    for stage, rows in TABLE.items():
        lines.append(f"| **{stage}** | | | |")
        for row in rows:
            ends = " or ".join(f"`{outcome}`" for outcome in row.outcomes)
            taken = " or ".join(map(str, row.taken))
            lines.append(f"| {row.name} | {ends} | {taken} | {row.retried} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
