"""How far the virtual clock had come: it stands still while the sandbox is off, and goes on from there."""

from ..life.agenda import Agenda
from ..life.clock import VirtualClock
from .store import Store

KIND = "clock"
_BEFORE = 1e-5  # virtual seconds; moments are told to the microsecond


class KeptClock:
    """Reads the clock for a store, and sets it by one."""

    def __init__(self, clock: VirtualClock, agenda: Agenda) -> None:
        self._clock, self._agenda = clock, agenda

    def reading(self) -> float:
        """The moment up to which everything has been done, so that nothing is left out by going on from there."""
        now, due = self._clock.now(), self._agenda.next_due
        return now if due is None or due > now else due - _BEFORE

    def passes(self) -> bool:
        """Whether time passes in which something is still to come."""
        return self._clock.speed > 0 and self._agenda.next_due is not None

    def restore(self, store: Store) -> float:
        """Put the clock to the reading that a store has, and give that."""
        reading = max(store.load(KIND, float), default=0.0)
        self._clock.advance_to(reading)
        return reading
