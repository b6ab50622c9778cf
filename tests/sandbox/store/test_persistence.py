"""What survives in a store: flows, forced outcomes, and the reading of the clock."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from routee_failover.sandbox import Sandbox
from routee_failover.sandbox.simulation.event_bus import FlowChanged, SandboxEvent
from routee_failover.sandbox.simulation.outcomes import ScriptedOutcome
from routee_failover.sandbox.simulation.scheduler import Scheduler
from routee_failover.sandbox.simulation.timeline import ForcedOutcome
from routee_failover.sandbox.simulation.virtual_clock import VirtualClock
from routee_failover.sandbox.store import sqlite as sqlite_module
from routee_failover.sandbox.store.base import MemoryStore
from routee_failover.sandbox.store.persistent_clock import PersistentClock
from routee_failover.sandbox.store.sqlite import SqliteStore

from ..raw_http import BODIES, OTP, SMS_STEP, STANDARD, open_caller, with_changes

EXPIRING = with_changes(OTP, **{"flow.0.to": "306900000300", "flow.0.ttl": 86_400})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "sandbox.db"


async def test_flows_survive_a_restart_unchanged(path: Path) -> None:
    """After a restart every flow and its tracking record are unchanged, and numbering continues."""
    async with open_caller(store=path, speed=0) as caller:
        for operation, body in BODIES.items():
            await caller.send(operation, body)
        await caller.sandbox.advance(timedelta(seconds=2))
        before = caller.sandbox.accepted
        records = [await caller.track(flow.id) for flow in before[:2]]
    async with open_caller(store=path, speed=0) as caller:
        assert caller.sandbox.accepted == before
        assert [await caller.track(flow.id) for flow in before[:2]] == records
        await caller.track_otp(before[2].message_ids[0])
        await caller.send("sendFailover", STANDARD)
        assert [flow.number for flow in caller.sandbox.accepted] == [1, 2, 3, 4, 5]
        assert caller.sandbox.counts.accepted == 1


async def test_request_bodies_survive_exactly(path: Path) -> None:
    """Characters of any script, numbers of any size and unknown members survive in the body."""
    body = with_changes(STANDARD, **{"flow.1.message.body": "Γεια 👋 \x00", "own": [10**30, 1.5, None, {"a": [[]]}]})
    async with open_caller(store=path) as caller:
        assert (await caller.send("sendFailover", body))[0] == 200
    async with open_caller(store=path) as caller:
        assert caller.sandbox.accepted[0].body == body


async def test_clock_stops_while_the_sandbox_is_off(path: Path) -> None:
    """A ttl of a day may pass in three sessions; later changes are published then, earlier ones not again."""
    events: list[SandboxEvent] = []
    async with open_caller(store=path, speed=0) as caller:
        flow_id = (await caller.send("sendFailoverOtp", EXPIRING))[1]["flowId"]
        await caller.sandbox.advance(timedelta(hours=8))
    async with open_caller(store=path, speed=0) as caller:
        caller.sandbox._event_bus.add_listener(events.append)
        _, clock = await caller.call("getSandboxClock", "/sandbox/clock")
        assert clock["now"] == 8 * 3600
        await caller.sandbox.advance(timedelta(hours=15))
        assert (await caller.track_otp(flow_id))["status"] == "InProgress"
        assert not any(isinstance(event, FlowChanged) for event in events)
    async with open_caller(store=path, speed=0) as caller:
        caller.sandbox._event_bus.add_listener(events.append)
        await caller.sandbox.advance(timedelta(hours=1, seconds=10))
        assert (await caller.track_otp(flow_id))["status"] == "Succeeded"
        assert [event.at for event in events if isinstance(event, FlowChanged)] == [86_400.0, 86_401.0, 86_403.0]


async def test_forced_outcome_survives(path: Path) -> None:
    """A message that was forced to fail has failed after a restart too."""
    async with open_caller(store=path, speed=0) as caller:
        await caller.send("sendFailoverOtp", EXPIRING)
        caller.sandbox._lifecycle.force_outcome(caller.sandbox.accepted[0], 0, ScriptedOutcome.FAILED)
    async with open_caller(store=path, speed=0) as caller:
        (flow,) = caller.sandbox.accepted
        assert flow.forced_outcomes == (ForcedOutcome(0, 0.0, ScriptedOutcome.FAILED),)
        assert [step["status"] for step in (await caller.track_otp(flow.id))["steps"]] == ["FAILED", "queued"]


async def test_max_flows_limits_the_file(path: Path) -> None:
    """Evicted flows are deleted from the file, and a smaller `max_flows` deletes more of it."""
    for max_flows, sent, remaining in ((3, 5, [3, 4, 5]), (2, 0, [4, 5]), (10, 0, [4, 5])):
        async with open_caller(store=path, max_flows=max_flows) as caller:
            for _ in range(sent):
                await caller.send("sendFailover", STANDARD)
            assert [flow.number for flow in caller.sandbox.accepted] == remaining


async def test_numbering_continues_after_a_clear(path: Path) -> None:
    """A cleared sandbox is empty after a restart, and no number is reused."""
    async with open_caller(store=path) as caller:
        for _ in range(3):
            await caller.send("sendFailover", STANDARD)
        caller.sandbox._lifecycle.clear()
    async with open_caller(store=path) as caller:
        assert caller.sandbox.accepted == []
        await caller.send("sendFailover", STANDARD)
        assert [flow.number for flow in caller.sandbox.accepted] == [4]


async def test_same_sandbox_can_be_entered_again(path: Path) -> None:
    """A sandbox that is entered again loads its file, and publishes each change once."""
    events: list[SandboxEvent] = []
    sandbox = Sandbox(store=path, speed=0)
    sandbox._event_bus.add_listener(events.append)
    async with sandbox:
        await _send(sandbox, EXPIRING)
    async with sandbox:
        assert len(sandbox.accepted) == 1
        await sandbox.advance(timedelta(days=2))
    assert [event.at for event in events if isinstance(event, FlowChanged)] == [86_400.0, 86_401.0, 86_403.0]


async def _send(sandbox: Sandbox, body: Any) -> None:
    import aiohttp

    from ..raw_http import Caller

    async with aiohttp.ClientSession(sandbox.url) as session:
        caller = Caller(sandbox, session)
        await caller.authenticate()
        assert (await caller.send("sendFailoverOtp", body))[0] == 200


def _copy_as_after_a_kill(path: Path, folder: Path) -> Path:
    """Copy what a process that is killed now would leave: the file and its log."""
    folder.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), folder / name)
    return folder / path.name


async def test_acknowledged_flows_and_clock_changes_survive_a_kill(path: Path, tmp_path: Path) -> None:
    """A flow whose response was sent survives a kill, and so does a change of the clock."""
    async with open_caller(store=path, speed=0) as caller:
        responses = await asyncio.gather(*(caller.send("sendFailoverOtp", OTP) for _ in range(50)))
        flows = _copy_as_after_a_kill(path, tmp_path / "after-sends")
        await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 3600})
        clock = _copy_as_after_a_kill(path, tmp_path / "after-clock")
    async with Sandbox(store=flows) as sandbox:
        assert {flow.id for flow in sandbox.accepted} == {body["flowId"] for _, body in responses}
    async with open_caller(store=clock, speed=0) as caller:
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1]["now"] == 3600


class _FakeClock(PersistentClock):
    """Clock that signals when it is read."""

    def __init__(self) -> None:
        self.now, self.moving = 0.0, True
        self.read = asyncio.Event()

    def checkpoint(self) -> float:
        self.read.set()
        self.now += 1
        return self.now

    def needs_checkpoint(self) -> bool:
        return self.moving


async def test_running_clock_is_saved_regularly(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a job is to come the clock is saved regularly, so that a kill loses a second; otherwise it is not."""
    monkeypatch.setattr(sqlite_module, "CLOCK_SAVE_INTERVAL", 0.001)
    clock = _FakeClock()
    store = SqliteStore(path, clock)
    store.start()
    for _ in range(3):
        clock.read.clear()
        await clock.read.wait()
    remaining = SqliteStore(_copy_as_after_a_kill(path, tmp_path / "killed"), _FakeClock())
    assert remaining.load("clock", float)[0] >= 2
    remaining.close()
    clock.moving = False
    store.save_clock()
    await store.flush()
    read = clock.now
    await asyncio.sleep(0.02)  # twenty intervals
    assert clock.now == read
    store.close()


