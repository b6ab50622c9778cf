"""Throughput of a ledger: `python benchmarks/ledger.py`, or with `--rows 1000000`, or `--folder` on another disk.

A hundred workers, each of which claims, records the outcomes, and claims again, one row at a time or 64: messages a
second, the time of a claim, and the CPU time of the event loop's thread. For comparison the same transactions in a bare
loop over `sqlite3` without any waiting, with the same page size and log, which is what the disk and SQLite allow; the
figure to read is the ratio. The memory is the peak of the process.
"""

import argparse
import asyncio
import gc
import os
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from routee_failover.ledger import ClaimRequest, SqliteLedger, Transition, TransitionDetails

WORKERS = 100
TRACKING_ID = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04"


def rows(count: int) -> list[ClaimRequest]:
    """Return claim requests with keys as random as digests are."""
    rng = random.Random(7)
    return [
        ClaimRequest(rng.getrandbits(63), phone, phone, line, b"f" * 16)
        for line in range(count)
        for phone in [f"+3069{rng.randrange(10**8):08d}"]
    ]


def clocks() -> tuple[float, float, float]:
    """Return the time, and the CPU time of this thread and of the whole process."""
    return time.perf_counter(), time.thread_time(), time.process_time()


class LedgerRun:
    """Measurements of one run."""

    def __init__(self, count: int, waits: list[float], started_at: tuple[float, float, float]) -> None:
        elapsed, self.thread_cpu, self.process_cpu = (
            now - before for now, before in zip(clocks(), started_at, strict=True)
        )
        waits.sort()
        self.rate = count / elapsed
        self.median, self.p99 = (waits[int(len(waits) * quantile)] * 1e3 for quantile in (0.5, 0.99))
        self.thread_cpu *= 1e6 / count
        self.process_cpu *= 1e6 / count

    def __str__(self) -> str:
        return (
            f"{self.rate:9,.0f} a second   a claim takes {self.median:5.2f} ms, p99 {self.p99:5.2f}"
            f"   {self.process_cpu:5.2f} us of CPU each, {self.thread_cpu:5.2f} of them in this thread"
        )


async def use_ledger(requests: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """Claim and record outcomes with a ledger."""
    waits: list[float] = []
    batches: Iterator[list[ClaimRequest]] = (
        requests[begin : begin + batch] for begin in range(0, len(requests), batch)
    )

    async def worker(opened: SqliteLedger) -> None:
        for batch_requests in batches:
            start = time.perf_counter()
            found = await opened.claim(batch_requests, lease=60.0)
            waits.append(time.perf_counter() - start)
            for one in found:
                opened.record(
                    Transition.ACCEPT,
                    TransitionDetails(
                        one.number, one.attempt, tracking_id=TRACKING_ID, channel="Viber", response_time=0.1
                    ),
                )

    async with SqliteLedger(path) as opened:
        started_at = clocks()
        await asyncio.gather(*(worker(opened) for _ in range(WORKERS)))
        await opened.flush()
        run = LedgerRun(len(requests), waits, started_at)
        assert (await opened.counts()).accepted == len(requests)
    return run


def run_ledger(requests: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """Run `use_ledger` in an event loop of its own."""
    return asyncio.run(use_ledger(requests, batch, path))


def use_plain_sqlite(requests: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """Write the same rows in the same number of transactions, in a loop that does nothing else."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA page_size=2048")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "cache_size=-65536"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(
        "CREATE TABLE entries (number INTEGER PRIMARY KEY, key_hash INTEGER NOT NULL UNIQUE, recipient TEXT,"
        " line INTEGER, state INTEGER, fingerprint BLOB, claimed_at REAL, ended_at REAL, tracking_id TEXT,"
        " channel TEXT, response_time REAL)"
    )
    waits: list[float] = []
    started_at = clocks()
    batch_rows = batch * WORKERS
    accepted: range = range(0)
    for begin in range(0, len(requests) + batch_rows, batch_rows):
        batch_requests = requests[begin : begin + batch_rows]
        start = time.perf_counter()
        database.execute("BEGIN")
        database.executemany(
            "UPDATE entries SET state = 2, ended_at = ?, tracking_id = ?, channel = 'Viber', response_time = 0.1"
            " WHERE number = ?",
            ((start, TRACKING_ID, number) for number in accepted),
        )
        database.executemany(
            "INSERT INTO entries (key_hash, recipient, line, state, fingerprint, claimed_at) VALUES (?, ?, ?, 1, ?, ?)",
            ((one.key_hash, one.recipient, one.line, one.fingerprint, start) for one in batch_requests),
        )
        database.execute("COMMIT")
        waits.append(time.perf_counter() - start)
        accepted = range(begin + 1, begin + 1 + len(batch_requests))
    run = LedgerRun(len(requests), waits, started_at)
    database.close()
    return run


def main() -> None:
    """Measure alternately, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; default: that of temporary files")
    options = parser.parse_args()
    requests = rows(options.rows)
    gc.disable()
    for batch in (1, 64):
        methods: dict[str, Callable[[Path], LedgerRun]] = {
            "bare sqlite3": partial(use_plain_sqlite, requests, batch),
            "the ledger": partial(run_ledger, requests, batch),
        }
        runs: dict[str, list[LedgerRun]] = {name: [] for name in methods}
        for _ in range(options.rounds):
            for name, method in methods.items():
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    runs[name].append(method(Path(folder) / "run.sqlite"))
                gc.collect()
        print(f"\n{options.rows:,} messages by {WORKERS} workers, {batch} a claim")
        for name, found in runs.items():
            print(f"  {name:14} {sorted(found, key=lambda run: run.rate)[len(found) // 2]}")
        ratios = sorted(
            one.rate / baseline.rate for one, baseline in zip(runs["the ledger"], runs["bare sqlite3"], strict=True)
        )
        print(f"  {'ratio':14} {ratios[len(ratios) // 2]:9.2f} of the bare loop's rate")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nmemory at most {peak:.0f} MB, including {options.rows:,} rows to send; {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
