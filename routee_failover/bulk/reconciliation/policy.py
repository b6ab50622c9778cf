"""Policy for messages of unknown outcome, the result of a reconciliation, and what each endpoint can prove."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

from ..._value_object import ValueObject
from ...flows import Endpoint


class UnknownPolicy(StrEnum):
    """Policy of a run for messages of unknown outcome."""

    KEEP = "keep"
    """Leave them unknown; a callback still resolves them."""
    RECONCILE = "reconcile"
    """Search Routee: what it accepted becomes ACCEPTED, what it provably did not accept may be sent, the rest is
    kept."""
    RESEND = "resend"
    """As `RECONCILE`, and resend once what cannot be proven. A recipient may get the same message twice."""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ReconcileResult(ValueObject):
    """Result of one reconciliation of a run's unknown messages."""

    accepted: int = 0
    """Number of messages that Routee has accepted."""
    absent: int = 0
    """Number of messages that Routee did not accept: they may be sent."""
    to_resend: int = 0
    """Number of messages of which it cannot be known; they are resent once, by policy."""
    unknown_by_reason: Mapping[str, int] = attrs.field(factory=dict)
    """Number of messages that are still unknown, by reason."""
    next_due_in: float | None = None
    """Seconds until the next reconciliation is useful; `None` if no lookup can resolve more."""

    @property
    def unknown(self) -> int:
        """Number of messages that are still unknown."""
        return sum(self.unknown_by_reason.values())


_EXPLANATIONS: Mapping[Endpoint, str] = MappingProxyType(
    {
        Endpoint.STANDARD: (
            "A search by recipient finds the message by its label, which proves that Routee accepted it. A complete "
            "search without it proves that Routee did not. A flow that begins with a call shows no label: it is "
            "matched by recipient, kind and time, as transactional flows are."
        ),
        Endpoint.TRANSACTIONAL: (
            "Routee refuses a label on the Viber step. If the SMS step was tried, its label proves acceptance. "
            "Otherwise flows are matched by recipient: no flow at all proves that Routee did not accept the message, "
            "exactly one that belongs to no other message, within minutes of the attempt, proves that it did, and "
            "anything else proves nothing."
        ),
        Endpoint.OTP: (
            "The list of failover OTP flows is searched for the recipient and the label: finding the message proves "
            "that Routee accepted it, a complete list without it that Routee did not."
        ),
        Endpoint.VIBER_OTP: (
            "Nothing can be proven: Routee documents neither a list of Viber OTPs nor a callback for them. They stay "
            "unknown, or are resent if the policy says so."
        ),
    }
)


_RAW_EXPLANATION = (
    "Nothing can be proven by a search: a raw flow carries no label of the run, and its recipient is not certain. Raw "
    "flows stay unknown, or are resent if the policy says so."
)


def explain_reconciliation(endpoint: Endpoint | str, *, raw: bool = False) -> str:
    """Return a description of what can be proven about an unknown message of an endpoint; `raw`: about a raw flow."""
    explanation = _EXPLANATIONS[Endpoint(endpoint)]
    return _RAW_EXPLANATION if raw else explanation
