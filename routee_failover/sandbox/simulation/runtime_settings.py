"""Settings that can be changed while the sandbox runs, apart from its clock and its rules."""

from ..store.base import MemoryStore, Store

_SEARCH_LAG = "search_lag"


class SimulationSettings:
    """Settings of the simulation."""

    def __init__(self) -> None:
        self._search_lag = 0.0
        self._store: Store = MemoryStore()

    def attach_store(self, store: Store) -> None:
        """Load the settings that a store has, and save every change there from now on."""
        self._store = store
        for lag in store.load(_SEARCH_LAG, float):
            self._search_lag = lag

    @property
    def search_lag(self) -> float:
        """Virtual seconds after which searches find a flow; by its id a flow is found immediately."""
        return self._search_lag

    @search_lag.setter
    def search_lag(self, seconds: float) -> None:
        """Set the lag, in virtual seconds."""
        self._search_lag = seconds
        self._store.save(_SEARCH_LAG, "", seconds)

    def reset(self) -> None:
        """Restore the defaults."""
        self.search_lag = 0.0
