"""Retry budget of a client: limits its retries, so that they do not make an outage of Routee worse.

A maximum number of attempts per request does not achieve that: with three attempts, an outage is met with three times
the traffic.
"""

CAPACITY = 500
"""Tokens that a client starts with, and its maximum. The figures are those that AWS gives its SDKs in 2026."""
COST_NOT_SENT = 14
"""Tokens for a retry after no connection could be made, or no response came."""
COST_THROTTLED = 5
"""Tokens for a retry after Routee throttled the request: fewer, because Routee is reachable."""
SUCCESS_CREDIT = 1
"""Tokens earned by a request that succeeds at its first attempt."""


class RetryBudget:
    """Token bucket for all the retries of a client in one event loop; `available` is the number of tokens left.

    While nothing succeeds, N requests make at most N + 500 / 14 attempts: from 180 requests on, less than 1.2 times the
    traffic, however many attempts each request may make.
    """

    __slots__ = ("available",)

    def __init__(self) -> None:
        self.available: int = CAPACITY

    def try_withdraw(self, cost: int) -> bool:
        """Withdraw the cost of a retry. Return False, and withdraw nothing, if too few tokens are left."""
        if cost > self.available:
            return False
        self.available -= cost
        return True

    def deposit(self, spent: int = 0) -> None:
        """Credit a request that succeeded: the tokens its retries cost are returned; without retries it earns one."""
        self.available = min(CAPACITY, self.available + (spent or SUCCESS_CREDIT))
