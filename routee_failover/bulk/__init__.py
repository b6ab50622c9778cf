"""Many messages out of a file or any iterable, each sent once whatever happens to the process that sends them.

    async with RouteeClient.from_env() as routee, SqliteLedger("run.sqlite") as ledger:
        template = FlowTemplate.read("flow.json")
        await BulkSender(routee, ledger, BulkSettings(rate=200)).run(template.rows(read_source("people.csv")))

Everything is loaded when it is first asked for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .exporting import export
    from .findings import Finding, FindingKind
    from .hours import SendWindow
    from .progress import Phase, Progress, Trouble
    from .refused import RefusedFile
    from .rehearsal import Rehearsal, rehearse
    from .report import write_report
    from .row import Row, Rows, Stamp
    from .sender import BulkSender
    from .settings import BulkSettings, ErrorBudget
    from .settling import OnDoubt, Settled, Settler, proves
    from .sources import Source, read_source, rows_of
    from .suppression import SuppressionList
    from .template import FlowTemplate

__all__ = [
    "BulkSender",
    "BulkSettings",
    "ErrorBudget",
    "Finding",
    "FindingKind",
    "FlowTemplate",
    "OnDoubt",
    "Phase",
    "Progress",
    "RefusedFile",
    "Rehearsal",
    "Row",
    "Rows",
    "SendWindow",
    "Settled",
    "Settler",
    "Source",
    "Stamp",
    "SuppressionList",
    "Trouble",
    "export",
    "proves",
    "read_source",
    "rehearse",
    "rows_of",
    "write_report",
]

_HOMES = {
    "BulkSender": "sender",
    "BulkSettings": "settings",
    "ErrorBudget": "settings",
    "Finding": "findings",
    "FindingKind": "findings",
    "FlowTemplate": "template",
    "OnDoubt": "settling",
    "Phase": "progress",
    "Progress": "progress",
    "RefusedFile": "refused",
    "Rehearsal": "rehearsal",
    "Row": "row",
    "Rows": "row",
    "SendWindow": "hours",
    "Settled": "settling",
    "Settler": "settling",
    "Source": "sources",
    "Stamp": "row",
    "SuppressionList": "suppression",
    "Trouble": "progress",
    "export": "exporting",
    "proves": "settling",
    "read_source": "sources",
    "rehearse": "rehearsal",
    "rows_of": "sources",
    "write_report": "report",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_exports(__name__, globals(), _HOMES)
