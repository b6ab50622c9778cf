"""Reconciliation: finds out which messages of unknown outcome Routee accepted, and collects delivery reports."""

from .policy import ReconcileResult, UnknownPolicy, explain_reconciliation
from .reconciler import BulkReconciler

__all__ = ["BulkReconciler", "ReconcileResult", "UnknownPolicy", "explain_reconciliation"]
