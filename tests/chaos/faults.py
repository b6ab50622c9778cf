"""What can go wrong with one request at the server, a name for each: how much it reads, what it says, how it ends."""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

import attrs


class Request(NamedTuple):
    """A whole request."""

    head: bytes
    body: bytes


class End(Enum):
    """What becomes of the connection."""

    STAY = auto()
    FIN = auto()
    VANISH = auto()
    """A FIN that comes, over TLS, without a goodbye."""
    RST = auto()
    SILENCE = auto()


WHOLE_REQUEST = 10**9
ALL_BUT_ONE_BYTE = -1

ResponseFactory = Callable[[Request], bytes]


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def receipt(request: Request) -> bytes:
    """A receipt that every endpoint's reader takes, with an echo of the message, its PIN included, as Routee's have."""
    return b'{"trackingId":"t-1","flowId":"f-1","echo":%b}' % (request.body or b"null")


def ok_response(request: Request) -> bytes:
    """A good answer."""
    return http("200 OK", receipt(request))


@attrs.frozen
class Fault:
    """What the server does to one request.

    It reads `reads` bytes of it; where that is the whole request it takes the message, or not; it says something, in
    pieces or at once; then it ends the connection or keeps it.
    """

    name: str
    read_limit: int = WHOLE_REQUEST
    accepts: bool = True
    response: ResponseFactory = ok_response
    end: End = End.STAY
    chunk_size: int = 0
    chunk_delay: float = 0.0
    half_closed: bool = False
    """Whether it sends its FIN before it reads, which a server may: it can still read."""
    waits_for_resume: bool = False
    """Whether it waits for `FaultyServer.go_on()` once it has answered, so that the client has read its answer."""
    stray_data: bytes = b""
    """What it then says to a connection that has asked nothing since."""

    @property
    def hangs(self) -> bool:
        """Whether only the client's own patience ends it."""
        return self.end is End.SILENCE or self.chunk_delay > 0


NO_FAULT = Fault("nothing")
OK_THEN_FIN = Fault("FIN after a good answer", end=End.FIN)
OK_THEN_RST = Fault("RST after a good answer", end=End.RST)
OK_CONNECTION_CLOSE = Fault(
    "a good answer with Connection: close",
    response=lambda request: http("200 OK", receipt(request), "Connection: close"),
    end=End.FIN,
)


def fixed_response(data: bytes) -> ResponseFactory:
    """The same whatever is asked."""
    return lambda _request: data


def fault_before_response(name: str, reads: int, end: End) -> Fault:
    """It ends before it has read the whole request, and takes nothing."""
    return Fault(name, reads, accepts=False, response=fixed_response(b""), end=end)


BEFORE_RESPONSE: tuple[Fault, ...] = (
    fault_before_response("FIN at accept", 0, End.FIN),
    fault_before_response("RST at accept", 0, End.RST),
    fault_before_response("FIN after the first byte", 1, End.FIN),
    fault_before_response("RST after the first byte", 1, End.RST),
    fault_before_response("FIN within the headers", 64, End.FIN),
    fault_before_response("RST within the headers", 64, End.RST),
    fault_before_response("FIN one byte before the end", ALL_BUT_ONE_BYTE, End.FIN),
    fault_before_response("RST one byte before the end", ALL_BUT_ONE_BYTE, End.RST),
    fault_before_response("never reads", 0, End.SILENCE),
    fault_before_response("stops reading within the headers", 64, End.SILENCE),
)
"""No whole request is read, so nothing can be taken."""

EARLY_RESPONSE: tuple[Fault, ...] = tuple(
    Fault(
        name,
        reads,
        accepts=False,
        response=fixed_response(http(status, b"", "Connection: close", *headers)),
        end=End.FIN,
    )
    for name, reads, status, *headers in (
        ("400 at accept", 0, "400 Bad Request"),
        ("503 with Retry-After at accept", 0, "503 Service Unavailable", "Retry-After: 0"),
        ("413 within the headers", 64, "413 Content Too Large"),
        ("408 within the headers", 64, "408 Request Timeout"),
    )
)
"""It refuses without having read the whole request, and leaves."""


def truncated_response(share: float) -> ResponseFactory:
    """A good answer of which only the first part is said."""
    return lambda request: ok_response(request)[: int(len(ok_response(request)) * share)]


def ok_with_headers(*headers: str, length: int | None = None) -> ResponseFactory:
    """A receipt with headers of one's own; `length` is added to what Content-Length ought to be."""

    def say(request: Request) -> bytes:
        body = receipt(request)
        lengths = [] if length is None else [f"Content-Length: {len(body) + length}"]
        return "\r\n".join(("HTTP/1.1 200 OK", *lengths, *headers, "", "")).encode("latin-1") + body

    return say


