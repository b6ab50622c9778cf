"""Cost of a ledger in a bulk run: `python benchmarks/bulk.py [--rows 100000] [--rounds 3] [--loop uvloop]`.

The same CSV file of one-time passwords is sent with `send_all` and with `BulkSender` and a ledger in a file,
`synchronous=FULL`, to a server that is not the bottleneck. They alternate, each in a process of its own. The figures
to read are the ratio of their rates (goal: 0.8 or more), and the growth of the process from its start (goal: at most
100 MiB for a million rows).
"""

import argparse
import asyncio
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stub import run_nginx

from routee_failover import AnyFlow, Config, Outcome, RouteeClient
from routee_failover.bulk import BulkSender, BulkSettings, Correlation, FlowTemplate, read_source
from routee_failover.ledger import SqliteLedger

GOAL, MEMORY_GOAL = 0.8, 100
CONCURRENCY = 100
TEMPLATE: dict[str, Any] = {
    "endpoint": "otp",
    "flow": [
        {"type": "ViberOtp", "order": 1, "to": "{phone}", "ttl": 60, "pin": "{pin}",
         "senderInfoTrackingId": "aaaaaaaa-0000-4000-8000-000000000001",
         "templateId": "0aac888f-2ee2-4112-9659-1755a951966a"},
        {"type": "Sms", "order": 2, "to": "{phone}", "ttl": 180, "from": "Demo",
         "message": {"body": "Your code is {pin}"}},
    ],
}  # fmt: skip


def write_recipients(path: Path, rows: int) -> None:
    """Write a file of recipients in no particular order, each with a PIN."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "pin"])
        # A step that has no divisor in common with the number of rows visits each of them once.
        step = next(step for step in range(int(rows * 0.618) | 1, 2 * rows + 3, 2) if rows % step or rows < step)
        writer.writerows([f"+3069{index * step % 100_000_000:08d}", f"{index:06d}"] for index in range(rows))


def settings(url: str) -> Config:
    """Return the settings of a client for the stub."""
    return Config(application_id="bench", application_secret="bench", api_url=url, auth_url=url, pool_size=CONCURRENCY)


async def by_send_all(url: str, recipients: Path, _ledger: Path) -> int:
    """Send without a ledger; return the number of accepted messages."""
    rows = FlowTemplate.from_mapping(TEMPLATE).rows(read_source(recipients))

    def flows() -> Iterator[AnyFlow]:
        for row in rows:
            yield row.build_flow(Correlation())

    async with RouteeClient(settings(url)) as routee:
        return sum([1 async for sent in routee.send_all(flows()) if sent.outcome is Outcome.ACCEPTED])


async def by_bulk(url: str, recipients: Path, ledger: Path) -> int:
    """Send with a ledger; return the number of accepted messages."""
    rows = FlowTemplate.from_mapping(TEMPLATE).rows(read_source(recipients))
    async with RouteeClient(settings(url)) as routee, SqliteLedger(ledger) as store:
        progress = await BulkSender(routee, store, BulkSettings(concurrency=CONCURRENCY)).run(rows)
    return progress.counts.accepted


METHODS = {"send_all": by_send_all, "bulk": by_bulk}


def run(method: str, url: str, recipients: Path, ledger: Path, loop: str) -> None:
    """Send all rows in this process, and print the measurements."""
    if loop == "uvloop":
        import uvloop

        runner: Any = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_at, cpu = time.perf_counter(), time.process_time()
    with runner:
        accepted = runner.run(METHODS[method](url, recipients, ledger))
    result = {"seconds": time.perf_counter() - started_at, "cpu": time.process_time() - cpu, "accepted": accepted}
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(result | {"grown": growth / 1024}))


def measure(method: str, url: str, recipients: Path, loop: str) -> dict[str, float]:
    """Return the measurements of one run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            __file__,
            "--run",
            method,
            url,
            str(recipients),
            f"{folder}/run.sqlite",
            "--loop",
            loop,
        ]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output))


def main() -> None:
    """Alternate the methods and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        method, url, recipients, ledger = options.run
        run(method, url, Path(recipients), Path(ledger), options.loop)
        return
    ratios, costs, growth = [], [], []
    with run_nginx() as url, tempfile.TemporaryDirectory() as folder:
        recipients = Path(folder) / "people.csv"
        write_recipients(recipients, options.rows)
        for _ in range(options.rounds):
            result = {method: measure(method, url, recipients, options.loop) for method in METHODS}
            assert {measured["accepted"] for measured in result.values()} == {options.rows}, result
            for method, measured in result.items():
                rate, cpu = options.rows / measured["seconds"], measured["cpu"] / options.rows * 1e6
                print(
                    f"{method:9} {rate:8,.0f} a second   {cpu:5.0f} us of CPU a row"
                    f"   grown by {measured['grown']:.0f} MiB"
                )
            ratios.append(result["send_all"]["seconds"] / result["bulk"]["seconds"])
            costs.append(result["bulk"]["cpu"] / result["send_all"]["cpu"])
            growth.append(result["bulk"]["grown"])
    print(f"rate with a ledger: {statistics.median(ratios):.2f} of send_all's (goal {GOAL})")
    print(f"CPU with a ledger: {statistics.median(costs):.2f} of send_all's")
    print(f"memory: at most {max(growth):.0f} MiB over the start (goal {MEMORY_GOAL})")


if __name__ == "__main__":
    main()
