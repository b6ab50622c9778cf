"""JSON events of a run: one object per line; `docs/bulk-sending.md` documents their keys."""

from typing import Any

from ....bulk.progress import Progress, RowProblem
from .row_counts import RowCounts


def progress_event(progress: Progress, name: str = "progress") -> dict[str, Any]:
    """Return the progress of a run."""
    return {
        "event": name,
        "phase": progress.phase.value,
        "elapsed_seconds": round(progress.elapsed, 3),
        **row_counts_fields(RowCounts.from_progress(progress)),
        "rate": round(progress.rate, 2),
        "rate_limit": progress.rate_limit,
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left, 1),
        "failover_share": None if progress.failover_share is None else round(progress.failover_share, 4),
        "pause_reason": progress.pause_reason,
    }


def row_problem_event(problem: RowProblem) -> dict[str, Any]:
    """Return a row that was not accepted; its number is masked."""
    return {
        "event": "row_problem",
        "line": problem.line,
        "recipient": problem.recipient,
        "outcome": problem.outcome,
        "reason": problem.reason,
    }


def row_counts_fields(counts: RowCounts) -> dict[str, Any]:
    """Return the rows by outcome."""
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
