"""Waiting for the end of flows: when to ask about each, and one poller a loop that asks for all who wait."""

from .followed import Timeout, identities_of, is_final, schedule_of, seconds_of
from .pollers import Pollers
from .schedule import Schedule

__all__ = ["Pollers", "Schedule", "Timeout", "identities_of", "is_final", "schedule_of", "seconds_of"]
