"""What a ledger costs a run: `python benchmarks/bulk.py [--rows 100000] [--rounds 3] [--loop uvloop]`.

The same CSV file of one-time passwords goes out by `send_all` and by `BulkSender` with a ledger in a file,
`synchronous=FULL`, to a server that is not the bottleneck. They take turns, each in a process of its own. The figures
to read are the ratio of their rates, of which the goal is 0.8 or more, and how much the process grew over its start,
of which the goal is at most 100 MiB for a million rows.
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
AT = 100
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


def write_people(path: Path, rows: int) -> None:
    """A file of recipients in no order, each with a PIN."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["phone", "pin"])
        # A step that has no divisor in common with the number of rows visits each of them once.
        step = next(step for step in range(int(rows * 0.618) | 1, 2 * rows + 3, 2) if rows % step or rows < step)
        writer.writerows([f"+3069{place * step % 100_000_000:08d}", f"{place:06d}"] for place in range(rows))


def settings(url: str) -> Config:
    """A client for the stub."""
    return Config(application_id="bench", application_secret="bench", api_url=url, auth_url=url, pool_size=AT)


async def by_send_all(url: str, people: Path, _ledger: Path) -> int:
    """Without a ledger."""
    rows = FlowTemplate.from_mapping(TEMPLATE).rows(read_source(people))

    def flows() -> Iterator[AnyFlow]:
        for row in rows:
            yield row.build_flow(Correlation())

    async with RouteeClient(settings(url)) as routee:
        return sum([1 async for sent in routee.send_all(flows()) if sent.outcome is Outcome.ACCEPTED])


async def by_bulk(url: str, people: Path, ledger: Path) -> int:
    """With one."""
    rows = FlowTemplate.from_mapping(TEMPLATE).rows(read_source(people))
    async with RouteeClient(settings(url)) as routee, SqliteLedger(ledger) as book:
        progress = await BulkSender(routee, book, BulkSettings(concurrency=AT)).run(rows)
    return progress.counts.accepted


METHODS = {"send_all": by_send_all, "bulk": by_bulk}


def run(way: str, url: str, people: Path, ledger: Path, loop: str) -> None:
    """Send them all in this process, and print what it took."""
    if loop == "uvloop":
        import uvloop

        runner: Any = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    with runner:
        accepted = runner.run(METHODS[way](url, people, ledger))
    took = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "accepted": accepted}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps(took | {"grown": grown / 1024}))


def measure(way: str, url: str, people: Path, loop: str) -> dict[str, float]:
    """What one run took, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--run", way, url, str(people), f"{folder}/run.sqlite", "--loop", loop]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said))


def main() -> None:
    """Let them take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        way, url, people, ledger = options.run
        run(way, url, Path(people), Path(ledger), options.loop)
        return
    ratios, costs, grown = [], [], []
    with run_nginx() as url, tempfile.TemporaryDirectory() as folder:
        people = Path(folder) / "people.csv"
        write_people(people, options.rows)
        for _ in range(options.rounds):
            took = {way: measure(way, url, people, options.loop) for way in METHODS}
            assert {one["accepted"] for one in took.values()} == {options.rows}, took
            for way, one in took.items():
                rate, cpu = options.rows / one["seconds"], one["cpu"] / options.rows * 1e6
                print(f"{way:9} {rate:8,.0f} a second   {cpu:5.0f} us of CPU a row   grown by {one['grown']:.0f} MiB")
            ratios.append(took["send_all"]["seconds"] / took["bulk"]["seconds"])
            costs.append(took["bulk"]["cpu"] / took["send_all"]["cpu"])
            grown.append(took["bulk"]["grown"])
    print(f"rate with a ledger: {statistics.median(ratios):.2f} of send_all's (goal {GOAL})")
    print(f"CPU with a ledger: {statistics.median(costs):.2f} of send_all's")
    print(f"memory: at most {max(grown):.0f} MiB over the start (goal {MEMORY_GOAL})")


if __name__ == "__main__":
    main()
