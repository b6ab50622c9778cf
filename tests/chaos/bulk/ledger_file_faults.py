"""What people and programs do to the files of a ledger between two runs of it: links, lost and damaged logs, copies."""

import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import attrs

from .kill_loop import KillLoop

SUFFIXES = ("", "-wal", "-commits")
_ENOUGH = 50
"""Messages that are taken before the first mishap."""

Kind = Callable[[random.Random], Awaitable[None]]


@attrs.define
class LedgerFileFaults:
    """Mishaps that befall the ledger of a storm after its kills, most of which are to be noticed."""

    kill_loop: KillLoop
    happened: Counter[str] = attrs.field(factory=Counter, init=False)
    refused: Counter[str] = attrs.field(factory=Counter, init=False)
    _calm: int = attrs.field(default=1, init=False)

    async def __call__(self, chance: random.Random) -> None:
        """Let one happen, and see to it that the next start finds a ledger that can be used."""
        kinds: Sequence[Kind] = [
            self._nothing,
            self._a_look,
            self._a_hard_link,
            self._a_copy_is_started,
            self._a_copy_takes_its_place,
            self._the_log_is_deleted,
            self._all_beside_it_is_deleted,
            self._the_log_is_cut,
            self._bytes_are_flipped,
        ]
        if self._calm:
            # What was accepted so far has to be in the main file, so that a search can be tried with it afterwards.
            self._calm -= sum(self.kill_loop.server.accepted.values()) > _ENOUGH
            kinds = [self._a_look]
        kind = chance.choice(kinds)
        self.happened[kind.__name__] += 1
        await kind(chance)

    def _file(self, ending: str, path: Path | None = None) -> Path:
        path = path or self.kill_loop.path
        return path.with_name(f"{path.name}{ending}")

    async def _is_refused(self, kind: str, path: Path | None = None) -> bool:
        """Open it and close it, to see whether it is refused."""
        child = await self.kill_loop.start(path, "look")
        _, err = await child.communicate()
        if child.returncode == 0:
            return False
        assert b"LedgerError" in err, err.decode()
        assert b"Nothing was sent" in err, err.decode()
        self.refused[kind] += 1
        return True

    async def _recovered(self) -> None:
        child = await self.kill_loop.start(None, "look", "recover")
        _, err = await child.communicate()
        assert child.returncode == 0, err.decode()

    async def _perhaps_recovered(self, kind: str) -> None:
        if await self._is_refused(kind):
            await self._recovered()

    async def _nothing(self, _: random.Random) -> None:
        """The next start is the proof."""

    async def _a_look(self, _: random.Random) -> None:
        assert not await self._is_refused("nothing"), "a kill alone is never taken for a loss"

    async def _a_hard_link(self, _: random.Random) -> None:
        link = self.kill_loop.path.with_name("link.sqlite")
        link.hardlink_to(self.kill_loop.path)
        for path in (link, self.kill_loop.path):
            assert await self._is_refused("a hard link", path)
        link.unlink()

    def _copy(self, endings: Sequence[str]) -> Path:
        copy = self.kill_loop.path.with_name("copy.sqlite")
        for ending in SUFFIXES:
            self._file(ending, copy).unlink(missing_ok=True)
        for ending in endings:
            if self._file(ending).exists():
                shutil.copy(self._file(ending), self._file(ending, copy))
        return copy

    async def _a_copy_is_started(self, chance: random.Random) -> None:
        assert await self._is_refused("a copy", self._copy(SUFFIXES[: chance.randint(1, 3)]))

    async def _a_copy_takes_its_place(self, chance: random.Random) -> None:
        copy = self._copy(SUFFIXES[: chance.randint(1, 3)])
        for ending in SUFFIXES:
            self._file(ending).unlink(missing_ok=True)
            if self._file(ending, copy).exists():
                self._file(ending, copy).rename(self._file(ending))
        assert await self._is_refused("a copy in its place")
        await self._recovered()

    async def _the_log_is_deleted(self, _: random.Random) -> None:
        self._file("-wal").unlink(missing_ok=True)
        await self._perhaps_recovered("a deleted log")

    async def _all_beside_it_is_deleted(self, _: random.Random) -> None:
        for ending in SUFFIXES[1:]:
            self._file(ending).unlink(missing_ok=True)
        assert await self._is_refused("everything beside it deleted")
        await self._recovered()

    async def _the_log_is_cut(self, chance: random.Random) -> None:
        log = self._file("-wal")
        data = log.read_bytes()
        log.write_bytes(data[: chance.randrange(len(data) + 1)])
        await self._perhaps_recovered("a log cut short")

    async def _bytes_are_flipped(self, chance: random.Random) -> None:
        log = self._file("-wal")
        data = bytearray(log.read_bytes())
        begin = chance.randrange(max(1, len(data) - 20))
        data[begin : begin + 20] = bytes(one ^ 0xFF for one in data[begin : begin + 20])
        log.write_bytes(data)
        await self._perhaps_recovered("flipped bytes")
