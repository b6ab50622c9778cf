"""Records of callbacks: what is posted where, and the result of every attempt.

Times are virtual seconds since the flow was accepted, so that a record stays valid when the clock is restarted.
"""

import json
from typing import Any, Literal

import attrs

CallbackKind = Literal["flow", "otp", "inbound"]
CallbackState = Literal["pending", "delivered", "failed", "dropped"]


@attrs.frozen(kw_only=True)
class CallbackAttempt:
    """One attempt to post a callback, and its result."""

    at: float
    """When it started, in virtual seconds since the flow was accepted."""
    duration_ms: int
    """Duration in real milliseconds."""
    status: int | None
    """HTTP status of the response, or None if there was none."""
    error: str | None = None
    """Description of the error; None when the response was the 200 that Routee requires."""


@attrs.frozen(kw_only=True)
class CallbackRecord:
    """A callback: its payload, when it is due, and every attempt to deliver it.

    Its `repr` omits URL and payload, which may contain a key and a message.
    """

    id: str
    """The sandbox's id of the callback; Routee's callbacks carry none."""
    flow_id: str
    """Id of the flow that it belongs to."""
    kind: CallbackKind
    """`flow` for a standard or transactional flow, `otp` for an OTP flow, `inbound` for a reply of the recipient."""
    url: str = attrs.field(repr=False)
    """URL that it is posted to."""
    payload: str = attrs.field(repr=False)
    """Body of the POST: JSON text."""
    due_at: float
    """When its first attempt is due, in virtual seconds since the flow was accepted."""
    state: CallbackState = "pending"
    """`pending` while an attempt or its result is awaited, `delivered` after a 200, `failed` after the last retry, or
    `dropped` by a rule.
    """
    attempts: tuple[CallbackAttempt, ...] = ()
    """The newest hundred attempts, oldest first."""
    next_at: float | None = None
    """Time of the next attempt, in virtual seconds since the flow was accepted; None while none is scheduled,
    and while one is made."""
    retries_from: float = attrs.field(default=0.0, repr=False)
    """Time from which the retries count: `due_at`, or when it was last redelivered by hand."""
    retry_count: int = attrs.field(default=0, repr=False)
    """Number of retries made since then."""

    @property
    def body(self) -> Any:
        """The payload, parsed as JSON."""
        return json.loads(self.payload)
