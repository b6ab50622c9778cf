"""Polling: waiting until flows are final. Each event loop has one rate-limited poller for all its waiters."""

from .per_loop import PerLoopPollers
from .schedule import PollSchedule
from .wait_arguments import Timeout, check_predicate, is_final, schedule_for, timeout_seconds, tracking_ids_of

__all__ = [
    "PerLoopPollers",
    "PollSchedule",
    "Timeout",
    "check_predicate",
    "is_final",
    "schedule_for",
    "timeout_seconds",
    "tracking_ids_of",
]
