"""Process that is killed: a bulk run of OTPs over a ledger file, as a user's program runs it.

`python -m tests.chaos.bulk.bulk_process LEDGER API AUTH COUNT RECONCILE_AFTER [LEASE [recover] [open]]`; it exits with
0 once every row has an outcome, or with `open` once the ledger was opened.
"""

import asyncio
import sys
from collections.abc import Iterator
from datetime import timedelta

from routee_failover import AnyFlow, Config, RouteeClient
from routee_failover.bulk import BulkSender, BulkSettings, rows_of
from routee_failover.ledger import SqliteLedger
from tests.chaos.sample_flows import otp


class Flows:
    """Source of `count` messages, the same ones in each iteration."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[AnyFlow]:
        return (otp(f"+3069{number:08d}") for number in range(1, self._count + 1))


async def main(
    path: str, api: str, auth: str, count: int, reconcile_after: float, lease: float, *, recover: bool, only_open: bool
) -> None:
    """Send what is not sent yet, and reconcile what is UNKNOWN."""
    config = Config(
        application_id="application",
        application_secret="canary-key",
        api_url=api,
        auth_url=auth,
        circuit_breaker=False,
        total_timeout=timedelta(seconds=0.5),
        poll_rate=500.0,
        max_throttle_pause=timedelta(seconds=0.2),
    )
    if only_open:
        async with SqliteLedger(path, recover=recover):
            return
    settings = BulkSettings(
        error_budget=None,
        concurrency=50,
        reconcile_after=timedelta(seconds=reconcile_after),
        lease=timedelta(seconds=lease),
    )
    async with RouteeClient(config) as routee, SqliteLedger(path, recover=recover) as ledger:
        progress = await BulkSender(routee, ledger, settings).run(rows_of(Flows(count)), total=count)
    sys.stdout.write(f"{progress.counts}\n")


if __name__ == "__main__":
    ledger, api, auth, count, reconcile_after, *more = sys.argv[1:]
    lease = float(more[0]) if more else 60.0
    asyncio.run(
        main(
            ledger,
            api,
            auth,
            int(count),
            float(reconcile_after),
            lease,
            recover="recover" in more,
            only_open="open" in more,
        )
    )
