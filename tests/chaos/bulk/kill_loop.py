"""Runs a child that is killed and started again until it ends by itself."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs

from routee_failover.ledger.sqlite.ledger_header import read_main_file
from tests.chaos.faulty_server import FaultyServer


@attrs.define
class KillLoop:
    """A run that is killed at random moments, again and again."""

    server: FaultyServer
    path: Path
    rows: int
    reconcile_after: float
    lease: float = 60.0
    kills: int = 0
    output: str = ""

    async def start(self, path: Path | None = None, *more: str, **how: Any) -> asyncio.subprocess.Process:
        """Start the run, or start it again, with this ledger or with another file."""
        config = self.server.config()
        arguments = [
            str(path or self.path),
            config.api_url,
            config.auth_url,
            self.rows,
            self.reconcile_after,
            self.lease,
            *more,
        ]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.bulk.bulk_process", *map(str, arguments)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            **how,
        )

    def owner(self) -> str | None:
        """Who has the ledger open, as its main file says; empty where it was closed, `None` where there is none."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            main = read_main_file(file.fileno())
        return None if main is None or main.header is None else main.header.owner

    async def run(
        self,
        seed: int,
        *,
        max_kills: int,
        delay_range: tuple[float, float] = (0.4, 1.6),
        after_kill: Callable[[random.Random], Awaitable[None]] | None = None,
    ) -> None:
        """Kill the run at random moments, so many times at most; then let it come to its end.

        `afterwards` is called after each kill. With it the time begins once the run has its ledger open, however long
        a process takes to start.
        """
        chance = random.Random(seed)
        while True:
            former = self.owner()
            child = await self.start()
            ending = asyncio.create_task(child.communicate())
            while after_kill is not None and not ending.done() and self.owner() in {None, "", former}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            with contextlib.suppress(TimeoutError):
                within = chance.uniform(*delay_range) if self.kills < max_kills else None
                async with asyncio.timeout(within):
                    await asyncio.shield(ending)
            if child.returncode is None and not ending.done():
                child.send_signal(signal.SIGKILL)
                self.kills += 1
                await ending
                if after_kill is not None:
                    await after_kill(chance)
                continue
            out, err = await ending
            assert child.returncode == 0, err.decode()
            self.output = out.decode()
            return
