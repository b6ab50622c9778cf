"""What survives a sandbox that has a store: flows, what was done to them, and how far the clock had come."""

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

from ..raw_http import BODIES, OTP, SMS_STEP, STANDARD, calling, changed

EXPIRING = changed(OTP, **{"flow.0.to": "306900000300", "flow.0.ttl": 86_400})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is not there yet."""
    return tmp_path / "sandbox.db"


async def test_flows_are_there_again(path: Path) -> None:
    """After a restart every flow is what it was, tracking says the same of it, and numbers count on."""
    async with calling(store=path, speed=0) as caller:
        for operation, body in BODIES.items():
            await caller.send(operation, body)
        await caller.sandbox.advance(timedelta(seconds=2))
        before = caller.sandbox.accepted
        records = [await caller.track(flow.id) for flow in before[:2]]
    async with calling(store=path, speed=0) as caller:
        assert caller.sandbox.accepted == before
        assert [await caller.track(flow.id) for flow in before[:2]] == records
        await caller.track_otp(before[2].message_ids[0])
        await caller.send("sendFailover", STANDARD)
        assert [flow.number for flow in caller.sandbox.accepted] == [1, 2, 3, 4, 5]
        assert caller.sandbox.counts.accepted == 1


async def test_bodies_come_back_to_the_letter(path: Path) -> None:
    """Letters of any script, numbers of any size and members that nobody knows are in the body as they were."""
    body = changed(STANDARD, **{"flow.1.message.body": "Γεια 👋 \x00", "own": [10**30, 1.5, None, {"a": [[]]}]})
    async with calling(store=path) as caller:
        assert (await caller.send("sendFailover", body))[0] == 200
    async with calling(store=path) as caller:
        assert caller.sandbox.accepted[0].body == body


async def test_the_clock_stands_still_while_the_sandbox_is_off(path: Path) -> None:
    """A ttl of a day may pass in three sittings; what is still to come is published then, and what has been is not."""
    heard: list[SandboxEvent] = []
    async with calling(store=path, speed=0) as caller:
        flow_id = (await caller.send("sendFailoverOtp", EXPIRING))[1]["flowId"]
        await caller.sandbox.advance(timedelta(hours=8))
    async with calling(store=path, speed=0) as caller:
        caller.sandbox._event_bus.add_listener(heard.append)
        _, told = await caller.call("getSandboxClock", "/sandbox/clock")
        assert told["now"] == 8 * 3600
        await caller.sandbox.advance(timedelta(hours=15))
        assert (await caller.track_otp(flow_id))["status"] == "InProgress"
        assert not any(isinstance(event, FlowChanged) for event in heard)
    async with calling(store=path, speed=0) as caller:
        caller.sandbox._event_bus.add_listener(heard.append)
        await caller.sandbox.advance(timedelta(hours=1, seconds=10))
        assert (await caller.track_otp(flow_id))["status"] == "Succeeded"
        assert [event.at for event in heard if isinstance(event, FlowChanged)] == [86_400.0, 86_401.0, 86_403.0]


async def test_what_was_done_by_hand_survives(path: Path) -> None:
    """A message that was made to fail has failed after a restart, too."""
    async with calling(store=path, speed=0) as caller:
        await caller.send("sendFailoverOtp", EXPIRING)
        caller.sandbox._lifecycle.force_outcome(caller.sandbox.accepted[0], 0, ScriptedOutcome.FAILED)
    async with calling(store=path, speed=0) as caller:
        (flow,) = caller.sandbox.accepted
        assert flow.forced_outcomes == (ForcedOutcome(0, 0.0, ScriptedOutcome.FAILED),)
        assert [step["status"] for step in (await caller.track_otp(flow.id))["steps"]] == ["FAILED", "queued"]


async def test_keep_bounds_the_file(path: Path) -> None:
    """What is forgotten for want of room is forgotten in the file, and a smaller `max_flows` forgets more of it."""
    for keep, sent, left in ((3, 5, [3, 4, 5]), (2, 0, [4, 5]), (10, 0, [4, 5])):
        async with calling(store=path, max_flows=keep) as caller:
            for _ in range(sent):
                await caller.send("sendFailover", STANDARD)
            assert [flow.number for flow in caller.sandbox.accepted] == left


async def test_numbers_count_on_when_flows_are_cleared(path: Path) -> None:
    """A cleared sandbox is empty after a restart, and no number is given twice."""
    async with calling(store=path) as caller:
        for _ in range(3):
            await caller.send("sendFailover", STANDARD)
        caller.sandbox._lifecycle.clear()
    async with calling(store=path) as caller:
        assert caller.sandbox.accepted == []
        await caller.send("sendFailover", STANDARD)
        assert [flow.number for flow in caller.sandbox.accepted] == [4]


async def test_one_sandbox_started_again(path: Path) -> None:
    """A sandbox that is entered again finds what its file has, and each thing happens once."""
    heard: list[SandboxEvent] = []
    sandbox = Sandbox(store=path, speed=0)
    sandbox._event_bus.add_listener(heard.append)
    async with sandbox:
        await _sent(sandbox, EXPIRING)
    async with sandbox:
        assert len(sandbox.accepted) == 1
        await sandbox.advance(timedelta(days=2))
    assert [event.at for event in heard if isinstance(event, FlowChanged)] == [86_400.0, 86_401.0, 86_403.0]


async def _sent(sandbox: Sandbox, body: Any) -> None:
    import aiohttp

    from ..raw_http import Caller

    async with aiohttp.ClientSession(sandbox.url) as session:
        caller = Caller(sandbox, session)
        await caller.authorise()
        assert (await caller.send("sendFailoverOtp", body))[0] == 200


def _left_by_a_kill(path: Path, folder: Path) -> Path:
    """What a process that is killed now would leave: the file and its log as they are."""
    folder.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), folder / name)
    return folder / path.name


async def test_answered_means_kept(path: Path, tmp_path: Path) -> None:
    """When a sender has its answer, the flow survives a kill; so does the clock when whoever set it has been told."""
    async with calling(store=path, speed=0) as caller:
        answers = await asyncio.gather(*(caller.send("sendFailoverOtp", OTP) for _ in range(50)))
        flows = _left_by_a_kill(path, tmp_path / "after-sends")
        await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 3600})
        clock = _left_by_a_kill(path, tmp_path / "after-clock")
    async with Sandbox(store=flows) as sandbox:
        assert {flow.id for flow in sandbox.accepted} == {body["flowId"] for _, body in answers}
    async with calling(store=clock, speed=0) as caller:
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1]["now"] == 3600


class _Clock(PersistentClock):
    """A clock that tells whoever waits that it was read."""

    def __init__(self) -> None:
        self.now, self.moving = 0.0, True
        self.read = asyncio.Event()

    def checkpoint(self) -> float:
        self.read.set()
        self.now += 1
        return self.now

    def needs_checkpoint(self) -> bool:
        return self.moving


async def test_the_clock_is_kept_while_time_passes(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While something is to come the clock is kept from time to time, so that a kill costs a second; else it is not."""
    monkeypatch.setattr(sqlite_module, "CLOCK_SAVE_INTERVAL", 0.001)
    clock = _Clock()
    store = SqliteStore(path, clock)
    store.start()
    for _ in range(3):
        clock.read.clear()
        await clock.read.wait()
    left = SqliteStore(_left_by_a_kill(path, tmp_path / "killed"), _Clock())
    assert left.load("clock", float)[0] >= 2
    left.close()
    clock.moving = False
    store.save_clock()
    await store.flush()
    read = clock.now
    await asyncio.sleep(0.02)  # twenty ticks
    assert clock.now == read
    store.close()


