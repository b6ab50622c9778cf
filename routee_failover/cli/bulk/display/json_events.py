"""A run for machines: objects whose keys are documented in `docs/bulk-sending.md`, each printed as one line of JSON."""

from typing import Any

from ....bulk.progress import Progress, RowProblem
from .row_counts import RowCounts


def progress_event(progress: Progress, name: str = "progress") -> dict[str, Any]:
    """How the run stands."""
    return {
        "event": name,
        "phase": progress.phase.value,
        "elapsed_seconds": round(progress.elapsed, 3),
        **row_counts_fields(RowCounts.from_progress(progress)),
        "rate": round(progress.rate, 2),
        "allowed_rate": progress.rate_limit,
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left, 1),
        "failover_share": None if progress.failover_share is None else round(progress.failover_share, 4),
        "pause_reason": progress.pause_reason,
    }


def row_problem_event(problem: RowProblem) -> dict[str, Any]:
    """A row that went wrong; its number is masked."""
    return {
        "event": "row_problem",
        "line": problem.line,
        "recipient": problem.recipient,
        "outcome": problem.outcome,
        "reason": problem.reason,
    }


def row_counts_fields(counts: RowCounts) -> dict[str, Any]:
    """How many rows stand how."""
    return {
        "total": counts.total,
        "accepted": counts.accepted,
        "rejected": counts.rejected,
        "unknown": counts.unknown,
        "expired": counts.expired,
        "invalid": counts.invalid,
        "key_conflicts": counts.key_conflicts,
        "duplicates": counts.duplicates,
        "suppressed": counts.suppressed,
        "deferred": counts.deferred,
        "in_flight": counts.in_flight,
        "not_sent": counts.remaining,
        "not_in_source": counts.not_in_source,
    }
