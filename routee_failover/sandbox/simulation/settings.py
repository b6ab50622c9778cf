"""What may be set while the sandbox runs, beside its clock and its rules."""

from ..store.base import MemoryStore, Store

_SEARCH_LAG = "search lag"


class SimulationSettings:
    """The sandbox's settings."""

    def __init__(self) -> None:
        self._search_lag = 0.0
        self._store: Store = MemoryStore()

    def attach_store(self, store: Store) -> None:
        """Go on with what a store has from before, and keep everything there from now on."""
        self._store = store
        for lag in store.load(_SEARCH_LAG, float):
            self._search_lag = lag

    @property
    def search_lag(self) -> float:
        """The virtual seconds after which a search finds a flow; by its id a flow is found at once."""
        return self._search_lag

    @search_lag.setter
    def search_lag(self, seconds: float) -> None:
        """Set it."""
        self._search_lag = seconds
        self._store.save(_SEARCH_LAG, "", seconds)

    def reset(self) -> None:
        """Set all as it was at the start."""
        self.search_lag = 0.0
