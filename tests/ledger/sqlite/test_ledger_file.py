"""The file of a ledger: who may have it open, what survives in it, and what it cannot be."""

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover._sqlite import query_int
from routee_failover.ledger import DeliveryReport, EntryState, SqliteLedger, StateCounts, Transition
from routee_failover.ledger.sqlite import file_lock, schema

from ..factories import claim_lines, claim_request, transition_details


def _names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


async def _refused(path: Path) -> str:
    """Why a ledger cannot be opened."""
    before = _names(path.parent) if path.parent.is_dir() else None
    with pytest.raises(LedgerError) as caught:
        async with SqliteLedger(path):
            pass
    assert before is None or _names(path.parent) == before
    text = str(caught.value)
    assert text.startswith(f"cannot use the ledger {path}: ")
    assert text.endswith(". Nothing was sent")
    return text.removeprefix(f"cannot use the ledger {path}: ").removesuffix(". Nothing was sent")


async def test_what_survives(path: Path) -> None:
    """Everything is there again; what was being sent is UNKNOWN with the reason, in a ledger with the same letters."""
    async with SqliteLedger(path) as ledger:
        run_id = ledger.run_id
        accepted, rejected, sending, returned = await claim_lines(ledger, 1, 2, 3, 4)
        ledger.record(Transition.ACCEPT, transition_details(accepted, tracking_id="id-1"))
        ledger.record_delivery_report(DeliveryReport(accepted.number, "Succeeded", "Sms", 0.04, "GR", "none", 2.5))
        ledger.record(Transition.REJECT, transition_details(rejected, "400"))
        ledger.record(Transition.RELEASE, transition_details(returned, "not sent"))
        await ledger.mark_invalid(claim_request(5), "no number")
        await ledger.put_document("run", {"rate": 5})
        before = [intent async for intent in ledger.entries()]
    async with SqliteLedger(path) as ledger:
        after = [intent async for intent in ledger.entries()]
        doubtful = after.pop(sending.number - 1)
        assert after == [intent for intent in before if intent.number != sending.number]
        assert (doubtful.state, doubtful.attempt) == (EntryState.UNKNOWN, 1)
        assert "process ended" in doubtful.reason
        assert doubtful.ended_at is not None
        assert ledger.run_id == run_id
        assert await ledger.get_document("run") == {"rate": 5}
        assert await ledger.counts() == StateCounts(new=1, accepted=1, rejected=1, unknown=1, invalid=1)
        again = await ledger.claim([claim_request(line) for line in (3, 4, 6)], lease=1)
        assert [(found.number, found.claimed, found.attempt) for found in again] == [
            (3, False, 1),
            (4, True, 2),
            (6, True, 1),
        ]


