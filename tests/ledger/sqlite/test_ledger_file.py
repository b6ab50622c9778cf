"""The file of a ledger: what survives in it, one run at a time, and files that are refused."""

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover._sqlite import query_int
from routee_failover.ledger import DeliveryReport, EntryState, SqliteLedger, StateCounts, Transition
from routee_failover.ledger.sqlite import file_lock, schema
from tests.unprivileged import unprivileged

from ..factories import claim_lines, claim_request, transition_details


def _names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


async def _refusal(path: Path) -> str:
    """Return why a ledger cannot be opened, without the parts that every such error has."""
    before = _names(path.parent) if path.parent.is_dir() else None
    with pytest.raises(LedgerError) as caught:
        async with SqliteLedger(path):
            pass
    assert before is None or _names(path.parent) == before
    text = str(caught.value)
    assert text.startswith(f"cannot use the ledger {path}: ")
    assert text.endswith(". Nothing was sent")
    return text.removeprefix(f"cannot use the ledger {path}: ").removesuffix(". Nothing was sent")


async def test_reopened_ledger_has_all_entries_and_makes_sending_unknown(path: Path) -> None:
    """All entries are there again; what was being sent is UNKNOWN with the reason, in a ledger with the same id."""
    async with SqliteLedger(path) as ledger:
        run_id = ledger.run_id
        accepted, rejected, sending, released = await claim_lines(ledger, 1, 2, 3, 4)
        ledger.record(Transition.ACCEPT, transition_details(accepted, tracking_id="id-1"))
        ledger.record_delivery_report(DeliveryReport(accepted.number, "Succeeded", "Sms", 0.04, "GR", "none", 2.5))
        ledger.record(Transition.REJECT, transition_details(rejected, "400"))
        ledger.record(Transition.RELEASE, transition_details(released, "not sent"))
        await ledger.mark_invalid(claim_request(5), "no number")
        await ledger.put_document("run", {"rate": 5})
        before = [entry async for entry in ledger.entries()]
    async with SqliteLedger(path) as ledger:
        after = [entry async for entry in ledger.entries()]
        unknown = after.pop(sending.number - 1)
        assert after == [entry for entry in before if entry.number != sending.number]
        assert (unknown.state, unknown.attempt) == (EntryState.UNKNOWN, 1)
        assert "process ended" in unknown.reason
        assert unknown.ended_at is not None
        assert ledger.run_id == run_id
        assert await ledger.get_document("run") == {"rate": 5}
        assert await ledger.counts() == StateCounts(new=1, accepted=1, rejected=1, unknown=1, invalid=1)
        again = await ledger.claim([claim_request(line) for line in (3, 4, 6)], lease=1)
        assert [(found.number, found.claimed, found.attempt) for found in again] == [
            (3, False, 1),
            (4, True, 2),
            (6, True, 1),
        ]


async def test_clock_continues_from_the_last_commit_when_the_machine_clock_is_set_back(path: Path) -> None:
    """The clock is not before the last commit in the file, though the machine's has been set back since."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    _execute(path, "UPDATE ledger SET committed_at = committed_at + 1e6")
    async with SqliteLedger(path) as ledger:
        ahead = ledger.now()
        await claim_lines(ledger, 2)
        entry = await ledger.entry(claim_request(2).key_hash)
        assert entry is not None
        assert ahead <= entry.claimed_at <= ledger.now()
    async with SqliteLedger.read(path) as read:
        assert read.now() >= ahead


async def test_second_opener_is_refused_until_the_first_has_closed(path: Path) -> None:
    """The second opener is refused at once, and the first continues; after that the file is free."""
    link = path.with_name("link")
    link.symlink_to(path)
    ledger = SqliteLedger(path)
    async with ledger:
        await claim_lines(ledger, 1)
        for name in (path, link):
            assert (await _refusal(name)).startswith("a run has it open, here or in another process")
        with pytest.raises(LedgerError, match="a run has it open"):
            await ledger.__aenter__()
        await claim_lines(ledger, 2)
    async with ledger:
        assert (await ledger.counts()).total == 2


async def test_files_are_private_and_closing_removes_the_sidecars(path: Path) -> None:
    """Only their owner may read the file and those beside it, and no file is beside it when it is closed."""
    before = os.umask(0)
    try:
        async with SqliteLedger(path) as ledger:
            await claim_lines(ledger, 1)
            assert await ledger.find([1]) == {}
            assert {stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert _names(path.parent) == [path.name]


async def test_disk_without_locks_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two runs could not exclude each other, none is started."""

    def no_locks(_: int, *, wait: bool) -> bool:
        raise OSError(errno.ENOLCK, "")

    monkeypatch.setattr(file_lock, "_try_lock", no_locks)
    with pytest.raises(LedgerError, match=f"it cannot be locked: {os.strerror(errno.ENOLCK)}"):
        await SqliteLedger(path).__aenter__()


@pytest.mark.parametrize("name", ["a b", "50%41", "what?mode=memory", "#1", "Ωμέγα", "-x"])
async def test_file_names_with_special_characters_work(tmp_path: Path, name: str) -> None:
    """No character of a file name has a special meaning."""
    async with SqliteLedger(tmp_path / name) as ledger:
        await claim_lines(ledger, 1)
        async with SqliteLedger.read(tmp_path / name) as read:
            assert await read.counts() == StateCounts(sending=1)
    assert _names(tmp_path) == [name]


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _remove(path: Path) -> None:
    path.unlink()


