"""What is done about a message that Routee may have accepted, and what can be proven of it, endpoint by endpoint."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

from ..._value_object import ValueObject
from ...flows import Endpoint


class UnknownPolicy(StrEnum):
    """What a run does about the messages of which nobody knows whether Routee took them."""

    KEEP = "keep"
    """Leave them as they are; a callback settles them all the same."""
    RECONCILE = "reconcile"
    """Ask Routee: what it took is ACCEPTED, what it provably did not take may be sent, the rest is kept."""
    RESEND = "resend"
    """The same, and send once more what nobody can know. Somebody may get the same message twice."""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ReconcileResult(ValueObject):
    """What became of the doubts of a run when they were gone through once."""

    accepted: int = 0
    """Routee has them."""
    absent: int = 0
    """Routee did not take them: they may be sent."""
    to_resend: int = 0
    """Nobody can know; they are to be sent once more, as the policy has it."""
    unknown_by_reason: Mapping[str, int] = attrs.field(factory=dict)
    """Those that are in doubt still, by why."""
    next_due_in: float | None = None
    """Seconds until it makes sense to go through them again; `None` where asking will not settle any more."""

    @property
    def unknown(self) -> int:
        """How many are in doubt still."""
        return sum(self.unknown_by_reason.values())


_EXPLANATIONS: Mapping[Endpoint, str] = MappingProxyType(
    {
        Endpoint.STANDARD: (
            "A search by recipient finds the message by its label, which proves that Routee took it. A complete search "
            "without it proves that Routee did not. A flow that began with a call shows no label: there the recipient, "
            "the kind and the time have to do, as for transactional flows."
        ),
        Endpoint.TRANSACTIONAL: (
            "Routee refuses a label on the Viber step. Where the SMS step was tried, its label proves it. Otherwise a "
            "search by recipient has to do: no flow at all proves that Routee did not take the message, exactly one "
            "that is nobody else's, in the minutes of the attempt, that it did, and anything else proves nothing."
        ),
        Endpoint.OTP: (
            "The list of failover OTP flows is asked for the recipient and the label: finding it proves that Routee "
            "took the message, a complete list without it that Routee did not."
        ),
        Endpoint.VIBER_OTP: (
            "Nothing can be proven: Routee documents neither a list of Viber OTPs nor a callback for them. They stay "
            "in doubt, or are sent again where the policy says so."
        ),
    }
)


def explain_reconciliation(endpoint: Endpoint | str) -> str:
    """What can be proven about a message in doubt that went to an endpoint, in words for people."""
    return _EXPLANATIONS[Endpoint(endpoint)]
