"""Bulk sending: many messages from a file or any iterable, each sent at most once, across crashes and restarts.

    async with RouteeClient.from_env() as routee, SqliteLedger("run.sqlite") as ledger:
        template = FlowTemplate.read("flow.json")
        await BulkSender(routee, ledger, BulkSettings(rate=200)).run(template.rows(read_source("people.csv")))

Names are imported on first use.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .dry_run import DryRunResult, check_rows
    from .invalid_rows import InvalidRowsFile
    from .ledger_export import export
    from .progress import Phase, Progress, RowProblem
    from .reconciliation import BulkReconciler, ReconcileResult, UnknownPolicy, explain_reconciliation
    from .report import write_report
    from .send_window import SendWindow
    from .sender import BulkSender
    from .settings import BulkSettings, ErrorBudget
    from .sources import Source, read_source, rows_of
    from .suppression import SuppressionList
    from .templates.dry_run_findings import Finding, FindingKind
    from .templates.row import Correlation, Row, Rows
    from .templates.template import FlowTemplate

__all__ = [
    "BulkReconciler",
    "BulkSender",
    "BulkSettings",
    "Correlation",
    "DryRunResult",
    "ErrorBudget",
    "Finding",
    "FindingKind",
    "FlowTemplate",
    "InvalidRowsFile",
    "Phase",
    "Progress",
    "ReconcileResult",
    "Row",
    "RowProblem",
    "Rows",
    "SendWindow",
    "Source",
    "SuppressionList",
    "UnknownPolicy",
    "check_rows",
    "explain_reconciliation",
    "export",
    "read_source",
    "rows_of",
    "write_report",
]

_MODULES = {
    "BulkReconciler": "reconciliation",
    "BulkSender": "sender",
    "BulkSettings": "settings",
    "Correlation": "templates.row",
    "DryRunResult": "dry_run",
    "ErrorBudget": "settings",
    "Finding": "templates.dry_run_findings",
    "FindingKind": "templates.dry_run_findings",
    "FlowTemplate": "templates.template",
    "InvalidRowsFile": "invalid_rows",
    "Phase": "progress",
    "Progress": "progress",
    "ReconcileResult": "reconciliation",
    "Row": "templates.row",
    "RowProblem": "progress",
    "Rows": "templates.row",
    "SendWindow": "send_window",
    "Source": "sources",
    "SuppressionList": "suppression",
    "UnknownPolicy": "reconciliation",
    "check_rows": "dry_run",
    "explain_reconciliation": "reconciliation",
    "export": "ledger_export",
    "read_source": "sources",
    "rows_of": "sources",
    "write_report": "report",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_exports(__name__, globals(), _MODULES)
