"""Runs a child process that is killed and started again until it exits by itself."""

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

from routee_failover.ledger.sqlite.header_reader import read_main_file
from tests.chaos.faulty_server import FaultyServer


@attrs.define
class KillLoop:
    """Bulk run that is killed at random times, repeatedly."""

    server: FaultyServer
    path: Path
    rows: int
    reconcile_after: float
    lease: float = 60.0
    kills: int = 0
    output: str = ""

    async def start(self, path: Path | None = None, *more: str, **options: Any) -> asyncio.subprocess.Process:
        """Start the run, with this ledger or with another file."""
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
            **options,
        )

    def owner(self) -> str | None:
        """Return the owner in the ledger's main file: empty if the ledger was closed, `None` if there is no ledger."""
        if not self.path.exists():
            return None
        with self.path.open("rb") as file:
            main_file = read_main_file(file.fileno())
        return None if main_file is None or main_file.header is None else main_file.header.owner

    async def run(
        self,
        seed: int,
        *,
        max_kills: int,
        delay_range: tuple[float, float] = (0.4, 1.6),
        after_kill: Callable[[random.Random], Awaitable[None]] | None = None,
    ) -> None:
        """Kill the run at random times, at most `max_kills` times; then let it finish.

        `after_kill` is called after each kill. With it the delay starts once the run has its ledger open, however long
        a process takes to start.
        """
        rng = random.Random(seed)
        while True:
            previous = self.owner()
            child = await self.start()
            communication = asyncio.create_task(child.communicate())
            while after_kill is not None and not communication.done() and self.owner() in {None, "", previous}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            with contextlib.suppress(TimeoutError):
                timeout = rng.uniform(*delay_range) if self.kills < max_kills else None
                async with asyncio.timeout(timeout):
                    await asyncio.shield(communication)
            if child.returncode is None and not communication.done():
                child.send_signal(signal.SIGKILL)
                self.kills += 1
                await communication
                if after_kill is not None:
                    await after_kill(rng)
                continue
            out, err = await communication
            assert child.returncode == 0, err.decode()
            self.output = out.decode()
            return