def test_checkpoint_is_before_the_first_due_job() -> None:
    """The saved reading is before the first job that has not run yet: otherwise that would never run."""
    clock = VirtualClock(0)
    scheduler = Scheduler(clock)
    persistent_clock = PersistentClock(clock, scheduler)
    scheduler.call_at(10.0, lambda _: None)
    clock.advance(4)
    assert persistent_clock.checkpoint() == 4
    clock.advance(8)
    assert 9.99 < persistent_clock.checkpoint() < 10
    assert not persistent_clock.needs_checkpoint()
    clock.set_speed(1)
    assert persistent_clock.needs_checkpoint()


async def test_job_due_at_the_kill_runs_after_the_restart(path: Path) -> None:
    """A change that was due and not published at a kill is published, although a newer flow was saved."""
    events: list[SandboxEvent] = []
    async with open_caller(store=path, speed=0) as caller:
        await caller.send("sendViberOtp", BODIES["sendViberOtp"])
        await caller.sandbox.advance(timedelta(seconds=3))
        await caller.send("sendViberOtp", BODIES["sendViberOtp"])
    with sqlite3.connect(path) as database:  # the Viber message is delivered after two seconds
        database.execute("UPDATE documents SET document = '1.999999' WHERE kind = 'clock'")
    database.close()
    later = Sandbox(store=path, speed=0)
    later._event_bus.add_listener(events.append)
    async with later:
        await later.advance(timedelta(0))
        assert later._clock.now() == 3
        assert [(event.flow.number, event.at) for event in events if isinstance(event, FlowChanged)] == [(1, 2.0)]
        assert later._lifecycle.snapshot(later.accepted[1]).state.messages[0].status_at(0.0).name == "QUEUED"


