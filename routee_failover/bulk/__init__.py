"""Many messages out of a file or any iterable, each sent once whatever happens to the process that sends them.

    async with RouteeClient.from_env() as routee, SqliteLedger("run.sqlite") as ledger:
        template = FlowTemplate.read("flow.json")
        await BulkSender(routee, ledger, BulkSettings(rate=200)).run(template.rows(read_source("people.csv")))

Everything is loaded when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hours import SendWindow
    from .progress import Phase, Progress, Trouble
    from .row import Row, Rows, Stamp
    from .sender import BulkSender
    from .settings import BulkSettings, ErrorBudget
    from .settling import OnDoubt, Settled, Settler, proves
    from .sources import read_source, rows_of
    from .template import FlowTemplate

__all__ = [
    "BulkSender",
    "BulkSettings",
    "ErrorBudget",
    "FlowTemplate",
    "OnDoubt",
    "Phase",
    "Progress",
    "Row",
    "Rows",
    "SendWindow",
    "Settled",
    "Settler",
    "Stamp",
    "Trouble",
    "proves",
    "read_source",
    "rows_of",
]

_HOMES = {
    "BulkSender": "sender",
    "BulkSettings": "settings",
    "ErrorBudget": "settings",
    "FlowTemplate": "template",
    "OnDoubt": "settling",
    "Phase": "progress",
    "Progress": "progress",
    "Row": "row",
    "Rows": "row",
    "SendWindow": "hours",
    "Settled": "settling",
    "Settler": "settling",
    "Stamp": "row",
    "Trouble": "progress",
    "proves": "settling",
    "read_source": "sources",
    "rows_of": "sources",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return [*globals(), *__all__]
