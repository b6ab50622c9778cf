"""Faults of one request at the server, by name: how much it reads, how it responds, how the connection ends."""

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
    """A complete request."""

    head: bytes
    body: bytes


class End(Enum):
    """How the connection ends."""

    STAY = auto()
    FIN = auto()
    VANISH = auto()
    """A FIN without a TLS close_notify before it."""
    RST = auto()
    SILENCE = auto()


WHOLE_REQUEST = 10**9
ALL_BUT_ONE_BYTE = -1

ResponseFactory = Callable[[Request], bytes]


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return a complete response."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def receipt(request: Request) -> bytes:
    """Return a receipt for any endpoint, with an echo of the message including its PIN, as Routee's receipts have."""
    return b'{"trackingId":"t-1","flowId":"f-1","echo":%b}' % (request.body or b"null")


def ok_response(request: Request) -> bytes:
    """Return a good response."""
    return http("200 OK", receipt(request))


@attrs.frozen
class Fault:
    """Behaviour of the server for one request.

    It reads `read_limit` bytes of it; where that is the whole request it accepts the message, or not; it responds, in
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
    """Whether it waits for `FaultyServer.resume()` after its response, so that the client has read that."""
    stray_data: bytes = b""
    """Data that it then sends on the connection without a request."""

    @property
    def hangs(self) -> bool:
        """Whether only the client's own timeout ends it."""
        return self.end is End.SILENCE or self.chunk_delay > 0


NO_FAULT = Fault("nothing")
OK_THEN_FIN = Fault("FIN after a good response", end=End.FIN)
OK_THEN_RST = Fault("RST after a good response", end=End.RST)
OK_CONNECTION_CLOSE = Fault(
    "a good response with Connection: close",
    response=lambda request: http("200 OK", receipt(request), "Connection: close"),
    end=End.FIN,
)


def fixed_response(data: bytes) -> ResponseFactory:
    """Return a factory of the same response for every request."""
    return lambda _request: data


def fault_before_response(name: str, read_limit: int, end: End) -> Fault:
    """Return a fault that ends before the whole request is read, and accepts nothing."""
    return Fault(name, read_limit, accepts=False, response=fixed_response(b""), end=end)


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
"""No complete request is read, so nothing can be accepted."""

EARLY_RESPONSE: tuple[Fault, ...] = tuple(
    Fault(
        name,
        read_limit,
        accepts=False,
        response=fixed_response(http(status, b"", "Connection: close", *headers)),
        end=End.FIN,
    )
    for name, read_limit, status, *headers in (
        ("400 at accept", 0, "400 Bad Request"),
        ("503 with Retry-After at accept", 0, "503 Service Unavailable", "Retry-After: 0"),
        ("413 within the headers", 64, "413 Content Too Large"),
        ("408 within the headers", 64, "408 Request Timeout"),
    )
)
"""It rejects without having read the whole request, and closes."""


def truncated_response(share: float) -> ResponseFactory:
    """Return a factory of a good response of which only the first part is sent."""
    return lambda request: ok_response(request)[: int(len(ok_response(request)) * share)]


def ok_with_headers(*headers: str, length: int | None = None) -> ResponseFactory:
    """Return a factory of a receipt with given headers; `length` is added to the correct Content-Length."""

    def respond(request: Request) -> bytes:
        body = receipt(request)
        lengths = [] if length is None else [f"Content-Length: {len(body) + length}"]
        return "\r\n".join(("HTTP/1.1 200 OK", *lengths, *headers, "", "")).encode("latin-1") + body

    return respond


def gzipped_response(request: Request) -> bytes:
    """Return a receipt in gzip, long enough to be cut."""
    return gzip.compress(receipt(request), mtime=0)


CHUNKED = "Transfer-Encoding: chunked"
GZIP = "Content-Encoding: gzip"


def chunked(*chunks: bytes) -> bytes:
    """Return a response in chunks, without the last chunk."""
    return f"HTTP/1.1 200 OK\r\n{CHUNKED}\r\n\r\n".encode() + b"".join(chunks)


