"""Runs of a few messages, as the tests of the sender make them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from routee_failover import AnyFlow, Problem, RouteeClient
from routee_failover.bulk import BulkSender, BulkSettings, Correlation, Progress, Row, UnknownPolicy, rows_of
from routee_failover.bulk.templates.correlation import add_correlation
from routee_failover.ledger import Ledger
from tests.chaos.bulk.listing_server import ListingServer
from tests.chaos.sample_flows import otp

SETTINGS: dict[str, Any] = {"error_budget": None, "concurrency": 8, "reconcile_after": timedelta(seconds=0.3)}


def number(place: int) -> str:
    """A recipient."""
    return f"+3069{place:08d}"


class OtpFlows:
    """So many one-time passwords, the same ones each time that they are gone through."""

    def __init__(self, count: int, start: int = 1) -> None:
        self.range = range(start, start + count)
        self.passes = 0

    def __iter__(self) -> Iterator[AnyFlow]:
        self.passes += 1
        return (otp(number(place)) for place in self.range)


def row(place: int, to: int, words: str = "Your code is 4711", *, key: str = "") -> Row:
    """One row as a template would make it."""

    def make(stamp: Correlation) -> AnyFlow:
        from tests.chaos.sample_flows import standard

        return add_correlation(standard(number(to), words), stamp)

    return Row(place, key or number(to), number(to), make)


def invalid_row(place: int, reason: str = "must be a phone number") -> Row:
    """A row that cannot be sent, and has no key."""

    def make(_stamp: Correlation) -> AnyFlow:
        raise AssertionError("a broken row is not made")

    return Row(place, "", "", make, (Problem(("to",), reason),))


def client(server: ListingServer, **changes: Any) -> RouteeClient:
    """A client that is impatient, and asks as often as it likes."""
    config = {
        "total_timeout": timedelta(seconds=0.5),
        "poll_rate": 1000.0,
        "max_throttle_pause": timedelta(seconds=0.2),
    }
    return RouteeClient(server.config(**(config | changes)))


async def run(server: ListingServer, ledger: Ledger, rows: Any, **settings: Any) -> Progress:
    """A whole run with a client of its own."""
    async with client(server) as routee:
        return await sender(routee, ledger, **settings).run(rows if _are_rows(rows) else rows_of(rows))


def sender(routee: RouteeClient, ledger: Ledger, **settings: Any) -> BulkSender:
    """A sender with settings for a few messages."""
    refused = settings.pop("on_invalid_row", None)
    return BulkSender(routee, ledger, BulkSettings(**(SETTINGS | settings)), on_invalid_row=refused)


def _are_rows(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, Row) for row in rows)


KEEP, RECONCILE, RESEND = UnknownPolicy.KEEP, UnknownPolicy.RECONCILE, UnknownPolicy.RESEND
