"""What goes into a ledger and what comes out of it: a message is known there by its key, and no text of it is kept."""

import hashlib
from typing import NamedTuple

import attrs

from .._value_object import ValueObject
from ..secret import mask_phone
from .state_machine import EntryState

RESOLVED_BY_POLICY = "policy"
"""The proof of what nobody has proven: the caller wants it sent once more all the same."""


class ClaimRequest(NamedTuple):
    """A message that somebody wants to send."""

    key_hash: int
    """What it is known by (`hash_key` its key)."""
    key: str
    recipient: str
    line: int
    """Where its row stands in the source."""
    fingerprint: bytes = b""
    """What its content is known again by, made with a key that the ledger does not hold."""

    def __repr__(self) -> str:
        return f"Wanted(line={self.line}, recipient={mask_phone(self.recipient)})"


class ClaimResult(NamedTuple):
    """How a message that somebody wants to send stands in the ledger."""

    number: int
    attempt: int
    state: EntryState
    line: int
    """The line that it came from first: another one's than the wanted one's says that the row is there twice."""
    fingerprint: bytes
    claimed: bool
    """Whether it was claimed just now, and is to be sent."""
    recipient: str = ""
    """Whom it is for, or was: another one's than the wanted one's says that two recipients have one key."""

    def __repr__(self) -> str:
        return f"Found(number={self.number}, attempt={self.attempt}, state={self.state}, line={self.line})"


class TransitionDetails(NamedTuple):
    """How an attempt ended, or what was learned of it later; the move is named beside it."""

    number: int
    attempt: int
    reason: str = ""
    """Why it was not accepted, in words that quote nothing of it."""
    tracking_id: str | None = None
    """Routee's id of an accepted one."""
    channel: str | None = None
    """The channel that was tried first, where the answer says so."""
    response_time: float = 0.0
    """How long the answer took."""
    resolved_by: str = "answer"
    """What showed it: `answer`, `callback`, `search` or `policy`."""


class DeliveryReport(NamedTuple):
    """How an accepted flow ended, as a callback or a search tells it."""

    number: int
    status: str
    channel: str | None = None
    """The channel that it ended on."""
    price: float | None = None
    country: str | None = None
    reason: str | None = None
    delivery_time: float | None = None
    """From its acceptance to its end, where both are told."""


class DeliveryCount(NamedTuple):
    """How many accepted messages have a delivery report with this status and channel; both `None`: no report yet."""

    status: str | None
    channel: str | None
    messages: int


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class LedgerEntry(ValueObject):
    """A message in a ledger. Times are seconds since 1970, by the ledger's clock."""

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
    """When it came to its state."""
    reason: str = ""
    tracking_id: str | None = None
    resolved_by: str = ""
    channel: str | None = None
    response_time: float = 0.0
    delivery_report: DeliveryReport | None = None


@attrs.frozen(slots=False, eq=False, repr=False)
class StateCounts(ValueObject):
    """How many intents stand in each state."""

    new: int = 0
    sending: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    invalid: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.new + self.sending + self.accepted + self.rejected + self.unknown + self.expired + self.invalid

    @property
    def final(self) -> int:
        """Those that need nothing more."""
        return self.accepted + self.rejected + self.expired + self.invalid

    @property
    def pending(self) -> int:
        """Those that are to be sent yet."""
        return self.new + self.sending


def hash_key(key: str) -> int:
    """A number of 63 bits that a key is known by: it finds the message again, and says nothing of whose it is."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def build_label(run_id: str, key_hash: int) -> str:
    """What a message is marked with on its way to Routee, so that it can be found there: no other has it."""
    return f"{run_id}-{key_hash:016x}"


_DIGITS = frozenset("0123456789abcdef")


def parse_label(label: str, run_id: str) -> int | None:
    """The tag in a label of this run, which may follow a label of the caller's own; `None` for any other text."""
    _, found, text = label.rpartition(f"{run_id}-")
    return int(text, 16) if found and len(text) == 16 and _DIGITS.issuperset(text) else None