@cache
def gzip_bomb(mebibytes: int = 200) -> bytes:
    """Return a response of about a kilobyte for each MiB that it has when it is decompressed."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(b'{"trackingId":"t-1","flowId":"f-1","x":"')]
    parts += [packer.compress(b" " * 2**20) for _ in range(mebibytes)]
    return http("200 OK", b"".join((*parts, packer.compress(b'"}'), packer.flush())), GZIP)


BROKEN_RESPONSES: tuple[Fault, ...] = (
    Fault("FIN instead of a response", response=fixed_response(b""), end=End.FIN),
    Fault("RST instead of a response", response=fixed_response(b""), end=End.RST),
    Fault("no response", response=fixed_response(b""), end=End.SILENCE),
    Fault("a response in single bytes with pauses", chunk_size=1, chunk_delay=0.05),
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
    Fault("an invalid status", response=fixed_response(b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n"), end=End.FIN),
    Fault("Content-Length too long, then FIN", response=ok_with_headers(length=9), end=End.FIN),
    Fault("Content-Length too long, then silence", response=ok_with_headers(length=9), end=End.SILENCE),
    Fault("Content-Length too short", response=ok_with_headers(length=-9), end=End.STAY),
    Fault("an invalid Content-Length", response=ok_with_headers("Content-Length: many"), end=End.FIN),
    Fault("two Content-Lengths", response=ok_with_headers("Content-Length: 2", length=0), end=End.FIN),
    Fault("a negative Content-Length", response=ok_with_headers("Content-Length: -1"), end=End.FIN),
    Fault("an invalid chunk size", response=fixed_response(chunked(b"zz\r\n{}\r\n")), end=End.FIN),
    Fault("a truncated chunk", response=fixed_response(chunked(b"ff\r\n{")), end=End.FIN),
    Fault("chunks without an end", response=fixed_response(chunked(b"2\r\n{}\r\n")), end=End.FIN),
    Fault("invalid gzip", response=ok_with_headers(GZIP, length=0)),
    Fault("truncated gzip", response=lambda request: http("200 OK", gzipped_response(request)[:-12], GZIP)),
    Fault(
        "an unknown encoding",
        response=lambda request: http("200 OK", gzipped_response(request), "Content-Encoding: br"),
    ),
    Fault("a gzip bomb", response=lambda _request: gzip_bomb(8), end=End.FIN),
    Fault("a header too long", response=ok_with_headers(f"X: {'y' * 70_000}", length=0), end=End.FIN),
    Fault("too many headers", response=ok_with_headers(*["X: y"] * 3_000, length=0), end=End.FIN),
    Fault("a body that is not JSON", response=fixed_response(http("200 OK", b"<html>KanariPin</html>"))),
    Fault(
        "a body that is not UTF-8", response=fixed_response(http("200 OK", b'{"trackingId":"\xff","flowId":"\xff"}'))
    ),
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
"""The message was accepted, and the response does not say so."""

HALF_CLOSED = Fault("FIN at accept from a server that still reads", end=End.FIN, half_closed=True)


def chunked_response(request: Request) -> bytes:
    """Return a good response in one chunk."""
    return chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(receipt(request)), receipt(request)))


def informational_then_ok(first: bytes) -> ResponseFactory:
    """Return a factory of an informational response and then a good one."""
    return lambda request: first + ok_response(request)


UNUSUAL_RESPONSES: tuple[Fault, ...] = (
    NO_FAULT,
    Fault("a response in single bytes", chunk_size=1),
    OK_THEN_FIN,
    OK_THEN_RST,
    OK_CONNECTION_CLOSE,
    Fault("a response in chunks", response=chunked_response),
    Fault("a response in gzip", response=lambda request: http("200 OK", gzipped_response(request), GZIP)),
    Fault("a response that ends with the connection", response=ok_with_headers(), end=End.FIN),
    Fault("201", response=lambda request: http("201 Created", receipt(request))),
    Fault("299", response=lambda request: http("299 Whatever", receipt(request))),
    Fault("100 Continue before the response", response=informational_then_ok(b"HTTP/1.1 100 Continue\r\n\r\n")),
    Fault(
        "103 Early Hints before the response",
        response=informational_then_ok(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 5),
    ),
)
"""The message was accepted, and the response says so in a way that HTTP allows."""


FAILED_FLOW = Fault(
    "200 whose status is Failed",
    accepts=False,
    response=fixed_response(
        http("200 OK", b'{"flowId":"f-1","status":"Failed","statusCode":1,"error":"insufficient balance"}')
    ),
)
"""How Routee rejects a failover OTP flow (https://docs.routee.net/reference/send-a-failover-otp-message)."""


def status_fault(code: int, *headers: str, accepts: bool) -> Fault:
    """Return a fault that responds with a status: a receipt, or a rejection that quotes the message with its PIN."""
    try:
        reason = HTTPStatus(code).phrase
    except ValueError:
        reason = "Whatever"

    def respond(request: Request) -> bytes:
        if code in {204, 304}:  # these have no body
            return f"HTTP/1.1 {code} {reason}\r\n\r\n".encode()
        if code < 300:
            return http(f"{code} {reason}", receipt(request))
        body = json.dumps({"developerMessage": f"no: {request.body.decode()}"})
        return http(f"{code} {reason}", body.encode(), *headers)

    names = (header if header == CLOSE else header.partition(":")[0] for header in headers)
    return Fault(" with ".join([str(code), *names]), accepts=accepts, response=respond)


CLOSE = "Connection: close"


ERROR_STATUSES: Mapping[int, Fault] = {
    code: status_fault(code, *headers, accepts=False)
    for code, headers in {
        301: ("Location: /failover",),
        302: ("Location: /failover",),
        307: ("Location: /failover",),
        308: ("Location: /failover",),
        400: (),
        401: (),
        403: (),
        404: (),
        408: (CLOSE,),
        409: (),
        413: (),
        415: (),
        422: (),
        425: (CLOSE,),
        429: ("Retry-After: 0",),
        503: ("Retry-After: 0",),
    }.items()
}
"""The message was read and rejected."""

OPEN_CONNECTION_STATUSES = (status_fault(408, accepts=False), status_fault(425, accepts=False))
"""The same, and the connection stays open: such a response may belong to no message."""

ALL_FAULTS: tuple[Fault, ...] = (
    *[NO_FAULT] * 20,
    *BEFORE_RESPONSE,
    *EARLY_RESPONSE,
    HALF_CLOSED,
    *BROKEN_RESPONSES,
    *UNUSUAL_RESPONSES,
    *ERROR_STATUSES.values(),
    *OPEN_CONNECTION_STATUSES,
)
"""All of them, to choose from, with a share of requests without a fault."""
