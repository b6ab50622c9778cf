"""A callback on record: what was to be posted where, and what came of every attempt. Times are virtual seconds since
the flow was accepted, so that a record means the same when a clock starts anew."""  # noqa: D205, D209

import json
from typing import Any, Literal

import attrs

CallbackKind = Literal["flow", "otp", "inbound"]
CallbackState = Literal["pending", "delivered", "given up", "dropped"]


@attrs.frozen(kw_only=True)
class CallbackAttempt:
    """One POST and what came of it."""

    at: float
    """When it began, in virtual seconds since the flow was accepted."""
    duration_ms: int
    """How long it took, in real milliseconds."""
    status: int | None
    """The status of the answer, when there was one."""
    error: str | None = None
    """What was wrong, in words; None when the answer was the 200 that Routee asks for."""


@attrs.frozen(kw_only=True)
class CallbackRecord:
    """A callback: what it says, when it is due, and every attempt to deliver it.

    Its `repr` shows neither the address nor the body: there may be a key in the one and a message in the other.
    """

    id: str
    """Its own id; Routee's callbacks carry none."""
    flow_id: str
    """The flow of which it tells."""
    kind: CallbackKind
    """`flow` for a standard or transactional flow, `otp` for an OTP flow, `inbound` for what a person replied."""
    url: str = attrs.field(repr=False)
    """Where it is posted."""
    payload: str = attrs.field(repr=False)
    """What is posted, as it goes out: JSON."""
    due_at: float
    """When it was to be posted first, in virtual seconds since the flow was accepted."""
    state: CallbackState = "pending"
    """`pending` for an attempt or its end, `delivered`, `given up` after the last retry, or `dropped` as scripted."""
    attempts: tuple[CallbackAttempt, ...] = ()
    """The newest hundred attempts, oldest first."""
    next_at: float | None = None
    """When it is posted next, in virtual seconds since the flow was accepted; None when it is not, or just is."""
    retries_from: float = attrs.field(default=0.0, repr=False)
    """From when the retries count: from `due_at`, or from when it was last called back again by hand."""
    retry_count: int = attrs.field(default=0, repr=False)
    """How many of the retries since then were made."""

    @property
    def body(self) -> Any:
        """What is posted, read as JSON."""
        return json.loads(self.payload)
