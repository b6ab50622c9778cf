"""Lock of a ledger with several names: hard links, symbolic links, bind mounts, and a lock that does not hold."""

import asyncio
import ctypes
import ctypes.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import SqliteLedger, StateCounts, Transition
from routee_failover.ledger.sqlite import file_lock
from routee_failover.ledger.sqlite.write_operations import OPENED_ELSEWHERE

from ..factories import claim_lines, claim_request, transition_details

ROOT = Path(__file__).parents[3]

OTHER = """
import asyncio, sys
sys.path.insert(0, {root!r})
from routee_failover.ledger import SqliteLedger

async def main():
    async with SqliteLedger({path!r}):
        print("open", flush=True)

asyncio.run(main())
"""


def _open_elsewhere(path: Path) -> str:
    """Open it in another process; return the output of that."""
    code = OTHER.format(root=str(ROOT), path=str(path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def _names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


async def test_hard_link_at_opening_is_refused(path: Path) -> None:
    """A ledger with two names is opened through neither, and once the other is removed it is as it was."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    other = path.with_name("other.sqlite")
    other.hardlink_to(path)
    for name in (path, other):
        with pytest.raises(LedgerError, match=r"it has another name .a hard link.*Nothing was sent"):
            await SqliteLedger(name).__aenter__()
    assert _names(path.parent) == [other.name, path.name]
    other.unlink()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


async def test_hard_link_made_while_running_stops_the_run(path: Path) -> None:
    """Its next transaction fails with the reason, the other name is refused, and what was written before is kept."""
    ledger = await SqliteLedger(path).__aenter__()
    await claim_lines(ledger, 1)
    other = path.with_name("other.sqlite")
    other.hardlink_to(path)
    with pytest.raises(LedgerError, match=r"hard link.*Nothing more is sent"):
        await claim_lines(ledger, 2)
    with pytest.raises(LedgerError, match="hard link"):
        await ledger.__aexit__(None, None, None)
    other.unlink()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=2)


async def test_hard_link_is_refused_in_a_second_process_while_a_run_continues(path: Path) -> None:
    """The lock belongs to the file, so that a second process is refused through any name."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        other = path.with_name("other.sqlite")
        other.hardlink_to(path)
        assert "hard link" in await asyncio.to_thread(_open_elsewhere, other)
        other.unlink()
        await claim_lines(ledger, 2)


async def test_another_path_to_the_open_file_is_refused(path: Path, tmp_path: Path) -> None:
    """Another folder with the same file in it: a symbolic link to the folder here, as for a container's volume."""
    folder = tmp_path / "volume"
    folder.symlink_to(path.parent, target_is_directory=True)
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        assert "a run has it open" in await asyncio.to_thread(_open_elsewhere, folder / path.name)
        with pytest.raises(LedgerError, match="a run has it open"):
            await SqliteLedger(folder / path.name).__aenter__()
        await claim_lines(ledger, 2)


async def test_renamed_open_file_is_refused_under_its_new_name(path: Path) -> None:
    """The lock belongs to the inode and not to a name: renamed while a run has it open, the file is still refused."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        moved = path.with_name("moved.sqlite")
        path.rename(moved)  # noqa: ASYNC240
        assert "a run has it open" in await asyncio.to_thread(_open_elsewhere, moved)
        moved.rename(path)
        await claim_lines(ledger, 2)


@contextmanager
def _bind_mount(source: Path, target: Path) -> Iterator[bool]:
    """Mount a file at another path as well, where the system allows it; yield whether it did."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    bind = 4096
    mounted = hasattr(libc, "mount") and libc.mount(os.fsencode(source), os.fsencode(target), None, bind, None) == 0
    try:
        yield mounted
    finally:
        if mounted:
            assert libc.umount2(os.fsencode(target), 2) == 0


async def test_bind_mount_of_the_open_file_is_refused(path: Path, tmp_path: Path) -> None:
    """The file of a run, mounted at another path as containers do, is in use there as well.

    Where the system allows no mounts, the path itself is opened: the lock does not depend on paths.
    """
    target = tmp_path / "mounted.sqlite"
    target.touch()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        with _bind_mount(path, target) as mounted:
            name = target if mounted else path
            assert "a run has it open" in await asyncio.to_thread(_open_elsewhere, name)
        await claim_lines(ledger, 2)


@contextmanager
def _no_lock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulate a disk whose locks do not reach the other machine."""
    with monkeypatch.context() as patch:
        patch.setattr(file_lock, "_try_lock", lambda *_, **__: True)
        patch.setattr(file_lock, "_held", {})
        yield


async def test_second_run_in_spite_of_the_lock_stops_the_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lock does not hold, the last run to open it owns it: the first can claim nothing more and says why.

    What it was sending is UNKNOWN to the second, and no count is ever below zero.
    """
    first = await SqliteLedger(path).__aenter__()
    sending, accepted = await claim_lines(first, 1, 2)
    await first.apply(Transition.ACCEPT, transition_details(accepted))
    with _no_lock(monkeypatch):
        second = await SqliteLedger(path).__aenter__()
    assert await second.counts() == StateCounts(accepted=1, unknown=1)
    await claim_lines(second, 3)
    with pytest.raises(LedgerError, match=f"{OPENED_ELSEWHERE}.*Nothing more is sent"):
        await claim_lines(first, 4)
    with pytest.raises(LedgerError, match="in spite of the lock"):
        await first.apply(Transition.ACCEPT, transition_details(sending))
    with pytest.raises(LedgerError, match="in spite of the lock"):
        await first.__aexit__(None, None, None)
    assert await second.counts() == StateCounts(accepted=1, unknown=1, sending=1)
    await second.__aexit__(None, None, None)
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(accepted=1, unknown=2)


async def test_transaction_without_changes_notices_a_second_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that changes nothing checks the owner of the ledger as well."""
    first = await SqliteLedger(path).__aenter__()
    with _no_lock(monkeypatch):
        second = await SqliteLedger(path).__aenter__()
    with pytest.raises(LedgerError, match="in spite of the lock"):
        await first.expire_leases()
    with pytest.raises(LedgerError, match="in spite of the lock"):
        await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)


async def test_lock_holds_when_every_sidecar_file_is_deleted(path: Path) -> None:
    """There is no lock file to delete: a second process is refused whatever is deleted beside the ledger."""
    ledger = await SqliteLedger(path).__aenter__()
    await claim_lines(ledger, 1)
    for found in path.parent.iterdir():
        if found != path:
            found.unlink()
    assert "a run has it open" in await asyncio.to_thread(_open_elsewhere, path)
    with pytest.raises(LedgerError, match="removed or replaced"):
        await claim_lines(ledger, 2)
    with pytest.raises(LedgerError, match="removed or replaced"):
        await ledger.__aexit__(None, None, None)


async def test_readers_in_the_same_process_do_not_release_the_lock(path: Path) -> None:
    """Readers and refused openers in the same process, and closing them, release none of the run's locks."""
    async with SqliteLedger(path) as ledger:
        for line in range(3):
            await claim_lines(ledger, line)
            async with SqliteLedger.read(path) as read:
                assert await read.counts() == StateCounts(sending=line + 1)
            with pytest.raises(LedgerError, match="a run has it open"):
                await SqliteLedger(path).__aenter__()
            assert "a run has it open" in await asyncio.to_thread(_open_elsewhere, path)
        assert await asyncio.to_thread(_posix_locks, path) > 0
        reader = await SqliteLedger.read(path).__aenter__()
    assert await asyncio.to_thread(_posix_locks, path) > 0, "the reader that outlives the run has kept its own"
    await reader.__aexit__(None, None, None)
    assert "open" in await asyncio.to_thread(_open_elsewhere, path)


def _posix_locks(path: Path) -> int:
    """Count the fcntl locks of others on the file: SQLite's, which a closed descriptor would have released."""
    code = (
        "import fcntl, struct, sys\n"
        "file = open(sys.argv[1], 'rb+')\n"
        "ask = struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0x40000000, 512, 0)\n"
        "kind, *_ = struct.unpack('hhqqi', fcntl.fcntl(file, fcntl.F_GETLK, ask))\n"
        "print(int(kind != fcntl.F_UNLCK))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


async def test_copy_of_a_closed_ledger_opens(path: Path, tmp_path: Path) -> None:
    """A backup of a ledger that no run has open, or a move of it to another disk, opens as it is."""
    async with SqliteLedger(path) as ledger:
        run_id = ledger.run_id
        await claim_lines(ledger, 1)
    copy = tmp_path / "copy.sqlite"
    shutil.copy(path, copy)
    async with SqliteLedger(copy) as ledger:
        assert ledger.run_id == run_id
        assert (await ledger.find([claim_request(1).key_hash]))[claim_request(1).key_hash].state == "UNKNOWN"