def test_the_clock_is_not_ahead_of_what_was_done() -> None:
    """What is due and was not done yet is not behind the clock that is kept: it would never be done."""
    clock = VirtualClock(0)
    agenda = Scheduler(clock)
    kept = PersistentClock(clock, agenda)
    agenda.call_at(10.0, lambda _: None)
    clock.advance(4)
    assert kept.checkpoint() == 4
    clock.advance(8)
    assert 9.99 < kept.checkpoint() < 10
    assert not kept.needs_checkpoint()
    clock.set_speed(1)
    assert kept.needs_checkpoint()


async def test_what_was_due_at_the_kill_is_done(path: Path) -> None:
    """Of what was due and not done at a kill nothing is left out, though a younger flow was kept."""
    heard: list[SandboxEvent] = []
    async with calling(store=path, speed=0) as caller:
        await caller.send("sendViberOtp", BODIES["sendViberOtp"])
        await caller.sandbox.advance(timedelta(seconds=3))
        await caller.send("sendViberOtp", BODIES["sendViberOtp"])
    with sqlite3.connect(path) as database:  # the Viber message is delivered after two seconds
        database.execute("UPDATE kept SET document = '1.999999' WHERE kind = 'clock'")
    database.close()
    later = Sandbox(store=path, speed=0)
    later._event_bus.add_listener(heard.append)
    async with later:
        await later.advance(timedelta(0))
        assert later._clock.now() == 3
        assert [(event.flow.number, event.at) for event in heard if isinstance(event, FlowChanged)] == [(1, 2.0)]
        assert later._lifecycle.snapshot(later.accepted[1]).state.messages[0].status_at(0.0).name == "QUEUED"


