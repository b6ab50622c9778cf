"""Waiting for the end of flows: when to ask about each, and one poller a loop that asks for all who wait."""

from .per_loop import PerLoopPollers
from .schedule import PollSchedule
from .targets import Timeout, is_final, schedule_for, timeout_seconds, tracking_ids_of

__all__ = [
    "PerLoopPollers",
    "PollSchedule",
    "Timeout",
    "is_final",
    "schedule_for",
    "timeout_seconds",
    "tracking_ids_of",
]
