"""Clock of a ledger, which never goes back and does not jump when the machine's clock is corrected."""

import time


class SteadyClock:
    """Seconds since 1970: the machine's time when the clock is made, plus the monotonic time since then.

    `last` is the latest time that is in the ledger: the clock continues from there where the machine's clock has been
    set back.
    """

    def __init__(self, last: float = 0.0) -> None:
        self._offset = max(time.time(), last) - time.monotonic()

    def __call__(self) -> float:
        """Return the time."""
        return time.monotonic() + self._offset