async def test_time_goes_on(path: Path) -> None:
    """The clock is not before the last moment in the file, though the machine's has been set back since."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    _change(path, "UPDATE ledger SET moment = moment + 1e6")
    async with SqliteLedger(path) as ledger:
        ahead = ledger.now()
        await claim_lines(ledger, 2)
        intent = await ledger.entry(claim_request(2).key_hash)
        assert intent is not None
        assert ahead <= intent.claimed_at <= ledger.now()
    async with SqliteLedger.read(path) as read:
        assert read.now() >= ahead


async def test_one_run_at_a_time(path: Path) -> None:
    """Whoever opens it second is told so at once, and the first goes on; after that it is free."""
    link = path.with_name("link")
    link.symlink_to(path)
    ledger = SqliteLedger(path)
    async with ledger:
        await claim_lines(ledger, 1)
        for name in (path, link):
            assert (await _refused(name)).startswith("a run has it open, here or in another process")
        with pytest.raises(LedgerError, match="a run has it open"):
            await ledger.__aenter__()
        await claim_lines(ledger, 2)
    async with ledger:
        assert (await ledger.counts()).total == 2


async def test_nobody_else_reads_it(path: Path) -> None:
    """The file and all that lies beside it are their owner's, and nothing lies beside it when it is closed."""
    before = os.umask(0)
    try:
        async with SqliteLedger(path) as ledger:
            await claim_lines(ledger, 1)
            assert await ledger.find([1]) == {}
            assert {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert _names(path.parent) == [path.name]


async def test_a_disk_without_locks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two runs could not be kept apart, there is none."""

    def none(_: int, *, wait: bool) -> bool:
        raise OSError(errno.ENOLCK, "")

    monkeypatch.setattr(file_lock, "_locked", none)
    with pytest.raises(LedgerError, match=f"it cannot be locked: {os.strerror(errno.ENOLCK)}"):
        await SqliteLedger(path).__aenter__()


@pytest.mark.parametrize("name", ["a b", "50%41", "what?mode=memory", "#1", "Ωμέγα", "-x"])
async def test_names_of_any_kind(tmp_path: Path, name: str) -> None:
    """No letter of a name means anything else."""
    async with SqliteLedger(tmp_path / name) as ledger:
        await claim_lines(ledger, 1)
        async with SqliteLedger.read(tmp_path / name) as read:
            assert await read.counts() == StateCounts(sending=1)
    assert _names(tmp_path) == [name]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _take_away(path: Path) -> None:
    path.unlink()


def _allow(path: Path, mode: int) -> None:
    path.chmod(mode)


def _change(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"two lines\n" * 200), "it is not an SQLite database, or damaged"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "it is not a regular file"),
        (lambda path: _change(path, "CREATE TABLE customers (name)"), "it is the database of another program"),
        (lambda path: _change(path, "PRAGMA application_id=7"), "it is the database of another program"),
        (
            lambda path: _change(path, f"PRAGMA application_id={schema.APPLICATION_ID}", "PRAGMA user_version=99"),
            "a newer routee-failover has written it",
        ),
    ],
)
async def test_what_is_no_ledger(path: Path, make: Callable[[Path], object], why: str) -> None:
    """A file that is not ours is refused in a sentence, and left as it is; so it is for those who only read."""
    make(path)
    before = _bytes(path)
    assert (await _refused(path)).startswith(why)
    assert _bytes(path) == before
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        await SqliteLedger.read(path).__aenter__()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no/such", "there is no such folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "it is not a valid file name"),
    ],
)
async def test_a_name_that_cannot_be(tmp_path: Path, name: str, why: str) -> None:
    """It is one clear error, and nothing is made."""
    assert why in await _refused(tmp_path / name)
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        await SqliteLedger.read(tmp_path / name).__aenter__()


async def test_an_empty_file(path: Path) -> None:
    """A file that is there and empty may be a ledger that was overwritten: nobody begins anew in it."""
    _write(path, b"")
    with pytest.raises(LedgerError, match="it is empty: a ledger may have been overwritten"):
        await SqliteLedger.read(path).__aenter__()
    assert "with a new one everyone would get a second message" in await _refused(path)
    path.unlink()  # noqa: ASYNC240
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_a_damaged_file(path: Path) -> None:
    """Damage is found when it is opened, wherever in the file it is, and the file is left as it is."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, *range(1000))
    whole = _bytes(path)
    assert whole is not None
    page = 2048
    assert int.from_bytes(whole[16:18], "big") == page
    middle = len(whole) // page // 2 * page
    damaged = whole[:middle] + os.urandom(page) + whole[middle + page :]
    _write(path, damaged)
    refusal = await _refused(path)
    assert refusal.startswith("it is damaged; restore it")
    assert refusal.endswith("with a new one everyone would get a second message")
    assert _bytes(path) == damaged


async def test_a_file_of_an_older_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is brought up to date, a version at a time, and keeps what is in it; who only reads is told of it."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    steps: list[int] = []

    def second(connection: sqlite3.Connection) -> None:
        steps.append(query_int(connection, "PRAGMA user_version"))
        connection.execute("ALTER TABLE intents ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")

    def third(connection: sqlite3.Connection) -> None:
        steps.append(query_int(connection, "PRAGMA user_version"))

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second, third))
    with pytest.raises(LedgerError, match="an older routee-failover has written it"):
        await SqliteLedger.read(path).__aenter__()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)
    assert steps == [1, 2]
    monkeypatch.undo()
    assert (await _refused(path)).startswith("a newer routee-failover has written it")


async def test_a_migration_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the file at the version that it had."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE intents")
        connection.execute("no SQL")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    assert "syntax error" in await _refused(path)
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert (await ledger.counts()).total == 1


async def test_an_sqlite_that_is_too_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and nothing is made."""
    monkeypatch.setattr(schema, "MINIMUM_SQLITE", (99,))
    assert "a ledger needs 3.35" in await _refused(path)


@contextmanager
def _nobody() -> Iterator[None]:
    """For a moment, be somebody to whom files can be closed: nothing is closed to root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


async def test_what_may_only_be_read() -> None:
    """A file, or a folder, that one may only read is refused to a run, and open to those who read."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to everybody else
        folder = Path(name)
        path = folder / "run.sqlite"
        _allow(folder, 0o777)
        async with SqliteLedger(path) as ledger:
            await claim_lines(ledger, 1)
        _allow(path, 0o444)
        with _nobody():
            assert await _refused(path) == "Permission denied"
            async with SqliteLedger.read(path) as read:
                assert (await read.counts()).total == 1
        for end in ("-shm", "-wal"):  # SQLite's, which nobody could take away
            _take_away(path.with_name(path.name + end))
        _allow(folder, 0o555)
        with _nobody():
            assert await _refused(path) == "Permission denied"
            async with SqliteLedger.read(path) as read:
                assert [intent.line async for intent in read.entries()] == [1]
        _write(path.with_name(f"{path.name}-wal"), b"what a kill left")
        _allow(path.with_name(f"{path.name}-wal"), 0o600)
        with _nobody(), pytest.raises(LedgerError, match="its folder cannot be written to"):
            await SqliteLedger.read(path).__aenter__()
        _allow(folder, 0o777)
