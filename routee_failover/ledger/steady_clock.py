"""A clock for ledgers that no correction of the machine's clock turns back or makes jump."""

import time


class SteadyClock:
    """Seconds since 1970: the machine's time when it was made, and from then on what has really passed.

    `last` is the latest moment that the ledger knows from before: time goes on from there where the machine's clock has
    been set back.
    """

    def __init__(self, last: float = 0.0) -> None:
        self._ahead = max(time.time(), last) - time.monotonic()

    def __call__(self) -> float:
        """The time."""
        return time.monotonic() + self._ahead
