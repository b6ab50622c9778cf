"""Faults of a ledger's files between two runs of it: links, lost and damaged logs, copies."""

import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import attrs

from .kill_loop import KillLoop

SUFFIXES = ("", "-wal", "-commits")
_MIN_ACCEPTED = 50
"""Messages that are accepted before the first fault."""

LedgerFault = Callable[[random.Random], Awaitable[None]]


@attrs.define
class LedgerFileFaults:
    """Faults of the ledger files after each kill, most of which must be detected."""

    kill_loop: KillLoop
    happened: Counter[str] = attrs.field(factory=Counter, init=False)
    refused: Counter[str] = attrs.field(factory=Counter, init=False)
    _fault_free: int = attrs.field(default=1, init=False)

    async def __call__(self, rng: random.Random) -> None:
        """Apply a random fault, and make sure that the next start finds a usable ledger."""
        faults: Sequence[LedgerFault] = [
            self._no_fault,
            self._reopen,
            self._hard_link,
            self._start_a_copy,
            self._replace_by_a_copy,
            self._delete_the_log,
            self._delete_all_sidecars,
            self._truncate_the_log,
            self._flip_bytes,
        ]
        if self._fault_free:
            # What was accepted so far must be in the main file, so that a search can be tested with it afterwards.
            self._fault_free -= sum(self.kill_loop.server.accepted.values()) > _MIN_ACCEPTED
            faults = [self._reopen]
        fault = rng.choice(faults)
        self.happened[fault.__name__] += 1
        await fault(rng)

    def _file(self, suffix: str, path: Path | None = None) -> Path:
        path = path or self.kill_loop.path
        return path.with_name(f"{path.name}{suffix}")

    async def _is_refused(self, name: str, path: Path | None = None) -> bool:
        """Open and close a ledger; return whether it is refused."""
        child = await self.kill_loop.start(path, "open")
        _, err = await child.communicate()
        if child.returncode == 0:
            return False
        assert b"LedgerError" in err, err.decode()
        assert b"Nothing was sent" in err, err.decode()
        self.refused[name] += 1
        return True

    async def _recover(self) -> None:
        child = await self.kill_loop.start(None, "open", "recover")
        _, err = await child.communicate()
        assert child.returncode == 0, err.decode()

    async def _recover_if_refused(self, name: str) -> None:
        if await self._is_refused(name):
            await self._recover()

    async def _no_fault(self, _: random.Random) -> None:
        """Change nothing: the next start shows whether the ledger is usable."""

    async def _reopen(self, _: random.Random) -> None:
        assert not await self._is_refused("nothing"), "a kill alone is never reported as a loss"

    async def _hard_link(self, _: random.Random) -> None:
        link = self.kill_loop.path.with_name("link.sqlite")
        link.hardlink_to(self.kill_loop.path)
        for path in (link, self.kill_loop.path):
            assert await self._is_refused("a hard link", path)
        link.unlink()

    def _copy(self, suffixes: Sequence[str]) -> Path:
        copy = self.kill_loop.path.with_name("copy.sqlite")
        for suffix in SUFFIXES:
            self._file(suffix, copy).unlink(missing_ok=True)
        for suffix in suffixes:
            if self._file(suffix).exists():
                shutil.copy(self._file(suffix), self._file(suffix, copy))
        return copy

    async def _start_a_copy(self, rng: random.Random) -> None:
        assert await self._is_refused("a copy", self._copy(SUFFIXES[: rng.randint(1, 3)]))

    async def _replace_by_a_copy(self, rng: random.Random) -> None:
        copy = self._copy(SUFFIXES[: rng.randint(1, 3)])
        for suffix in SUFFIXES:
            self._file(suffix).unlink(missing_ok=True)
            if self._file(suffix, copy).exists():
                self._file(suffix, copy).rename(self._file(suffix))
        assert await self._is_refused("a copy in its place")
        await self._recover()

    async def _delete_the_log(self, _: random.Random) -> None:
        self._file("-wal").unlink(missing_ok=True)
        await self._recover_if_refused("a deleted log")

    async def _delete_all_sidecars(self, _: random.Random) -> None:
        for suffix in SUFFIXES[1:]:
            self._file(suffix).unlink(missing_ok=True)
        assert await self._is_refused("everything beside it deleted")
        await self._recover()

    async def _truncate_the_log(self, rng: random.Random) -> None:
        log = self._file("-wal")
        data = log.read_bytes()
        log.write_bytes(data[: rng.randrange(len(data) + 1)])
        await self._recover_if_refused("a truncated log")

    async def _flip_bytes(self, rng: random.Random) -> None:
        log = self._file("-wal")
        data = bytearray(log.read_bytes())
        begin = rng.randrange(max(1, len(data) - 20))
        data[begin : begin + 20] = bytes(one ^ 0xFF for one in data[begin : begin + 20])
        log.write_bytes(data)
        await self._recover_if_refused("flipped bytes")
