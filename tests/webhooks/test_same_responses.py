"""One table of requests for both receivers: they respond alike, and the effect on the inbox is the same."""

import functools
import gzip
import logging
import zlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from routee_failover import CallbackInbox

from .payloads import NEW, PIN, body_of
from .recorders import RecordingObserver
from .servers import MOUNT_PATH, SERVERS, Serve
from .test_receivers import EVERYWHERE

_compress = functools.partial(gzip.compress, mtime=0)  # by itself it would contain the time
BODY = body_of(NEW)
LIMIT = 5000
"""Maximum size of a body in these tests."""


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


class Case(NamedTuple):
    """A request, and what both receivers do with it."""

    body: bytes
    status: int
    encoding: str | None = None
    method: str = "POST"
    content_type: str = "application/json"


_GZIP, _DEFLATE = _compress(BODY), zlib.compress(BODY)
CASES = {
    "plain": Case(BODY, 200),
    "identity": Case(BODY, 200, "identity"),
    "an encoding that does not exist": Case(BODY, 200, "utf-8"),
    "gzip": Case(_GZIP, 200, "gzip"),
    "gzip in capitals": Case(_GZIP, 200, "GZip"),
    "x-gzip": Case(_GZIP, 200, "x-gzip"),
    "deflate": Case(_DEFLATE, 200, "deflate"),
    "deflate without its header": Case(_raw_deflate(BODY), 200, "deflate"),
    "gzip in two members": Case(_compress(BODY[:100]) + _compress(BODY[100:]), 200, "gzip"),
    "deflate in two members": Case(zlib.compress(BODY[:100]) + zlib.compress(BODY[100:]), 200, "deflate"),
    "gzip without its checksum": Case(_GZIP[:-8], 200, "gzip"),
    "deflate without its checksum": Case(_DEFLATE[:-4], 400, "deflate"),
    "gzip at the limit": Case(_compress(BODY.ljust(LIMIT)), 200, "gzip"),
    "gzip above the limit": Case(_compress(BODY.ljust(LIMIT + 1)), 413, "gzip"),
    "x-gzip above the limit": Case(_compress(BODY.ljust(LIMIT + 1)), 413, "x-gzip"),
    "deflate above the limit": Case(zlib.compress(BODY.ljust(LIMIT + 1)), 413, "deflate"),
    "decompression bomb": Case(_compress(BODY.ljust(4_000_000)), 413, "gzip"),
    "bomb of two members": Case(_compress(BODY.ljust(LIMIT)) + _compress(b" " * 1_000_000), 413, "gzip"),
    "bomb of empty members": Case(_compress(b"") * 240, 400, "gzip"),
    "gzip cut off": Case(_GZIP[:-100], 400, "gzip"),
    "gzip with a wrong checksum": Case(_GZIP[:-8] + bytes(8), 400, "gzip"),
    "gzip and garbage": Case(_GZIP + b"garbage", 400, "gzip"),
    "gzip that is plain": Case(BODY, 400, "gzip"),
    "x-gzip that is plain": Case(BODY, 400, "x-gzip"),
    "deflate that is plain": Case(BODY, 400, "deflate"),
    "gzip that is deflate": Case(_DEFLATE, 400, "gzip"),
    "gzip that is not declared": Case(_GZIP, 400),
    "gzip of gzip": Case(_compress(_GZIP), 400, "gzip"),
    "gzip of gzip, declared": Case(_compress(_GZIP), 400, "gzip, gzip"),
    "gzip of nothing": Case(_compress(b""), 400, "gzip"),
    "nothing, as gzip": Case(b"", 400, "gzip"),
    "nothing, as deflate": Case(b"", 400, "deflate"),
    "brotli": Case(b"\x0b\x02\x80{}\x03", 400, "br"),
    "brotli that is plain": Case(BODY, 400, "br"),
    "zstandard": Case(b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00{}", 400, "zstd"),
    "zstandard that is plain": Case(BODY, 400, "ZSTD"),
    "nothing": Case(b"", 400),
    "no JSON": Case(b"{", 400),
    "no callback": Case(body_of({"pin": PIN}), 400),
    "UTF-16": Case(BODY.decode().encode("utf-16"), 200),
    "at the limit": Case(BODY.ljust(LIMIT), 200),
    "above the limit": Case(BODY.ljust(LIMIT + 1), 413),
    "a form": Case(BODY, 200, content_type="application/x-www-form-urlencoded"),
    "multipart": Case(BODY, 200, content_type="multipart/form-data; boundary=x"),
    "PUT": Case(BODY, 405, method="PUT"),
    "GET": Case(b"", 405, method="GET"),
    "HEAD": Case(b"", 405, method="HEAD"),
    "OPTIONS": Case(b"", 405, method="OPTIONS"),
    "DELETE": Case(BODY, 405, method="DELETE"),
    "a bomb that is PUT": Case(_compress(bytes(100_000)), 405, "gzip", method="PUT"),
}
_REJECTED_BY_THE_SERVER = {
    "brotli",
    "brotli that is plain",
    "zstandard",
    "zstandard that is plain",
    "deflate without its checksum",
}
"""aiohttp's parser may reject these before a handler sees them: a 400 with a text and a log line of its own."""


class Effect(NamedTuple):
    """What a request did, as its sender and the inbox see it."""

    status: int
    text: str
    headers: dict[str, str]
    pending: list[dict[str, Any]]
    rejected: list[int]


async def _effect_of(serve: Serve, case: Case, *, chunked: bool) -> Effect:
    async def chunks() -> AsyncIterator[bytes]:
        half = len(case.body) // 2
        yield case.body[:half]
        yield case.body[half:]

    observer = RecordingObserver()
    inbox = CallbackInbox(observers=[observer])
    headers = {"Content-Type": case.content_type} | ({"Content-Encoding": case.encoding} if case.encoding else {})
    # As a payload, the body is sent as it is: aiohttp would compress it itself.
    body = aiohttp.AsyncIterablePayload(chunks()) if chunked else aiohttp.BytesPayload(case.body)
    async with serve(inbox, None, max_body_size=LIMIT) as url, aiohttp.ClientSession() as session:
        async with session.request(case.method, url + MOUNT_PATH + "/x", data=body, headers=headers) as response:
            names = ("Allow", "Connection", "Content-Type")
            shown = {name: response.headers[name].lower() for name in names if name in response.headers}
            text = await response.text()
        pending = [(await anext(inbox)).record.raw for _ in range(inbox.pending)]
        return Effect(response.status, text, shown, pending, observer.rejected)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("name", CASES)
async def test_both_receivers_respond_alike(name: str, chunked: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A request gets the same status, text and headers from both receivers, and leaves the same in the inbox."""
    case = CASES[name]
    caplog.set_level(logging.INFO)
    asgi = await _effect_of(SERVERS["asgi standalone"], case, chunked=chunked)
    assert asgi.status == case.status
    assert asgi.pending == ([NEW] if case.status == 200 else [])
    assert asgi.rejected == ([] if case.status == 200 else [case.status])
    aiohttp_ = await _effect_of(SERVERS["aiohttp"], case, chunked=chunked)
    if name in _REJECTED_BY_THE_SERVER and not aiohttp_.rejected:
        assert (aiohttp_.status, aiohttp_.pending) == (400, [])
    else:
        assert aiohttp_ == asgi
        assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@EVERYWHERE
@pytest.mark.parametrize("path", ["", "/", "/x"])
async def test_without_a_signer_no_response_is_a_redirect(serve: Serve, path: str) -> None:
    """A receiver without a signer responds at the URL of its mount itself, with a slash or without: no redirect."""
    inbox = CallbackInbox()
    async with serve(inbox, None) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}{MOUNT_PATH}{path}", data=BODY, allow_redirects=False) as response:
            assert response.status == 200
        assert inbox.pending == 1
