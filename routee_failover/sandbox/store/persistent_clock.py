"""Persistence of the virtual clock: it stops while the sandbox is off, and continues from the saved reading."""

from ..simulation.scheduler import Scheduler
from ..simulation.virtual_clock import VirtualClock
from .base import Store

KIND = "clock"
_MARGIN = 1e-5  # virtual seconds; times have a precision of one microsecond


class PersistentClock:
    """Gives a store the reading to save, and sets the clock to a saved one."""

    def __init__(self, clock: VirtualClock, scheduler: Scheduler) -> None:
        self._clock, self._scheduler = clock, scheduler

    def checkpoint(self) -> float:
        """Return the time up to which every job has run, so that continuing from it skips none."""
        now, due = self._clock.now(), self._scheduler.next_due
        return now if due is None or due > now else due - _MARGIN

    def needs_checkpoint(self) -> bool:
        """Return whether the clock is running and a job is still to come."""
        return self._clock.speed > 0 and self._scheduler.next_due is not None

    def restore(self, store: Store) -> float:
        """Set the clock to the reading in a store, and return that."""
        reading = max(store.load(KIND, float), default=0.0)
        self._clock.advance_to(reading)
        return reading
