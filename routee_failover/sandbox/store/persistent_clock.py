"""How far the virtual clock had come: it stands still while the sandbox is off, and goes on from there."""

from ..simulation.scheduler import Scheduler
from ..simulation.virtual_clock import VirtualClock
from .base import Store

KIND = "clock"
_BEFORE = 1e-5  # virtual seconds; moments are told to the microsecond


class PersistentClock:
    """Reads the clock for a store, and sets it by one."""

    def __init__(self, clock: VirtualClock, scheduler: Scheduler) -> None:
        self._clock, self._scheduler = clock, scheduler

    def checkpoint(self) -> float:
        """The moment up to which everything has been done, so that nothing is left out by going on from there."""
        now, due = self._clock.now(), self._scheduler.next_due
        return now if due is None or due > now else due - _BEFORE

    def needs_checkpoint(self) -> bool:
        """Whether time passes in which something is still to come."""
        return self._clock.speed > 0 and self._scheduler.next_due is not None

    def restore(self, store: Store) -> float:
        """Put the clock to the reading that a store has, and give that."""
        reading = max(store.load(KIND, float), default=0.0)
        self._clock.advance_to(reading)
        return reading