async def test_close_writes_what_is_pending_and_in_progress(path: Path) -> None:
    """What was saved is in the file after `close`, whatever the writer was doing."""
    for iterations in range(4):
        store = SqliteStore(path, _FakeClock())
        store.start()
        store.save("one", str(iterations), iterations)
        for _ in range(iterations):
            await asyncio.sleep(0)
        store.save("two", str(iterations), iterations)
        store.close()
    store = SqliteStore(path, _FakeClock())
    assert store.load("one", int) == store.load("two", int) == [0, 1, 2, 3]
    store.close()


async def test_values_are_loaded_in_insertion_order_with_updates(path: Path) -> None:
    """Values are loaded in the order in which they were first saved, with updates, without deleted ones."""
    store = SqliteStore(path, _FakeClock())
    store.start()
    for key in "abcd":
        store.save("letter", key, {"is": key})
    store.save("letter", "b", {"is": "B"})
    store.delete("letter", "c")
    store.delete("letter", "never there")
    store.save("digit", "1", 1)
    store.clear("digit")
    await store.flush()
    assert store.load("letter", dict[str, str]) == [{"is": "a"}, {"is": "B"}, {"is": "d"}]
    assert store.load("digit", int) == []
    store.close()


async def test_memory_store_saves_nothing_and_never_fails() -> None:
    """Without a file nothing is saved, nothing waits, and nothing fails."""
    store = MemoryStore()
    store.start()
    store.save("letter", "a", "a")
    store.delete("letter", "a")
    store.clear("letter")
    store.save_clock()
    await store.flush()
    store.close()
    assert (store.load("letter", str), store.failure) == ([], None)


async def test_full_disk_is_logged_once_and_the_sandbox_continues(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is logged once; the sandbox continues in memory, and the file keeps what was saved before."""
    async with open_caller(store=path) as caller:
        await caller.send("sendFailover", STANDARD)
        assert caller.sandbox.store_failure is None
        store = caller.sandbox._store
        assert isinstance(store, SqliteStore)
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count={pages}")
        long = with_changes(STANDARD, flow=[SMS_STEP | {"order": number} for number in range(1, 40)])
        for _ in range(3):
            assert (await caller.send("sendFailover", long))[0] == 200
        assert caller.sandbox.store_failure == "the disk is full"
        assert len(caller.sandbox.accepted) == 4
    (record,) = caplog.records
    assert (
        record.getMessage()
        == f"cannot write to the store {path} any more: the disk is full; the sandbox continues in memory"
    )
    async with open_caller(store=path) as caller:
        assert len(caller.sandbox.accepted) == 1
        assert caller.sandbox.store_failure is None


async def test_flush_returns_after_a_failed_write(path: Path) -> None:
    """Callers that wait for a failing transaction continue, and so do later ones."""
    store = SqliteStore(path, _FakeClock())
    store.start()
    store._database.execute("PRAGMA query_only=ON")
    waiting: list[Callable[[], Awaitable[None]]] = [store.flush] * 3
    store.save("one", "1", 1)
    await asyncio.gather(*(wait() for wait in waiting))
    assert store.failure == "it cannot be written to"
    store.save("one", "2", 2)
    await store.flush()
    store.close()
