"""Body of an inbound request (sans-I/O): its chunks, decompressed, within a limit that is never exceeded in memory.

aiohttp's server decompresses gzip and deflate itself, an ASGI server nothing. Both receivers accept the same bodies, so
what is read here is as lenient as aiohttp: several members are one body, and a gzip checksum may be missing.
"""

import zlib
from typing import Protocol

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_UNSUPPORTED = frozenset({"br", "zstd"})
_MAX_MEMBERS = 1000
"""Maximum number of compressed members in a body: each takes time, even if it is empty."""


class RejectedBody(Exception):
    """The body is not accepted. The text says why, and quotes nothing of the body."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status: int = status
        """Status to respond with."""


class RequestBody:
    """Body of a request. `max_size` is in bytes, after decompression and before it.

    `encoding` is the Content-Encoding that is left to decode. Any that does not exist is ignored: the body is JSON as
    it is, or it is rejected. Raises `RejectedBody` for one that exists and is not supported.
    """

    def __init__(self, max_size: int, encoding: str | None) -> None:
        name = (encoding or "").strip().lower()
        if name in _UNSUPPORTED:
            raise RejectedBody(400, f"the body was compressed with {name}, which is not supported")
        self._max_size = max_size
        self._decompressor = _Decompressor(name) if name in _WINDOW_BITS else None
        self._data = bytearray()  # a list of chunks would take forty bytes for each, which may hold only one
        self._received = 0

    @property
    def size(self) -> int:
        """How many bytes are held, after decompression."""
        return len(self._data)

    def feed(self, chunk: bytes) -> None:
        """Add a chunk as it was received. Raises `RejectedBody`."""
        self._received += len(chunk)
        if self._received > self._max_size:
            raise too_large(self._max_size)
        if self._decompressor is None:
            self._data += chunk
            return
        data = self._decompressor.decompress(chunk, self._max_size - self.size)
        if len(data) > self._max_size - self.size:
            raise too_large(self._max_size)
        self._data += data

    def finish(self) -> bytes:
        """Return the whole body, once its last chunk was added. Raises `RejectedBody`."""
        if self._decompressor is not None:
            self._decompressor.finish()
        return bytes(self._data)


class _Stream(Protocol):
    """What `zlib.decompressobj` returns; its class has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Decompressor:
    def __init__(self, name: str) -> None:
        self._name = name
        self._members = 0
        self._stream: _Stream | None = None

    def decompress(self, data: bytes, limit: int) -> bytes:
        """Return what a chunk decompresses to, no more than `limit` bytes and one. Raises `RejectedBody`."""
        pieces: list[bytes] = []
        while data and limit >= 0:
            stream = self._stream
            if stream is None or stream.eof:
                stream = self._stream = self._next_member(data)
            try:
                # One byte more than the limit: without it, "all" and "more" would look alike.
                piece = stream.decompress(data, limit + 1)
            except zlib.error:
                raise self._undecodable() from None
            limit -= len(piece)
            pieces.append(piece)
            data = stream.unconsumed_tail or stream.unused_data
        return b"".join(pieces)

    def finish(self) -> None:
        # aiohttp does not notice that the checksum of gzip is missing. JSON that is cut off is rejected anyway.
        if self._name == "deflate" and self._stream is not None and not self._stream.eof:
            raise self._undecodable()

    def _next_member(self, data: bytes) -> _Stream:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise self._undecodable()
        bits = _WINDOW_BITS[self._name]
        # Some senders leave out the header of deflate, whose first byte always ends in 8.
        return zlib.decompressobj(-bits if self._name == "deflate" and data[0] & 0x0F != 8 else bits)

    def _undecodable(self) -> RejectedBody:
        return RejectedBody(400, f"the body was declared as {self._name}, and could not be decompressed")


def too_large(max_size: int) -> RejectedBody:
    """Return the error for a body of more than `max_size` bytes."""
    return RejectedBody(413, f"the body had more than {max_size} bytes")
