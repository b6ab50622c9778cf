"""What a receiver answers, decided without I/O: the receivers for aiohttp and for ASGI only read and write."""

from datetime import timedelta

import attrs

from .._http_status import reason_phrase
from ..errors import InvalidCallback, InvalidConfig
from ..events import CallbackRejected, ObserverGroup
from .event import ReceiveResult
from .inbox import CallbackInbox
from .parse import MAX_CALLBACK_SIZE
from .signer import CallbackSigner


@attrs.frozen
class ReceiverResponse:
    """A status, which its phrase follows as text."""

    status: int

    @property
    def headers(self) -> dict[str, str]:
        """What the status needs beside it."""
        # Whoever is too slow or sends too much would go on, were the connection kept.
        extra = {405: {"Allow": "POST"}, 408: {"Connection": "close"}, 413: {"Connection": "close"}}
        return extra.get(self.status, {})

    @property
    def text(self) -> str:
        """The same words for everybody."""
        return reason_phrase(self.status)


@attrs.frozen
class AcceptedRequest:
    """A request whose body is to be read."""

    reference: str | None


class ReceiverCore:
    """The rules of every receiver: only POST, only addresses of ours, bodies of a bounded size and in a bounded time.

    The type of the content does not matter: it is read as JSON or refused, whatever it is called.
    """

    def __init__(
        self, inbox: CallbackInbox, signer: CallbackSigner | None, max_body_size: int, body_timeout: timedelta
    ) -> None:
        if not isinstance(inbox, CallbackInbox):
            raise InvalidConfig("a receiver takes a CallbackInbox first")
        if not isinstance(signer, CallbackSigner | None):
            raise InvalidConfig("a receiver takes a CallbackSigner second, or None where anybody may call")
        if not isinstance(max_body_size, int) or isinstance(max_body_size, bool) or max_body_size < 1:
            raise InvalidConfig("max_body_size must be a number of bytes of at least 1")
        if not isinstance(body_timeout, timedelta) or body_timeout <= timedelta(0):
            raise InvalidConfig("body_timeout must be a positive timedelta, such as timedelta(seconds=2)")
        self.inbox: CallbackInbox = inbox
        self.max_body_size: int = min(max_body_size, MAX_CALLBACK_SIZE)
        self.body_timeout_seconds: float = body_timeout.total_seconds()
        self._signer = signer
        self._observers = ObserverGroup(inbox.observers)

    @property
    def requires_signature(self) -> bool:
        """Whether an address is a secret."""
        return self._signer is not None

    def check_head(self, method: str, path: str, length: int | None) -> AcceptedRequest | ReceiverResponse:
        """Look at all but the body."""
        if method != "POST":
            return self.reject(405, "it was no POST")
        intent = None
        if self._signer is not None:
            # Frameworks differ in how much of the path a mounted application sees, and some add a slash.
            intent = self._signer.verify(path.rstrip("/").rpartition("/")[2])
            if intent is None:
                return self.reject(404, "nobody was given that address, or it is no longer valid")
        if length is not None and length > self.max_body_size:
            return self.reject_too_large()
        return AcceptedRequest(intent)

    def receive(self, request: AcceptedRequest, body: bytes) -> ReceiverResponse:
        """Look at the body and put what it says into the inbox."""
        try:
            arrival = self.inbox.receive(body, reference=request.reference)
        except InvalidCallback as error:
            return self.reject(400, str(error))
        if arrival is ReceiveResult.UNAVAILABLE:
            return self.reject(503, "the inbox has no room for it; Routee repeats it")
        return ReceiverResponse(200)

    def reject_too_large(self) -> ReceiverResponse:
        """The answer to a body of more than `max_body_size`."""
        return self.reject(413, f"it had more than {self.max_body_size} bytes")

    def reject_timeout(self) -> ReceiverResponse:
        """The answer to a body that was not there in time."""
        return self.reject(408, f"it was not all there after {self.body_timeout_seconds:g} s")

    def reject_incomplete(self) -> ReceiverResponse:
        """The answer, which nobody may hear, to a body that ended early."""
        return self.reject(400, "it broke off")

    def reject(self, status: int, reason: str) -> ReceiverResponse:
        """Answer with a status, and tell observers why. Whoever called is not told."""
        self._observers.emit(CallbackRejected(status, reason))
        return ReceiverResponse(status)
