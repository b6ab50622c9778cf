"""The file of a store: its permissions, and files that are refused with the reason and left unchanged."""

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox, SandboxError
from routee_failover.sandbox.store import database
from tests.unprivileged import unprivileged

from ..raw_http import STANDARD, open_caller


async def _start_error(path: Path) -> str:
    """Return why a sandbox does not start with this store."""
    with pytest.raises(SandboxError) as caught:
        await Sandbox(store=path).__aenter__()
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"cannot use the store {path}: ")


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def _modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def _allow(path: Path, mode: int) -> None:
    path.chmod(mode)


def _other_database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def _other_application(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA application_id=7")
    connection.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"two lines\n" * 200), "it is not an SQLite database, or damaged"),
        (lambda path: path.write_bytes(b"hi"), "it is not an SQLite database, or damaged"),
        (_other_database, "it is the database of another program"),
        (_other_application, "it is the database of another program"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "it is not a regular file"),
    ],
)
async def test_file_of_another_kind_is_refused_unchanged(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    """A file that is not a sandbox's is refused with what it is, and stays as it was."""
    path = tmp_path / "sandbox.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    assert (await _start_error(path)).startswith(reason)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert _names(tmp_path) == ["sandbox.db"]


async def _store_a_flow(path: Path) -> None:
    async with open_caller(store=path) as caller:
        await caller.send("sendFailover", STANDARD)


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DROP TABLE documents", "no such table"),
        ("PRAGMA user_version=2", "a newer routee-failover has written it"),
        ("UPDATE documents SET document = '{' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE documents SET document = '[]' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE documents SET document = '{\"id\": 1}' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE documents SET document = x'ff' WHERE kind = 'clock'", "a clock in it cannot be read"),
        ("UPDATE documents SET document = 'null' WHERE kind = 'clock'", "a clock in it cannot be read"),
    ],
)
async def test_newer_or_unreadable_file_is_refused(change: str, reason: str, tmp_path: Path) -> None:
    """A file of a newer version, or with unreadable contents, is refused."""
    path = tmp_path / "sandbox.db"
    await _store_a_flow(path)
    _change(path, change)
    assert reason in await _start_error(path)


@pytest.mark.parametrize("damaged_part", ["middle", "end"])
async def test_damaged_file_is_refused_with_advice(damaged_part: str, tmp_path: Path) -> None:
    """A file with a damaged or missing part is refused, with what to do about it."""
    path = tmp_path / "sandbox.db"
    await _store_a_flow(path)
    content = path.read_bytes()
    if damaged_part == "end":
        path.write_bytes(content[:5000])
    else:
        path.write_bytes(content[:4096] + b"\xa5" * 4096 + content[8192:])
    assert await _start_error(path) == "it is damaged; move it away"


async def test_incomplete_log_of_a_crash_does_not_prevent_a_start(tmp_path: Path) -> None:
    """A log that ends in the middle of a transaction does not prevent the next start."""
    path, killed = tmp_path / "sandbox.db", tmp_path / "killed"
    async with open_caller(store=path) as caller:
        await caller.send("sendFailover", STANDARD)
        killed.write_bytes(path.read_bytes())
        log = path.with_name("sandbox.db-wal").read_bytes()
    killed.with_name("killed-wal").write_bytes(log[:-100])
    async with open_caller(store=killed) as caller:
        assert len(caller.sandbox.accepted) <= 1
        assert (await caller.send("sendFailover", STANDARD))[0] == 200


async def test_file_in_use_is_refused_and_released_later(tmp_path: Path) -> None:
    """A file that a sandbox has open is refused by another; it is released at the end, and after a failed start."""
    path = tmp_path / "sandbox.db"
    async with open_caller(store=path) as caller:
        assert await _start_error(path) == "another process has it open; give each sandbox a file of its own"
        assert (await caller.send("sendFailover", STANDARD))[0] == 200
        port = int(caller.sandbox.url.rpartition(":")[2])
        other = Sandbox(store=tmp_path / "other", port=port)
        with pytest.raises(SandboxError, match="cannot listen"):
            await other.__aenter__()
        async with Sandbox(store=tmp_path / "other"):
            pass
    async with Sandbox(store=path) as sandbox:
        assert len(sandbox.accepted) == 1


async def test_file_and_log_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    """File and log are readable by their owner only, whatever the umask: the PINs of tests are in them."""
    path = tmp_path / "sandbox.db"
    before = os.umask(0)
    try:
        async with open_caller(store=path) as caller:
            await caller.send("sendFailover", STANDARD)
            assert _modes(tmp_path) == {0o600}
            assert _names(tmp_path) == ["sandbox.db", "sandbox.db-wal"]
    finally:
        os.umask(before)
    assert _names(tmp_path) == ["sandbox.db"]


async def test_symlink_is_followed_and_empty_file_is_used(tmp_path: Path) -> None:
    """A symlink is followed, also to a file that does not exist yet; an empty file is used like a missing one."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "sandbox.db")
    await _store_a_flow(link)
    assert _modes(tmp_path) == {0o600}
    empty = tmp_path / "empty"
    empty.touch()
    await _store_a_flow(empty)
    async with Sandbox(store=str(empty)) as sandbox:
        assert len(sandbox.accepted) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no/such/folder", "there is no such folder"),
        ("x" * 300, os.strerror(errno.ENAMETOOLONG)),
        ("nul\0byte", "it is not a valid file name"),
    ],
)
async def test_impossible_path_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    """A missing folder, or an impossible name, is one clear error, and nothing is created."""
    assert (await _start_error(tmp_path / name)).endswith(reason)
    assert _names(tmp_path) == []


async def test_unwritable_file_or_folder_is_refused(tmp_path: Path) -> None:
    """A read-only folder or file is one clear error; so is a folder in which no log can be created."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are not accessible to other users
        folder = Path(name)
        path = folder / "sandbox.db"
        _allow(folder, 0o555)
        with unprivileged():
            assert await _start_error(path) == os.strerror(errno.EACCES)
        _allow(folder, 0o777)
        with unprivileged():
            await _store_a_flow(path)
        _allow(path, 0o444)
        with unprivileged():
            assert await _start_error(path) == os.strerror(errno.EACCES)
        _allow(path, 0o666)
        _allow(folder, 0o555)
        with unprivileged():
            assert await _start_error(path) == "its folder cannot be written to"


async def test_full_disk_prevents_a_start_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a sandbox with a store does not start, and leaves no empty file."""

    def full(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count=1")
        connection.execute("CREATE TABLE documents (one, two, UNIQUE (one))")

    monkeypatch.setattr(database, "_create_schema", full)
    assert await _start_error(tmp_path / "sandbox.db") == "the disk is full"
    assert _names(tmp_path) == []


async def test_unwritable_existing_file_prevents_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox does not start with a file that it cannot write to: at that time the user can still fix it."""
    path = tmp_path / "sandbox.db"
    await _store_a_flow(path)
    connect = database._connect

    def full(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA query_only=ON")
        return connection

    monkeypatch.setattr(database, "_connect", full)
    assert await _start_error(path) == "it cannot be written to"
    monkeypatch.undo()
    async with Sandbox(store=path) as sandbox:
        assert len(sandbox.accepted) == 1


def test_unknown_sqlite_error_is_passed_on() -> None:
    """The text of an unknown SQLite error is passed on."""
    assert database.describe_error(sqlite3.ProgrammingError("something odd")) == "something odd"
