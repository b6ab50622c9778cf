"""Runs a child that is killed and started again until it ends by itself."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import attrs

from tests.chaos.server import FaultyServer


@attrs.define
class Storm:
    """A run that is killed at random moments, again and again."""

    server: FaultyServer
    path: Path
    rows: int
    settle_after: float
    lease: float = 60.0
    kills: int = 0
    said: str = ""

    async def start(self, **how: Any) -> asyncio.subprocess.Process:
        """Start the run, or start it again."""
        config = self.server.config()
        arguments = [str(self.path), config.api_url, config.auth_url, self.rows, self.settle_after, self.lease]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.bulk.child", *map(str, arguments)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            **how,
        )

    async def rage(self, seed: int, *, most: int, between: tuple[float, float] = (0.4, 1.6)) -> None:
        """Kill the run at random moments, so many times at most; then let it come to its end."""
        chance = random.Random(seed)
        while True:
            child = await self.start()
            ending = asyncio.create_task(child.communicate())
            with contextlib.suppress(TimeoutError):
                within = chance.uniform(*between) if self.kills < most else None
                async with asyncio.timeout(within):
                    await asyncio.shield(ending)
            if child.returncode is None and not ending.done():
                child.send_signal(signal.SIGKILL)
                self.kills += 1
                await ending
                continue
            out, err = await ending
            assert child.returncode == 0, err.decode()
            self.said = out.decode()
            return
