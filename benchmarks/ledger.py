"""What a ledger costs: `python benchmarks/ledger.py`, or with `--rows 1000000`, or `--folder` on another disk.

A hundred workers, each of which claims, ends what it claimed, and claims again, one row at a time or 64: messages a
second, how long a claim takes, and the CPU time of the loop's thread. Beside it the same transactions in a bare loop
over `sqlite3` that waits for nobody, with the same pages and the same log, which is what the disk and SQLite allow;
the figure to read is the ratio. The memory is that of the process at its largest.
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
IDENTITY = "5f0f6c0e-29c5-4b51-a8a6-0a86e5ef1a04"


def rows(count: int) -> list[ClaimRequest]:
    """Rows with keys as random as digests are."""
    chance = random.Random(7)
    return [
        ClaimRequest(chance.getrandbits(63), phone, phone, line, b"f" * 16)
        for line in range(count)
        for phone in [f"+3069{chance.randrange(10**8):08d}"]
    ]


def clocks() -> tuple[float, float, float]:
    """The time, and the CPU time of this thread and of the whole process."""
    return time.perf_counter(), time.thread_time(), time.process_time()


class LedgerRun:
    """What was measured."""

    def __init__(self, count: int, waits: list[float], began: tuple[float, float, float]) -> None:
        elapsed, self.busy, self.whole = (now - then for now, then in zip(clocks(), began, strict=True))
        waits.sort()
        self.rate = count / elapsed
        self.half, self.most = (waits[int(len(waits) * part)] * 1e3 for part in (0.5, 0.99))
        self.busy *= 1e6 / count
        self.whole *= 1e6 / count

    def __str__(self) -> str:
        return (
            f"{self.rate:9,.0f} a second   a claim takes {self.half:5.2f} ms, p99 {self.most:5.2f}"
            f"   {self.whole:5.2f} us of CPU each, {self.busy:5.2f} of them in this thread"
        )


async def use_ledger(wanted: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """Claims and endings through a ledger."""
    waits: list[float] = []
    left: Iterator[list[ClaimRequest]] = (wanted[begin : begin + batch] for begin in range(0, len(wanted), batch))

    async def worker(kept: SqliteLedger) -> None:
        for some in left:
            start = time.perf_counter()
            found = await kept.claim(some, lease=60.0)
            waits.append(time.perf_counter() - start)
            for one in found:
                kept.record(
                    Transition.ACCEPT,
                    TransitionDetails(
                        one.number, one.attempt, tracking_id=IDENTITY, channel="Viber", response_time=0.1
                    ),
                )

    async with SqliteLedger(path) as kept:
        began = clocks()
        await asyncio.gather(*(worker(kept) for _ in range(WORKERS)))
        await kept.flush()
        run = LedgerRun(len(wanted), waits, began)
        assert (await kept.counts()).accepted == len(wanted)
    return run


def run_ledger(wanted: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """The same in a loop of its own."""
    return asyncio.run(use_ledger(wanted, batch, path))


def use_plain_sqlite(wanted: list[ClaimRequest], batch: int, path: Path) -> LedgerRun:
    """The same rows in the same number of transactions, by a loop that does nothing else."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA page_size=2048")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "cache_size=-65536"):
        database.execute(f"PRAGMA {pragma}")
    database.execute(
        "CREATE TABLE entries (number INTEGER PRIMARY KEY, key_hash INTEGER NOT NULL UNIQUE, recipient TEXT, line INTEGER,"
        " state INTEGER, fingerprint BLOB, begun REAL, ended REAL, tracking_id TEXT, channel TEXT, seconds REAL)"
    )
    waits: list[float] = []
    began = clocks()
    together = batch * WORKERS
    ended: range = range(0)
    for begin in range(0, len(wanted) + together, together):
        some = wanted[begin : begin + together]
        start = time.perf_counter()
        database.execute("BEGIN")
        database.executemany(
            "UPDATE entries SET state = 2, ended = ?, tracking_id = ?, channel = 'Viber', seconds = 0.1 WHERE number = ?",
            ((start, IDENTITY, number) for number in ended),
        )
        database.executemany(
            "INSERT INTO entries (key_hash, recipient, line, state, fingerprint, begun) VALUES (?, ?, ?, 1, ?, ?)",
            ((one.key_hash, one.recipient, one.line, one.fingerprint, start) for one in some),
        )
        database.execute("COMMIT")
        waits.append(time.perf_counter() - start)
        ended = range(begin + 1, begin + 1 + len(some))
    run = LedgerRun(len(wanted), waits, began)
    database.close()
    return run


def main() -> None:
    """Measure in turn, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; that of temporary files")
    given = parser.parse_args()
    wanted = rows(given.rows)
    gc.disable()
    for batch in (1, 64):
        ways: dict[str, Callable[[Path], LedgerRun]] = {
            "bare sqlite3": partial(use_plain_sqlite, wanted, batch),
            "the ledger": partial(run_ledger, wanted, batch),
        }
        runs: dict[str, list[LedgerRun]] = {name: [] for name in ways}
        for _ in range(given.rounds):
            for name, way in ways.items():
                with tempfile.TemporaryDirectory(dir=given.folder) as folder:
                    runs[name].append(way(Path(folder) / "run.sqlite"))
                gc.collect()
        print(f"\n{given.rows:,} messages by {WORKERS} workers, {batch} a claim")
        for name, found in runs.items():
            print(f"  {name:14} {sorted(found, key=lambda run: run.rate)[len(found) // 2]}")
        ratios = sorted(
            one.rate / still.rate for one, still in zip(runs["the ledger"], runs["bare sqlite3"], strict=True)
        )
        print(f"  {'ratio':14} {ratios[len(ratios) // 2]:9.2f} of the bare loop's rate")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nmemory at most {most:.0f} MB, with {given.rows:,} rows to send among it; {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