def _set_mode(path: Path, mode: int) -> None:
    path.chmod(mode)


def _execute(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as database:
        for statement in statements:
            database.execute(statement)
    database.close()


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (lambda path: path.write_bytes(b"two lines\n" * 200), "it is not an SQLite database, or damaged"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "it is not a regular file"),
        (lambda path: _execute(path, "CREATE TABLE customers (name)"), "it is the database of another program"),
        (lambda path: _execute(path, "PRAGMA application_id=7"), "it is the database of another program"),
        (
            lambda path: _execute(path, f"PRAGMA application_id={schema.APPLICATION_ID}", "PRAGMA user_version=99"),
            "a newer routee-failover has written it",
        ),
    ],
)
async def test_file_that_is_no_ledger_is_refused_and_left_unchanged(
    path: Path, create: Callable[[Path], object], reason: str
) -> None:
    """A file that is no ledger is refused with the reason, and left as it is; a reader is refused too."""
    create(path)
    before = _bytes(path)
    assert (await _refusal(path)).startswith(reason)
    assert _bytes(path) == before
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        await SqliteLedger.read(path).__aenter__()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no/such", "there is no such folder"),
        ("x" * 300, "File name too long"),
        ("a\0b", "it is not a valid file name"),
    ],
)
async def test_impossible_file_name_is_a_ledger_error(tmp_path: Path, name: str, reason: str) -> None:
    """It is one clear error, and no file is created."""
    assert reason in await _refusal(tmp_path / name)
    with pytest.raises(LedgerError, match="cannot read the ledger"):
        await SqliteLedger.read(tmp_path / name).__aenter__()


async def test_empty_file_is_refused(path: Path) -> None:
    """An existing file that is empty may be a ledger that was overwritten: no new ledger is created in it."""
    _write(path, b"")
    with pytest.raises(LedgerError, match="it is empty: a ledger may have been overwritten"):
        await SqliteLedger.read(path).__aenter__()
    assert "with a new one everyone would get a second message" in await _refusal(path)
    path.unlink()  # noqa: ASYNC240
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_damaged_file_is_refused_and_left_unchanged(path: Path) -> None:
    """Damage anywhere in the file is found when it is opened, and the file is left as it is."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, *range(1000))
    whole = _bytes(path)
    assert whole is not None
    page = 2048
    assert int.from_bytes(whole[16:18], "big") == page
    middle = len(whole) // page // 2 * page
    damaged = whole[:middle] + os.urandom(page) + whole[middle + page :]
    _write(path, damaged)
    refusal = await _refusal(path)
    assert refusal.startswith("it is damaged; restore it")
    assert refusal.endswith("with a new one everyone would get a second message")
    assert _bytes(path) == damaged


async def test_file_of_an_older_version_is_migrated_step_by_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is migrated, a version at a time, and keeps its entries; a reader refuses it with the reason."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    steps: list[int] = []

    def second(connection: sqlite3.Connection) -> None:
        steps.append(query_int(connection, "PRAGMA user_version"))
        connection.execute("ALTER TABLE entries ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")

    def third(connection: sqlite3.Connection) -> None:
        steps.append(query_int(connection, "PRAGMA user_version"))

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second, third))
    with pytest.raises(LedgerError, match="an older routee-failover has written it"):
        await SqliteLedger.read(path).__aenter__()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)
    assert steps == [1, 2]
    monkeypatch.undo()
    assert (await _refusal(path)).startswith("a newer routee-failover has written it")


async def test_failed_migration_leaves_the_file_at_its_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails changes nothing in the file."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)

    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE entries")
        connection.execute("no SQL")

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    assert "syntax error" in await _refusal(path)
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert (await ledger.counts()).total == 1


async def test_too_old_sqlite_is_named_in_the_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the SQLite version, and no file is created."""
    monkeypatch.setattr(schema, "MINIMUM_SQLITE", (99,))
    assert "a ledger needs 3.35" in await _refusal(path)


async def test_read_only_file_or_folder_can_be_read_but_not_opened_for_a_run() -> None:
    """A file, or a folder, with read permission only is refused for a run, and opens for reading."""
    with tempfile.TemporaryDirectory() as name:  # other users cannot access pytest's own folders
        folder = Path(name)
        path = folder / "run.sqlite"
        _set_mode(folder, 0o777)
        async with SqliteLedger(path) as ledger:
            await claim_lines(ledger, 1)
        _set_mode(path, 0o444)
        with unprivileged():
            assert await _refusal(path) == "Permission denied"
            async with SqliteLedger.read(path) as read:
                assert (await read.counts()).total == 1
        for end in ("-shm", "-wal"):  # SQLite's, which the unprivileged user could not remove
            _remove(path.with_name(path.name + end))
        _set_mode(folder, 0o555)
        with unprivileged():
            assert await _refusal(path) == "Permission denied"
            async with SqliteLedger.read(path) as read:
                assert [entry.line async for entry in read.entries()] == [1]
        _write(path.with_name(f"{path.name}-wal"), b"what a kill left")
        _set_mode(path.with_name(f"{path.name}-wal"), 0o600)
        with unprivileged(), pytest.raises(LedgerError, match="its folder cannot be written to"):
            await SqliteLedger.read(path).__aenter__()
        _set_mode(folder, 0o777)
