"""Runs of a few messages for the tests of the bulk sender."""

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


def number(index: int) -> str:
    """Return a recipient."""
    return f"+3069{index:08d}"


class OtpFlows:
    """A fixed number of one-time passwords, the same ones in each pass."""

    def __init__(self, count: int, start: int = 1) -> None:
        self.range = range(start, start + count)
        self.passes = 0

    def __iter__(self) -> Iterator[AnyFlow]:
        self.passes += 1
        return (otp(number(index)) for index in self.range)


def row(index: int, to: int, text: str = "Your code is 4711", *, key: str = "") -> Row:
    """Return a row as a template would make it."""

    def build_flow(correlation: Correlation) -> AnyFlow:
        from tests.chaos.sample_flows import standard

        return add_correlation(standard(number(to), text), correlation)

    return Row(index, key or number(to), number(to), build_flow)


def invalid_row(index: int, reason: str = "must be a phone number") -> Row:
    """Return a row that cannot be sent, and has no key."""

    def build_flow(_correlation: Correlation) -> AnyFlow:
        raise AssertionError("the flow of an invalid row must not be built")

    return Row(index, "", "", build_flow, (Problem(("to",), reason),))


def client(server: ListingServer, **changes: Any) -> RouteeClient:
    """Return a client with short timeouts and no polling limit."""
    config = {
        "total_timeout": timedelta(seconds=0.5),
        "poll_rate": 1000.0,
        "max_throttle_pause": timedelta(seconds=0.2),
    }
    return RouteeClient(server.config(**(config | changes)))


async def run(server: ListingServer, ledger: Ledger, rows: Any, **settings: Any) -> Progress:
    """Run a sender with a client of its own."""
    async with client(server) as routee:
        return await sender(routee, ledger, **settings).run(rows if _are_rows(rows) else rows_of(rows))


def sender(routee: RouteeClient, ledger: Ledger, **settings: Any) -> BulkSender:
    """Return a sender with settings for a few messages."""
    on_invalid_row = settings.pop("on_invalid_row", None)
    return BulkSender(routee, ledger, BulkSettings(**(SETTINGS | settings)), on_invalid_row=on_invalid_row)


def _are_rows(rows: Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, Row) for row in rows)


KEEP, RECONCILE, RESEND = UnknownPolicy.KEEP, UnknownPolicy.RECONCILE, UnknownPolicy.RESEND
