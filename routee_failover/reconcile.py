"""Reconciliation of a single send: raise for an unknown outcome, or find out about it first."""

from enum import StrEnum
from typing import Any, Protocol

from .errors import DeliveryUnknown
from .records import AnyReceipt


class OnUnknown(StrEnum):
    """What `RouteeClient.send` does about a message of unknown outcome. It is never sent again blindly."""

    RAISE = "raise"
    """Raise `DeliveryUnknown`."""
    RECONCILE = "reconcile"
    """Ask the client's reconciler for the outcome first."""


class Reconciler(Protocol):
    """Interface that finds the outcome of a message: by its callback, by a search, or by any other means."""

    async def reconcile(self, flow: Any, unknown: DeliveryUnknown, /) -> AnyReceipt:
        """Return the receipt of a message that Routee has accepted.

        Raises `unknown` if the outcome remains unknown, or `NotSent` or `Rejected` if that is proven; the message may
        then be sent again.
        """
        ...