async def test_a_group_that_was_under_way_at_the_end(path: Path) -> None:
    """What is saved is in the file after `close`, wherever the writer was when it came."""
    for turns in range(4):
        store = SqliteStore(path, _Clock())
        store.start()
        store.save("one", str(turns), turns)
        for _ in range(turns):
            await asyncio.sleep(0)
        store.save("two", str(turns), turns)
        store.close()
    store = SqliteStore(path, _Clock())
    assert store.load("one", int) == store.load("two", int) == [0, 1, 2, 3]
    store.close()


async def test_values(path: Path) -> None:
    """Values come back in the order in which they were first saved, changed in place, without what was let go."""
    store = SqliteStore(path, _Clock())
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


async def test_no_store() -> None:
    """Without a file nothing is kept, nothing waits, and nothing fails."""
    store = MemoryStore()
    store.start()
    store.save("letter", "a", "a")
    store.delete("letter", "a")
    store.clear("letter")
    store.save_clock()
    await store.flush()
    store.close()
    assert (store.load("letter", str), store.failure) == ([], None)


async def test_the_disk_is_full(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the disk takes no more that is said once; the sandbox goes on, and the file has all that was before."""
    async with calling(store=path) as caller:
        await caller.send("sendFailover", STANDARD)
        assert caller.sandbox.store_failure is None
        store = caller.sandbox._store
        assert isinstance(store, SqliteStore)
        (pages,) = store._database.execute("PRAGMA page_count").fetchone()
        store._database.execute(f"PRAGMA max_page_count={pages}")
        long = changed(STANDARD, flow=[SMS_STEP | {"order": number} for number in range(1, 40)])
        for _ in range(3):
            assert (await caller.send("sendFailover", long))[0] == 200
        assert caller.sandbox.store_failure == "the disk is full"
        assert len(caller.sandbox.accepted) == 4
    (record,) = caplog.records
    assert (
        record.getMessage()
        == f"cannot write to the store {path} any more: the disk is full; the sandbox continues in memory"
    )
    async with calling(store=path) as caller:
        assert len(caller.sandbox.accepted) == 1
        assert caller.sandbox.store_failure is None


async def test_nobody_waits_for_a_disk_that_failed(path: Path) -> None:
    """Those who wait for the transaction that fails are told to go on, and so are those who come after."""
    store = SqliteStore(path, _Clock())
    store.start()
    store._database.execute("PRAGMA query_only=ON")
    waiting: list[Callable[[], Awaitable[None]]] = [store.flush] * 3
    store.save("one", "1", 1)
    await asyncio.gather(*(wait() for wait in waiting))
    assert store.failure == "it cannot be written to"
    store.save("one", "2", 2)
    await store.flush()
    store.close()
