"""`RequestBody`: decompressed within its limit, however its chunks are cut."""

import functools
import gzip
import zlib

import pytest

from routee_failover.webhooks.request_body import RejectedBody, RequestBody

_compress = functools.partial(gzip.compress, mtime=0)  # by itself it would contain the time
DATA = b'{"key": "value"}' * 50
COMPRESSED = {"gzip": _compress(DATA) * 2, "x-gzip": _compress(DATA) * 2, "deflate": zlib.compress(DATA) * 2}


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
@pytest.mark.parametrize("encoding", COMPRESSED)
def test_members_are_decompressed_however_they_are_cut(encoding: str, size: int) -> None:
    """A body of two members is decompressed whole, wherever its chunks begin."""
    body, data = RequestBody(len(DATA) * 2, encoding), COMPRESSED[encoding]
    for start in range(0, len(data), size):
        body.feed(data[start : start + size])
    assert body.finish() == DATA * 2


@pytest.mark.parametrize("encoding", COMPRESSED)
def test_body_that_decompresses_above_the_limit_is_too_large(encoding: str) -> None:
    """One byte above the limit is too much, also in the second member."""
    body = RequestBody(len(DATA) * 2 - 1, encoding)
    with pytest.raises(RejectedBody, match="had more than"):
        body.feed(COMPRESSED[encoding])


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_received_bytes_are_limited_as_well(encoding: str | None) -> None:
    """What is received is limited too, although it may decompress to nothing."""
    empty = _compress(b"")
    body = RequestBody(len(empty) * 10, encoding)
    for _ in range(10):
        body.feed(empty)
    with pytest.raises(RejectedBody, match="had more than"):
        body.feed(b"\x1f")


def test_members_are_limited() -> None:
    """Each member takes time, even an empty one: their number is limited."""
    with pytest.raises(RejectedBody, match="declared as gzip"):
        RequestBody(10**9, "gzip").feed(_compress(b"") * 1001)
