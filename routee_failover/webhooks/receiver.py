"""Core of the webhook receivers (sans-I/O): decides the HTTP response; the aiohttp and ASGI receivers do the I/O."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import attrs

from .._http_reason_phrases import reason_phrase
from ..errors import InvalidCallback, InvalidConfig
from ..events import CallbackRejected, ObserverGroup
from .event import ReceiveResult
from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .request_body import RejectedBody, RequestBody, too_large
from .signer import CallbackSigner

_UNAVAILABLE = "the inbox is full or closing; Routee repeats it"


@attrs.frozen
class ReceiverResponse:
    """An HTTP response: a status, with its reason phrase as the body."""

    status: int
    close: bool = False
    """Whether to close the connection: on one that is kept open, the rest of the body would follow."""

    @property
    def headers(self) -> dict[str, str]:
        """Additional headers that the response needs."""
        return ({"Allow": "POST"} if self.status == 405 else {}) | ({"Connection": "close"} if self.close else {})

    @property
    def text(self) -> str:
        """The body: the reason phrase, which discloses nothing about the cause."""
        return reason_phrase(self.status)


@attrs.frozen
class AcceptedRequest:
    """A request whose head was accepted: its body is to be read."""

    reference: str | None


class ReceiverCore:
    """The rules of every receiver: only POST, only URLs of the signer if there is one, body size and time are limited.

    The Content-Type does not matter: the body is parsed as JSON or rejected, whatever type it is declared as. It may be
    compressed with gzip or deflate.
    """

    def __init__(
        self, inbox: CallbackInbox, signer: CallbackSigner | None, max_body_size: int, body_timeout: timedelta
    ) -> None:
        if not isinstance(inbox, CallbackInbox):
            raise InvalidConfig("a receiver takes a CallbackInbox first")
        if not isinstance(signer, CallbackSigner | None):
            raise InvalidConfig(
                "a receiver takes a CallbackSigner second, or None to accept callbacks without a signature"
            )
        if not isinstance(max_body_size, int) or isinstance(max_body_size, bool) or max_body_size < 1:
            raise InvalidConfig("max_body_size must be a number of bytes of at least 1")
        if not isinstance(body_timeout, timedelta) or body_timeout <= timedelta(0):
            raise InvalidConfig("body_timeout must be a positive timedelta, such as timedelta(seconds=2)")
        self.inbox: CallbackInbox = inbox
        self.max_body_size: int = min(max_body_size, MAX_CALLBACK_SIZE)
        self.body_timeout_seconds: float = body_timeout.total_seconds()
        self._signer = signer
        self._receiving_bytes = 0
        self._inbox_is_elsewhere = False
        self._observers = ObserverGroup(inbox.observers)

    @property
    def requires_signature(self) -> bool:
        """Whether URLs are signed, which makes them secrets."""
        return self._signer is not None

    def check_head(self, method: str, path: str, length: int | None) -> AcceptedRequest | ReceiverResponse:
        """Check everything but the body: the method, the signature in the path and the declared length in bytes."""
        if method != "POST":
            return self.reject(405, "the method was not POST")
        reference = None
        if self._signer is not None:
            # Frameworks differ in how much of the path a mounted application sees, and some add a slash.
            reference = self._signer.verify(path.rstrip("/").rpartition("/")[2])
            if reference is None:
                return self.reject(404, "the URL was not made by this signer, or it has expired")
        if length is not None and length > self.max_body_size:
            return self.reject_body(too_large(self.max_body_size))
        return AcceptedRequest(reference)

    @contextmanager
    def receiving(self, encoding: str | None) -> Iterator[RequestBody]:
        """Return the body to `feed`, which counts for as long as the context is open. Raises `RejectedBody`."""
        body = RequestBody(self.max_body_size, encoding)
        try:
            yield body
        finally:
            self._receiving_bytes -= body.size

    def feed(self, body: RequestBody, chunk: bytes) -> None:
        """Add a chunk to a body. Raises `RejectedBody`, also if all bodies and callbacks take too much memory."""
        before = body.size
        body.feed(chunk)
        self._receiving_bytes += body.size - before
        others = self.inbox.pending_bytes + self._receiving_bytes - body.size
        if others > 0 and others + body.size > self.inbox.max_pending_bytes:
            raise RejectedBody(503, _UNAVAILABLE)

    async def open_inbox(self) -> None:
        """Open the inbox in the running event loop, unless it is open in another one."""
        self._inbox_is_elsewhere = self.inbox.is_elsewhere
        if not self._inbox_is_elsewhere:
            await self.inbox.__aenter__()

    async def close_inbox(self) -> None:
        """Close the inbox, unless another event loop opened it."""
        if not self._inbox_is_elsewhere:
            await self.inbox.aclose()

    async def receive(self, request: AcceptedRequest, body: bytes) -> ReceiverResponse:
        """Parse the body and put the callback into the inbox."""
        try:
            if self.inbox.is_elsewhere:
                result = await self.inbox.areceive(body, reference=request.reference)
            else:
                result = self.inbox.receive(body, reference=request.reference)
        except InvalidCallback as error:
            return self.reject(400, str(error))
        if result is ReceiveResult.UNAVAILABLE:
            return self.reject(503, _UNAVAILABLE)
        return ReceiverResponse(200)

    def reject_timeout(self) -> ReceiverResponse:
        """Reject a body that was not complete in time."""
        return self.reject(408, f"the body was not complete after {self.body_timeout_seconds:g} s", close=True)

    def reject_body(self, error: RejectedBody) -> ReceiverResponse:
        """Reject a body that is too large or cannot be decompressed."""
        return self.reject(error.status, str(error), close=True)

    def reject_incomplete(self, reason: str = "the body was incomplete: the caller disconnected") -> ReceiverResponse:
        """Reject a body that ended early. The caller may not be there to read the response."""
        return self.reject(400, reason, close=True)

    def reject(self, status: int, reason: str, *, close: bool = False) -> ReceiverResponse:
        """Respond with a status, and emit the reason to observers. The response does not contain it."""
        self._observers.emit(CallbackRejected(status, reason))
        return ReceiverResponse(status, close)
