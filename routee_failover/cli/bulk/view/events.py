"""A run for machines: objects whose keys are documented in `docs/bulk.md`, each printed as one line of JSON."""

from typing import Any

from ....bulk.progress import Progress, RowProblem
from .tally import Tally


def progress_event(progress: Progress, name: str = "progress") -> dict[str, Any]:
    """How the run stands."""
    return {
        "event": name,
        "phase": progress.phase.value,
        "elapsed_seconds": round(progress.elapsed, 3),
        **rows(Tally.of(progress)),
        "rate": round(progress.rate, 2),
        "allowed_rate": progress.rate_limit,
        "seconds_left": None if progress.seconds_left is None else round(progress.seconds_left, 1),
        "failover_share": None if progress.failover_share is None else round(progress.failover_share, 4),
        "pause": progress.pause_reason,
    }


def trouble_event(trouble: RowProblem) -> dict[str, Any]:
    """A row that went wrong; its number is masked."""
    return {
        "event": "trouble",
        "line": trouble.line,
        "recipient": trouble.recipient,
        "outcome": trouble.outcome,
        "reason": trouble.reason,
    }


def rows(tally: Tally) -> dict[str, Any]:
    """How many rows stand how."""
    return {
        "total": tally.total,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "unknown": tally.unknown,
        "expired": tally.expired,
        "invalid": tally.invalid,
        "key_conflicts": tally.key_conflicts,
        "duplicates": tally.duplicates,
        "suppressed": tally.suppressed,
        "deferred": tally.deferred,
        "under_way": tally.under_way,
        "not_sent": tally.left,
        "not_in_source": tally.gone,
    }
