"""Values of a ledger: claim requests and results, transition details, delivery reports, entries and their counts.

A message is identified by its key. No text of the message is kept.
"""

import hashlib
from typing import NamedTuple

import attrs

from .._value_object import ValueObject
from ..secret import mask_phone
from .state_machine import EntryState

RESOLVED_BY_POLICY = "policy"
"""The `resolved_by` of an outcome that is not proven: the caller's policy resends the message all the same."""


class ClaimRequest(NamedTuple):
    """Request for the right to send one message."""

    key_hash: int
    """The identity of the message: `hash_key` of its key."""
    key: str
    recipient: str
    line: int
    """Line number of its row in the source."""
    fingerprint: bytes = b""
    """Digest of its content, made with a key that the ledger does not hold."""

    def __repr__(self) -> str:
        return f"ClaimRequest(line={self.line}, recipient={mask_phone(self.recipient)})"


class ClaimResult(NamedTuple):
    """Result of a claim request: the state of the message in the ledger, and whether the request has claimed it."""

    number: int
    attempt: int
    state: EntryState
    line: int
    """The line of the first row with this key. If it differs from the requested line, the row occurs twice."""
    fingerprint: bytes
    claimed: bool
    """Whether this request has claimed the message, so that it is to be sent."""
    recipient: str = ""
    """The recipient in the ledger. If it differs from the requested recipient, two recipients share one key."""

    def __repr__(self) -> str:
        return f"ClaimResult(number={self.number}, attempt={self.attempt}, state={self.state}, line={self.line})"


class TransitionDetails(NamedTuple):
    """Details of a transition: the outcome of an attempt, or what was found out about it later."""

    number: int
    attempt: int
    reason: str = ""
    """Why the message was not accepted; it quotes nothing of the message."""
    tracking_id: str | None = None
    """Routee's id of an accepted message."""
    channel: str | None = None
    """The channel that Routee tries first, if it is known."""
    response_time: float = 0.0
    """Time until the response, in seconds."""
    resolved_by: str = "response"
    """What proved the outcome: `response` (the HTTP response), `callback`, `search` or `policy`."""


class DeliveryReport(NamedTuple):
    """Delivery report: Routee's final status of an accepted flow, from a callback, a search or tracking."""

    number: int
    status: str
    channel: str | None = None
    """The channel that the flow ended on."""
    price: float | None = None
    country: str | None = None
    reason: str | None = None
    delivery_time: float | None = None
    """Seconds from acceptance to the final status, where both times are known."""


class DeliveryCount(NamedTuple):
    """Number of accepted messages whose delivery report has this status and channel; both `None`: no report yet."""

    status: str | None
    channel: str | None
    messages: int


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class LedgerEntry(ValueObject):
    """Ledger row of one message. Times are seconds since 1970, by the ledger's clock."""

    number: int
    key_hash: int
    key: str = attrs.field(repr=mask_phone)
    recipient: str = attrs.field(repr=mask_phone)
    line: int
    state: EntryState
    attempt: int
    fingerprint: bytes = attrs.field(repr=False, default=b"")
    claimed_at: float
    """When its last attempt was claimed."""
    lease_expires_at: float
    ended_at: float | None = None
    """When it reached its state."""
    reason: str = ""
    tracking_id: str | None = None
    resolved_by: str = ""
    channel: str | None = None
    response_time: float = 0.0
    delivery_report: DeliveryReport | None = None


@attrs.frozen(slots=False, eq=False, repr=False)
class StateCounts(ValueObject):
    """Number of entries in each state."""

    new: int = 0
    sending: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    invalid: int = 0

    @property
    def total(self) -> int:
        """Number of all entries."""
        return self.new + self.sending + self.accepted + self.rejected + self.unknown + self.expired + self.invalid

    @property
    def final(self) -> int:
        """Number of entries in a final state."""
        return self.accepted + self.rejected + self.expired + self.invalid

    @property
    def pending(self) -> int:
        """Number of entries that are still to be sent, or are being sent."""
        return self.new + self.sending


def hash_key(key: str) -> int:
    """Return the 63-bit hash of a key: it finds the message again, and reveals nothing about the recipient."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def build_label(run_id: str, key_hash: int) -> str:
    """Return the unique label that is sent to Routee with a message, and by which it is found there again."""
    return f"{run_id}-{key_hash:016x}"


_DIGITS = frozenset("0123456789abcdef")


def parse_label(label: str, run_id: str) -> int | None:
    """Return the key hash in a label of this run, which may follow the caller's own label; else `None`."""
    _, found, text = label.rpartition(f"{run_id}-")
    return int(text, 16) if found and len(text) == 16 and _DIGITS.issuperset(text) else None
