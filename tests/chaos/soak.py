"""Faults of all kinds for as long as one likes: `python -m tests.chaos.soak --minutes 60`.

It prints what it saw once a minute, and ends with an error on a message that was taken twice, on words that contradict
the server's count, and on file descriptors, tasks or memory that grow.
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

SPARE_FDS = 4
SPARE_SHARE, SPARE_MEMORY = 1.25, 32 * 2**20
ROUNDS_TO_WARM_UP = 3


@attrs.frozen
class ResourceUsage:
    """What a process holds when nothing is under way."""

    fds: int
    tasks: int
    memory: int

    @classmethod
    def now(cls) -> "ResourceUsage":
        """What this process holds."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        fds = len(list(Path("/proc/self/fd").iterdir()))
        return cls(fds, len(asyncio.all_tasks()), pages * os.sysconf("SC_PAGE_SIZE"))

    def grown_from(self, before: "ResourceUsage") -> list[str]:
        """What has become more, in one line each."""
        found = []
        if self.fds > before.fds + SPARE_FDS:
            found.append(f"file descriptors grew from {before.fds} to {self.fds}")
        if self.tasks > before.tasks:
            found.append(f"tasks grew from {before.tasks} to {self.tasks}")
        if self.memory > before.memory * SPARE_SHARE + SPARE_MEMORY:
            found.append(f"memory grew from {before.memory >> 20} to {self.memory >> 20} MiB")
        return found


class Soak:
    """Rounds of messages through a server and a proxy that fail in every way they know."""

    def __init__(self, server: FaultyServer, proxy: Proxy, seed: int) -> None:
        self._server, self._proxy = server, proxy
        self._draw = random.Random(seed)
        self._ends = AttemptRecorder()
        self.lasting: RouteeClient = RouteeClient(self._config())
        self.sends = 0
        self.outcomes: Counter[str] = Counter()
        self.twice = 0
        self.problems: list[str] = []

    def _script(self) -> ProxyScript:
        def cut() -> Interruption | None:
            act = self._draw.choice([None, None, *ProxyAction])
            return act and Interruption(self._draw.randrange(2_000), act, self._draw.random() / 20)

        return ProxyScript(cut(), cut())

    def _config(self, **where: str) -> Config:
        return self._server.config(total_timeout=TOTAL_TIMEOUT, observers=(self._ends,), **where)

    def _client(self) -> AbstractAsyncContextManager[RouteeClient]:
        """One that is new, in front of the server or of the proxy, or the one that serves all the time."""
        match self._draw.randrange(4):
            case 0:
                return RouteeClient(self._config())
            case 1:
                return RouteeClient(self._config(api_url=f"http://127.0.0.1:{self._proxy.port}"))
            case _:
                return nullcontext(self.lasting)

    async def round(self) -> None:
        """One client, some hundred messages, some callers that leave; then nothing is under way any more."""
        server, draw, tasks = self._server, self._draw, len(asyncio.all_tasks())
        server.next_fault = lambda: draw.choice(ALL_FAULTS)
        server.next_token_fault = lambda: draw.choice([*[NO_FAULT] * 90, *BEFORE_RESPONSE])
        self._proxy.plan = self._script
        async with self._client() as client:
            leaving = [asyncio.create_task(send_and_report(client, new_flow())) for _ in range(draw.randrange(20))]
            await asyncio.sleep(draw.random() / 50)
            for caller in leaving:
                caller.cancel()
            all_told = await send_all_and_report(client, new_flows(draw.randrange(20, 200)))
            server.token_number += draw.random() < 0.5
            await asyncio.gather(*leaving, return_exceptions=True)
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        await server.drop_connections()
        await self._proxy.drained()
        await server.drained()
        self._judge([*all_told, *(caller.result() for caller in leaving if not caller.cancelled())])

    def _judge(self, all_told: list[SendReport]) -> None:
        taken, accepted = self._server.accepted, self._ends.outcomes[Outcome.ACCEPTED]
        self.sends += len(all_told)
        self.outcomes += count_outcomes(all_told)
        self.twice += len(self._server.accepted_twice)
        self.problems += contradictions(all_told, taken)
        if accepted > taken.total():
            self.problems.append(f"observers were told {accepted} times ACCEPTED, and {taken.total()} were taken")
        self._ends.ended.clear()
        self._server.reset_counts()

    def line(self, minutes: float, held: ResourceUsage) -> str:
        """What was seen until now."""
        ended = "  ".join(f"{outcome} {count}" for outcome, count in sorted(self.outcomes.items()))
        return (
            f"{minutes:7.1f} min  sends {self.sends}  {ended}  twice {self.twice}  wrong {len(self.problems)}"
            f"  fds {held.fds}  tasks {held.tasks}  RSS {held.memory >> 20} MiB"
        )


async def soak(minutes: float, every: float, seed: int) -> list[str]:
    """Soak for so many minutes and say what was wrong."""
    asyncio.get_running_loop().set_debug(False)  # `-X dev` is for the warnings; it would tell of every slow turn
    raise_file_limit()
    begun = time.monotonic()
    with ServerLoop() as server_loop:
        async with FaultyServer(server_loop) as server, Proxy(server_loop, server.api.port) as proxy:
            soaking = Soak(server, proxy, seed)
            async with soaking.lasting:
                for _ in range(ROUNDS_TO_WARM_UP):
                    await soaking.round()
                before = held = await _measure_usage()
                for due in _moments(begun, minutes * 60, every):
                    while time.monotonic() < due:
                        await soaking.round()
                    held = await _measure_usage()
                    print_line(soaking.line((time.monotonic() - begun) / 60, held))
                    if soaking.twice or soaking.problems or held.grown_from(before):
                        break
            twice = [f"{soaking.twice} messages were taken twice"] if soaking.twice else []
            return [*twice, *soaking.problems, *held.grown_from(before)]


async def _measure_usage() -> ResourceUsage:
    await asyncio.sleep(0.1)  # the loop has to hear of every connection that has ended
    return ResourceUsage.now()


def _moments(begun: float, seconds: float, every: float) -> Iterator[float]:
    passed = 0.0
    while passed < seconds:
        passed = min(passed + every, seconds)
        yield begun + passed


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    wrong = asyncio.run(soak(arguments.minutes, arguments.every, arguments.seed))
    for line in wrong[:100]:
        print_line(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
