"""What a client may spend on trying again, so that its retries do not make an outage of Routee's worse.

A limit of tries for each call does not do that: with three of them, an outage is met with three times the traffic.
"""

CAPACITY = 500
"""What a client starts with, and the most that it can have. The figures are those that AWS gives its SDKs in 2026."""
COST_NOT_SENT = 14
"""What it costs to try again where no connection could be made, or no answer came."""
COST_THROTTLED = 5
"""What it costs to try again where Routee asked for that: less, since it is there."""
SUCCESS_CREDIT = 1
"""What a call brings that succeeds at its first try."""


class RetryBudget:
    """Tokens for all the retries of a client; `left` says how many there are.

    While nothing succeeds, N calls make at most N + 500 / 14 attempts: from 180 calls on less than 1.2 times the
    traffic, however many tries each of them has.
    """

    __slots__ = ("available",)

    def __init__(self) -> None:
        self.available: int = CAPACITY

    def try_withdraw(self, cost: int) -> bool:
        """Pay for a retry, or say that it cannot be paid for and take nothing."""
        if cost > self.available:
            return False
        self.available -= cost
        return True

    def deposit(self, spent: int = 0) -> None:
        """Take note of a call that succeeded: what its retries cost comes back, and a call without any earns one."""
        self.available = min(CAPACITY, self.available + (spent or SUCCESS_CREDIT))