def gzipped_response(request: Request) -> bytes:
    """A receipt in gzip, as long as its parts need to be to be cut."""
    return gzip.compress(receipt(request), mtime=0)


CHUNKED = "Transfer-Encoding: chunked"
GZIP = "Content-Encoding: gzip"


def chunked(*chunks: bytes) -> bytes:
    """An answer in chunks, which do not end."""
    return f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n".encode() + b"".join(chunks)


@cache
def gzip_bomb(mebibytes: int = 200) -> bytes:
    """An answer of about a kilobyte for each MiB that it becomes when it is unpacked."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(b'{"trackingId":"t-1","flowId":"f-1","x":"')]
    parts += [packer.compress(b" " * 2**20) for _ in range(mebibytes)]
    return http("200 OK", b"".join((*parts, packer.compress(b'"}'), packer.flush())), GZIP)


BROKEN_RESPONSES: tuple[Fault, ...] = (
    Fault("FIN instead of an answer", response=fixed_response(b""), end=End.FIN),
    Fault("RST instead of an answer", response=fixed_response(b""), end=End.RST),
    Fault("no answer", response=fixed_response(b""), end=End.SILENCE),
    Fault("an answer that drips", chunk_size=1, chunk_delay=0.05),
    Fault("half a status line", response=fixed_response(b"HTTP/1.1 20"), end=End.FIN),
    Fault("half the headers", response=fixed_response(b"HTTP/1.1 200 OK\r\nX: y\r\n"), end=End.FIN),
    Fault(
        "headers and then silence",
        response=fixed_response(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        end=End.SILENCE,
    ),
    Fault("FIN within the body", response=truncated_response(0.8), end=End.FIN),
    Fault("RST within the body", response=truncated_response(0.8), end=End.RST),
    Fault("silence within the body", response=truncated_response(0.8), end=End.SILENCE),
    Fault("a garbage status line", response=fixed_response(b"\x16\x03\x01garbage KanariPin\r\n\r\n"), end=End.FIN),
    Fault("another protocol", response=fixed_response(b"220 mail.example ESMTP\r\n"), end=End.FIN),
    Fault(
        "a status that is none", response=fixed_response(b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"), end=End.FIN
    ),
    Fault("Content-Length too long, then FIN", response=ok_with_headers(length=9), end=End.FIN),
    Fault("Content-Length too long, then silence", response=ok_with_headers(length=9), end=End.SILENCE),
    Fault("Content-Length too short", response=ok_with_headers(length=-9), end=End.STAY),
    Fault("a Content-Length that is none", response=ok_with_headers("Content-Length: many"), end=End.FIN),
    Fault("two Content-Lengths", response=ok_with_headers("Content-Length: 2", length=0), end=End.FIN),
    Fault("a negative Content-Length", response=ok_with_headers("Content-Length: -1"), end=End.FIN),
    Fault("a chunk of no size", response=fixed_response(chunked(b"zz\r\n{}\r\n")), end=End.FIN),
    Fault("a chunk that breaks off", response=fixed_response(chunked(b"ff\r\n{")), end=End.FIN),
    Fault("chunks without an end", response=fixed_response(chunked(b"2\r\n{}\r\n")), end=End.FIN),
    Fault("gzip that is none", response=ok_with_headers(GZIP, length=0)),
    Fault("gzip that breaks off", response=lambda request: http("200 OK", gzipped_response(request)[:-12], GZIP)),
    Fault(
        "an unknown encoding",
        response=lambda request: http("200 OK", gzipped_response(request), "Content-Encoding: br"),
    ),
    Fault("a gzip bomb", response=lambda _request: gzip_bomb(8), end=End.FIN),
    Fault("a header too long", response=ok_with_headers(f"X: {'y' * 70_000}", length=0), end=End.FIN),
    Fault("too many headers", response=ok_with_headers(*["X: y"] * 3_000, length=0), end=End.FIN),
    Fault("a body that is no JSON", response=fixed_response(http("200 OK", b"<html>KanariPin</html>"))),
    Fault("a body that is no UTF-8", response=fixed_response(http("200 OK", b'{"trackingId":"\xff","flowId":"\xff"}'))),
    Fault("a body without an id", response=fixed_response(http("200 OK", b'{"status":"Queued"}'))),
    Fault("a body nested too deep", response=fixed_response(http("200 OK", b"[" * 100_000))),
    Fault("an empty body", response=fixed_response(http("200 OK"))),
    Fault("204 No Content", response=fixed_response(b"HTTP/1.1 204 No Content\r\n\r\n")),
    Fault("500", response=fixed_response(http("500 Internal Server Error", b'{"message":"KanariPin"}'))),
    Fault("502", response=fixed_response(http("502 Bad Gateway", b"<html></html>")), end=End.FIN),
    Fault("503 without Retry-After", response=fixed_response(http("503 Service Unavailable"))),
    Fault("504", response=fixed_response(http("504 Gateway Timeout"))),
    Fault("599", response=fixed_response(http("599 Whatever"))),
    Fault("600", response=fixed_response(http("600 Whatever"))),
    Fault("101 Switching Protocols", response=fixed_response(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), end=End.FIN),
    Fault("100 Continue and then FIN", response=fixed_response(b"HTTP/1.1 100 Continue\r\n\r\n"), end=End.FIN),
)
"""The message was taken, and the answer does not say so."""

HALF_CLOSED = Fault("FIN at accept from a server that reads on", end=End.FIN, half_closed=True)


def chunked_response(request: Request) -> bytes:
    """A good answer in one chunk."""
    return chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(receipt(request)), receipt(request)))


def informational_then_ok(first: bytes) -> ResponseFactory:
    """Something that is no answer yet, and then a good one."""
    return lambda request: first + ok_response(request)


UNUSUAL_RESPONSES: tuple[Fault, ...] = (
    NO_FAULT,
    Fault("an answer in single bytes", chunk_size=1),
    OK_THEN_FIN,
    OK_THEN_RST,
    OK_CONNECTION_CLOSE,
    Fault("an answer in chunks", response=chunked_response),
    Fault("an answer in gzip", response=lambda request: http("200 OK", gzipped_response(request), GZIP)),
    Fault("an answer that ends with the connection", response=ok_with_headers(), end=End.FIN),
    Fault("201", response=lambda request: http("201 Created", receipt(request))),
    Fault("299", response=lambda request: http("299 Whatever", receipt(request))),
    Fault("100 Continue before the answer", response=informational_then_ok(b"HTTP/1.1 100 Continue\r\n\r\n")),
    Fault(
        "103 Early Hints before the answer",
        response=informational_then_ok(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 5),
    ),
)
"""The message was taken, and the answer says so in a way that servers may."""


FAILED_FLOW = Fault(
    "200 whose status is Failed",
    accepts=False,
    response=fixed_response(
        http("200 OK", b'{"flowId":"f-1","status":"Failed","statusCode":1,"error":"insufficient balance"}')
    ),
)
"""How Routee refuses a failover OTP flow (https://docs.routee.net/reference/send-a-failover-otp-message)."""


def status_fault(code: int, *headers: str, takes: bool) -> Fault:
    """An answer with a status: a receipt, or a refusal that quotes the whole message, PIN and all."""
    try:
        reason = HTTPStatus(code).phrase
    except ValueError:
        reason = "Whatever"

    def say(request: Request) -> bytes:
        if code in {204, 304}:  # these have no body
            return f"HTTP/1.1 {code} {reason}\r\n\r\n".encode()
        if code < 300:
            return http(f"{code} {reason}", receipt(request))
        words = json.dumps({"developerMessage": f"no: {request.body.decode()}"})
        return http(f"{code} {reason}", words.encode(), *headers)

    return Fault(
        " with ".join([str(code), *(header.partition(":")[0] for header in headers)]), accepts=takes, response=say
    )


ERROR_STATUSES: Mapping[int, Fault] = {
    code: status_fault(code, *headers, takes=False)
    for code, headers in {
        301: ("Location: /failover",),
        302: ("Location: /failover",),
        307: ("Location: /failover",),
        308: ("Location: /failover",),
        400: (),
        401: (),
        403: (),
        404: (),
        408: (),
        409: (),
        413: (),
        415: (),
        422: (),
        425: (),
        429: ("Retry-After: 0",),
        503: ("Retry-After: 0",),
    }.items()
}
"""The message was read and refused."""

ALL_FAULTS: tuple[Fault, ...] = (
    *[NO_FAULT] * 20,
    *BEFORE_RESPONSE,
    *EARLY_RESPONSE,
    HALF_CLOSED,
    *BROKEN_RESPONSES,
    *UNUSUAL_RESPONSES,
    *ERROR_STATUSES.values(),
)
"""All of them, to draw from, and some more that are none."""
