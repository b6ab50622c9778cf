"""Bulk runs whose process is frozen, whose disk is full, whose file is in use, or whose clock is changed."""

import asyncio
import resource
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from routee_failover.bulk import BulkSender, BulkSettings, rows_of
from routee_failover.ledger import EntryState, SqliteLedger
from tests.bulk.helpers import client
from tests.chaos.scale import SEED, scaled
from tests.chaos.server_loop import ServerLoop
from tests.client.fake_routee import until

from .bulk_process import Flows
from .kill_loop import KillLoop
from .ledger_consistency import check_ledger_against_server
from .listing_server import ListingServer, random_faults


async def test_process_frozen_past_its_lease_sends_nothing_late(server_loop: ServerLoop, tmp_path: Path) -> None:
    """Frozen repeatedly for longer than its leases, and continued, a run releases its claims: nothing is sent twice."""
    rows = scaled(1_000, maximum=20_000)
    async with ListingServer(server_loop, lag=0.2) as server:
        server.next_fault = random_faults(SEED)
        kill_loop = KillLoop(server, tmp_path / "run.sqlite", rows, reconcile_after=1.0, lease=0.15)
        child = await kill_loop.start()
        communication = asyncio.create_task(child.communicate())
        freezes = 0
        while not communication.done():
            await asyncio.sleep(0.4)
            if child.returncode is None and freezes < scaled(4, maximum=40):
                child.send_signal(signal.SIGSTOP)
                await asyncio.sleep(0.3)
                child.send_signal(signal.SIGCONT)
                freezes += 1
        _, err = await communication
        assert child.returncode == 0, err.decode()
        await server.drained()
        states = await check_ledger_against_server(server, kill_loop.path, rows)
    assert freezes > 0
    assert states[EntryState.ACCEPTED] + states[EntryState.REJECTED] == rows


async def test_second_process_is_refused_while_the_first_is_frozen(server_loop: ServerLoop, tmp_path: Path) -> None:
    """A ledger belongs to the process that has it open: a second one fails at once and sends nothing."""
    async with ListingServer(server_loop) as server:
        kill_loop = KillLoop(server, tmp_path / "run.sqlite", 800, reconcile_after=0.3, lease=0.2)
        first = await kill_loop.start()
        await until(lambda: server.accepted)
        first.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.3)
        accepted = len(server.accepted)
        second = await kill_loop.start()
        _, err = await second.communicate()
        assert second.returncode == 1
        assert b"LedgerError" in err
        assert b"nothing was sent" in err.lower()
        assert len(server.accepted) == accepted
        first.send_signal(signal.SIGCONT)
        await first.communicate()
        states = await check_ledger_against_server(server, kill_loop.path, 800)
    assert states == {EntryState.ACCEPTED: 800}


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


async def test_full_disk_ends_the_run_and_loses_nothing(server_loop: ServerLoop, tmp_path: Path) -> None:
    """What cannot be written is not sent; once there is space again, the next run sends the rest."""
    async with ListingServer(server_loop, lag=0.2) as server:
        kill_loop = KillLoop(server, tmp_path / "run.sqlite", 2_000, reconcile_after=0.6)
        starved = await kill_loop.start(preexec_fn=_limit_file_size)
        _, err = await starved.communicate()
        assert starved.returncode == 1
        assert b"LedgerError" in err
        await server.drained()
        first = len(server.accepted)
        assert 0 < first < 2_000
        await check_ledger_against_server(server, kill_loop.path, 2_000)
        await kill_loop.run(SEED, max_kills=0)
        await server.drained()
        states = await check_ledger_against_server(server, kill_loop.path, 2_000)
    assert states == {EntryState.ACCEPTED: 2_000}


@pytest.mark.parametrize("jump", [timedelta(days=2), timedelta(hours=-3)])
async def test_changed_machine_clock_does_not_change_the_reconciliation_wait(
    server_loop: ServerLoop, tmp_path: Path, jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of the machine's clock during a run makes nothing late, early or double."""
    real, offset = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])
    async with ListingServer(server_loop, lag=0.4) as server:
        server.next_fault = random_faults(SEED, share=0.3)
        settings: dict[str, Any] = {"error_budget": None, "concurrency": 20, "reconcile_after": timedelta(seconds=0.8)}
        async with client(server) as routee, SqliteLedger(tmp_path / "run.sqlite") as ledger:
            sender = BulkSender(routee, ledger, BulkSettings(**settings))
            running = asyncio.create_task(sender.run(rows_of(Flows(400))))
            await until(lambda: sum(server.request_counts.values()) >= 150)
            offset[0] = jump.total_seconds()
            await running
        await server.drained()
        states = await check_ledger_against_server(server, tmp_path / "run.sqlite", 400)
    assert states[EntryState.ACCEPTED] + states[EntryState.REJECTED] == 400
