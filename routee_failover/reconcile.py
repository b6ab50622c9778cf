"""What may be done about a message that Routee may have accepted: tell the caller, or find out first."""

from enum import StrEnum
from typing import Any, Protocol

from .errors import DeliveryUnknown
from .records import AnyReceipt


class OnUnknown(StrEnum):
    """What `send` does about a message of unknown outcome. It is never sent again blindly."""

    RAISE = "raise"
    """Raise `DeliveryUnknown`."""
    RECONCILE = "reconcile"
    """Ask the client's reconciler what became of it."""


class Reconciler(Protocol):
    """Finds out what became of a message: by a callback that names it, by a search, by asking somebody."""

    async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> AnyReceipt:
        """The receipt of a message that Routee has accepted after all.

        Raises `unknown` where it stays unknown, or a `NotSent` or `Rejected` where that is proven; the message may then
        be sent again.
        """
        ...
