"""Processes that are forked while a ledger is open, as multiprocessing does: they hold nothing of it."""

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


def _forked(work: Callable[[], str]) -> "tuple[int, int]":
    """Fork a process that writes what `work` returns; its id and the end of a pipe to read it from."""
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


def _said(forked: "tuple[int, int]") -> str:
    pid, read = forked
    with os.fdopen(read, "rb") as file:
        said = file.read().decode()
    os.waitpid(pid, 0)
    return said


def _opened(path: Path) -> str:
    async def opened() -> str:
        try:
            async with SqliteLedger(path) as ledger:
                return f"open, {(await ledger.counts()).total}"
        except LedgerError as error:
            return str(error)

    asyncio.events._set_running_loop(None)
    return asyncio.run(opened())


async def test_a_forked_process_does_not_keep_the_lock_of_a_run_that_was_killed(path: Path) -> None:
    """A worker that outlives a killed run does not keep its ledger from being resumed."""
    told, tell = os.pipe()
    run = os.fork()
    if not run:  # pragma: no cover
        file = LedgerFile(path)
        if not os.fork():
            os.write(tell, str(os.getpid()).encode())
            signal.pause()
        signal.pause()
        del file
    os.close(tell)
    worker = int(await asyncio.to_thread(os.read, told, 20))
    os.close(told)
    os.kill(run, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, run, 0)
    try:
        async with SqliteLedger(path) as ledger:
            assert await ledger.counts() == StateCounts()
    finally:
        os.kill(worker, signal.SIGKILL)


async def test_a_forked_process_can_open_it_once_the_run_has_ended(path: Path) -> None:
    """What the run held as it was forked is not taken for a run of the forked process."""
    go, wait = multiprocessing.Event(), 20.0
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        forked = _forked(lambda: _opened(path) if go.wait(wait) else "late")
        refused = _forked(lambda: _opened(path))
        assert "a run has it open" in await asyncio.to_thread(_said, refused)
        await claim_lines(ledger, 2)
    go.set()
    assert await asyncio.to_thread(_said, forked) == "open, 2"


async def test_what_a_forked_process_closes_leaves_the_run_alone(path: Path) -> None:
    """A copy of the open ledger that is closed in a forked process releases no lock and clears no mark."""
    file = LedgerFile(path)

    def closed() -> str:
        file.close(clean=True)
        return _opened(path)

    assert "a run has it open" in await asyncio.to_thread(_said, _forked(closed))
    with pytest.raises(LedgerError, match="a run has it open"):
        await SqliteLedger(path).__aenter__()
    file.database.transact(file.database.delete_invalid)
    file.close(clean=True)
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts()
