"""What became of the messages of which nobody knows whether Routee took them, and how those ended that it took."""

from .policy import ReconcileResult, UnknownPolicy, explain_reconciliation
from .reconciler import BulkReconciler

__all__ = ["BulkReconciler", "ReconcileResult", "UnknownPolicy", "explain_reconciliation"]
