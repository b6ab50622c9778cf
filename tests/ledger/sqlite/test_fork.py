"""Processes that are forked while a ledger is open, as multiprocessing does: they hold none of its locks."""

import asyncio
import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import SqliteLedger, StateCounts
from routee_failover.ledger.sqlite.ledger_file import LedgerFile

from ..factories import claim_lines

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@pytest.fixture(autouse=True)
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():  # of threads that a forked process does not have
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _fork(work: Callable[[], str]) -> "tuple[int, int]":
    """Fork a process that writes what `work` returns; return its id and the pipe descriptor to read that from."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:  # pragma: no cover
        try:
            os.close(read)
            os.write(write, work().encode())
        finally:
            os._exit(0)
    os.close(write)
    return pid, read


def _output(forked: "tuple[int, int]") -> str:
    pid, read = forked
    with os.fdopen(read, "rb") as file:
        output = file.read().decode()
    os.waitpid(pid, 0)
    return output


def _try_open(path: Path) -> str:
    async def try_open() -> str:
        try:
            async with SqliteLedger(path) as ledger:
                return f"open, {(await ledger.counts()).total}"
        except LedgerError as error:
            return str(error)

    asyncio.events._set_running_loop(None)
    return asyncio.run(try_open())


async def test_forked_process_does_not_keep_the_lock_of_a_killed_run(path: Path) -> None:
    """A worker that outlives a killed run does not keep its ledger from being resumed."""
    read, write = os.pipe()
    run = os.fork()
    if not run:  # pragma: no cover
        file = LedgerFile(path)
        if not os.fork():
            os.write(write, str(os.getpid()).encode())
            signal.pause()
        signal.pause()
        del file
    os.close(write)
    worker = int(await asyncio.to_thread(os.read, read, 20))
    os.close(read)
    os.kill(run, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, run, 0)
    try:
        async with SqliteLedger(path) as ledger:
            assert await ledger.counts() == StateCounts()
    finally:
        os.kill(worker, signal.SIGKILL)


async def test_forked_process_can_open_the_ledger_once_the_run_has_ended(path: Path) -> None:
    """The locks that the run held when it was forked are not mistaken for locks of the forked process."""
    run_ended, timeout = multiprocessing.Event(), 20.0
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        forked = _fork(lambda: _try_open(path) if run_ended.wait(timeout) else "late")
        refused = _fork(lambda: _try_open(path))
        assert "a run has it open" in await asyncio.to_thread(_output, refused)
        await claim_lines(ledger, 2)
    run_ended.set()
    assert await asyncio.to_thread(_output, forked) == "open, 2"


async def test_closing_in_a_forked_process_releases_no_lock(path: Path) -> None:
    """A copy of the open ledger that is closed in a forked process releases no lock and clears no owner."""
    file = LedgerFile(path)

    def close() -> str:
        file.close(clean=True)
        return _try_open(path)

    assert "a run has it open" in await asyncio.to_thread(_output, _fork(close))
    with pytest.raises(LedgerError, match="a run has it open"):
        await SqliteLedger(path).__aenter__()
    file.database.transact(file.database.delete_invalid)
    file.close(clean=True)
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts()
