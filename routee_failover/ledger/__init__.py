"""Durable ledger of messages: an entry is written before the first byte is sent, and its outcome after it.

`MemoryLedger` and `SqliteLedger` implement the `Ledger` protocol; both follow the state machine in `state_machine`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .entry import (
        ClaimRequest,
        ClaimResult,
        DeliveryCount,
        DeliveryReport,
        LedgerEntry,
        StateCounts,
        TransitionDetails,
    )
    from .memory import MemoryLedger
    from .protocol import Ledger
    from .sqlite.ledger import SqliteLedger
    from .sqlite.read_only import ReadOnlyLedger
    from .state_machine import EntryState, Transition

__all__ = [
    "ClaimRequest",
    "ClaimResult",
    "DeliveryCount",
    "DeliveryReport",
    "EntryState",
    "Ledger",
    "LedgerEntry",
    "MemoryLedger",
    "ReadOnlyLedger",
    "SqliteLedger",
    "StateCounts",
    "Transition",
    "TransitionDetails",
]

_MODULES = {
    "ClaimRequest": "entry",
    "ClaimResult": "entry",
    "DeliveryCount": "entry",
    "DeliveryReport": "entry",
    "EntryState": "state_machine",
    "Ledger": "protocol",
    "LedgerEntry": "entry",
    "MemoryLedger": "memory",
    "ReadOnlyLedger": "sqlite.read_only",
    "SqliteLedger": "sqlite.ledger",
    "StateCounts": "entry",
    "Transition": "state_machine",
    "TransitionDetails": "entry",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_exports(__name__, globals(), _MODULES)
