"""Intents and outcomes that survive: what is wanted is written before the first byte, what became of it after.

`MemoryLedger` and `SqliteLedger` keep one `Ledger` protocol; `states` is the machine that both follow.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .intent import Counts, DeliveryCount, Ending, Fate, Found, Intent, Wanted
    from .ledger import Ledger
    from .memory import MemoryLedger
    from .sqlite.ledger import SqliteLedger
    from .sqlite.read_only import ReadOnlyLedger
    from .states import Move, State

__all__ = [
    "Counts",
    "DeliveryCount",
    "Ending",
    "Fate",
    "Found",
    "Intent",
    "Ledger",
    "MemoryLedger",
    "Move",
    "ReadOnlyLedger",
    "SqliteLedger",
    "State",
    "Wanted",
]

_HOMES = {
    "Counts": "intent",
    "DeliveryCount": "intent",
    "Ending": "intent",
    "Fate": "intent",
    "Found": "intent",
    "Intent": "intent",
    "Ledger": "ledger",
    "MemoryLedger": "memory",
    "Move": "states",
    "ReadOnlyLedger": "sqlite.read_only",
    "SqliteLedger": "sqlite.ledger",
    "State": "states",
    "Wanted": "intent",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_exports(__name__, globals(), _HOMES)
