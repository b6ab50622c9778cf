"""Soak test with faults of all kinds: `python -m tests.chaos.soak --minutes 60`.

It prints its counts once a minute, and exits with an error on a message that was accepted twice, on an outcome that
contradicts the server's count, and on file descriptors, tasks or memory that grow.
"""

import argparse
import asyncio
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import attrs

from routee_failover import Config, Outcome, RouteeClient
from tests.client.fake_routee import until

from .consistency import (
    AttemptRecorder,
    SendReport,
    contradictions,
    count_outcomes,
    send_all_and_report,
    send_and_report,
)
from .faults import ALL_FAULTS, BEFORE_RESPONSE, NO_FAULT
from .faulty_proxy import Interruption, Proxy, ProxyAction, ProxyScript
from .faulty_server import TOTAL_TIMEOUT, FaultyServer
from .sample_flows import new_flow, new_flows
from .scale import SEED, raise_file_limit
from .server_loop import ServerLoop

FD_MARGIN = 4
MEMORY_FACTOR, MEMORY_MARGIN = 1.25, 32 * 2**20
WARM_UP_ROUNDS = 3


@attrs.frozen
class ResourceUsage:
    """Resources of a process when nothing is in flight."""

    fds: int
    tasks: int
    memory: int

    @classmethod
    def now(cls) -> "ResourceUsage":
        """Return the resources of this process."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        fds = len(list(Path("/proc/self/fd").iterdir()))
        return cls(fds, len(asyncio.all_tasks()), pages * os.sysconf("SC_PAGE_SIZE"))

    def grown_from(self, before: "ResourceUsage") -> list[str]:
        """Return what has grown, in one line each."""
        problems = []
        if self.fds > before.fds + FD_MARGIN:
            problems.append(f"file descriptors grew from {before.fds} to {self.fds}")
        if self.tasks > before.tasks:
            problems.append(f"tasks grew from {before.tasks} to {self.tasks}")
        if self.memory > before.memory * MEMORY_FACTOR + MEMORY_MARGIN:
            problems.append(f"memory grew from {before.memory >> 20} to {self.memory >> 20} MiB")
        return problems


class Soak:
    """Rounds of messages through a server and a proxy with every kind of fault."""

    def __init__(self, server: FaultyServer, proxy: Proxy, seed: int) -> None:
        self._server, self._proxy = server, proxy
        self._rng = random.Random(seed)
        self._recorder = AttemptRecorder()
        self.long_lived: RouteeClient = RouteeClient(self._config())
        self.sends = 0
        self.outcomes: Counter[str] = Counter()
        self.duplicates = 0
        self.problems: list[str] = []

    def _script(self) -> ProxyScript:
        def interruption() -> Interruption | None:
            action = self._rng.choice([None, None, *ProxyAction])
            return action and Interruption(self._rng.randrange(2_000), action, self._rng.random() / 20)

        return ProxyScript(interruption(), interruption())

    def _config(self, **address: str) -> Config:
        return self._server.config(total_timeout=TOTAL_TIMEOUT, observers=(self._recorder,), **address)

    def _client(self) -> AbstractAsyncContextManager[RouteeClient]:
        """Return a new client of the server or of the proxy, or the long-lived one."""
        match self._rng.randrange(4):
            case 0:
                return RouteeClient(self._config())
            case 1:
                return RouteeClient(self._config(api_url=f"http://127.0.0.1:{self._proxy.port}"))
            case _:
                return nullcontext(self.long_lived)

    async def round(self) -> None:
        """Run one round: one client, some hundred messages, some cancelled callers, until nothing is in flight."""
        server, rng, tasks = self._server, self._rng, len(asyncio.all_tasks())
        server.next_fault = lambda: rng.choice(ALL_FAULTS)
        server.next_token_fault = lambda: rng.choice([*[NO_FAULT] * 90, *BEFORE_RESPONSE])
        self._proxy.plan = self._script
        async with self._client() as client:
            cancelled_sends = [
                asyncio.create_task(send_and_report(client, new_flow())) for _ in range(rng.randrange(20))
            ]
            await asyncio.sleep(rng.random() / 50)
            for send in cancelled_sends:
                send.cancel()
            reports = await send_all_and_report(client, new_flows(rng.randrange(20, 200)))
            server.token_number += rng.random() < 0.5
            await asyncio.gather(*cancelled_sends, return_exceptions=True)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await server.drop_connections()
        await self._proxy.drained()
        await server.drained()
        self._check([*reports, *(send.result() for send in cancelled_sends if not send.cancelled())])

    def _check(self, reports: list[SendReport]) -> None:
        server_counts, accepted = self._server.accepted, self._recorder.outcomes[Outcome.ACCEPTED]
        self.sends += len(reports)
        self.outcomes += count_outcomes(reports)
        self.duplicates += len(self._server.accepted_twice)
        self.problems += contradictions(reports, server_counts)
        if accepted > server_counts.total():
            self.problems.append(f"observers got ACCEPTED {accepted} times, and {server_counts.total()} were accepted")
        self._recorder.ended.clear()
        self._server.reset_counts()

    def line(self, minutes: float, usage: ResourceUsage) -> str:
        """Return a line with the counts so far."""
        ended = "  ".join(f"{outcome} {count}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"{minutes:7.1f} min  sends {self.sends}  {ended}  duplicates {self.duplicates}"
            f"  problems {len(self.problems)}  fds {usage.fds}  tasks {usage.tasks}  RSS {usage.memory >> 20} MiB"
        )


async def soak(minutes: float, every: float, seed: int) -> list[str]:
    """Run rounds for `minutes`, and return the problems that were found."""
    asyncio.get_running_loop().set_debug(False)  # `-X dev` is for the warnings; it would log every slow callback
    raise_file_limit()
    started_at = time.monotonic()
    with ServerLoop() as server_loop:
        async with FaultyServer(server_loop) as server, Proxy(server_loop, server.api.port) as proxy:
            soak_run = Soak(server, proxy, seed)
            async with soak_run.long_lived:
                for _ in range(WARM_UP_ROUNDS):
                    await soak_run.round()
                before = usage = await _measure_usage()
                for due in _report_times(started_at, minutes * 60, every):
                    while time.monotonic() < due:
                        await soak_run.round()
                    usage = await _measure_usage()
                    print_line(soak_run.line((time.monotonic() - started_at) / 60, usage))
                    if soak_run.duplicates or soak_run.problems or usage.grown_from(before):
                        break
            duplicates = [f"{soak_run.duplicates} messages were accepted twice"] if soak_run.duplicates else []
            return [*duplicates, *soak_run.problems, *usage.grown_from(before)]


async def _measure_usage() -> ResourceUsage:
    await asyncio.sleep(0.1)  # until the loop has processed the end of every connection
    return ResourceUsage.now()


def _report_times(started_at: float, seconds: float, every: float) -> Iterator[float]:
    elapsed = 0.0
    while elapsed < seconds:
        elapsed = min(elapsed + every, seconds)
        yield started_at + elapsed


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    problems = asyncio.run(soak(arguments.minutes, arguments.every, arguments.seed))
    for line in problems[:100]:
        print_line(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
