"""The file behind a store: who can read it; and what it cannot be, refused in a sentence and left alone."""

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox, SandboxError
from routee_failover.sandbox.store import database

from ..raw_http import STANDARD, calling


async def _refused(path: Path) -> str:
    """Why a sandbox does not start with this store."""
    with pytest.raises(SandboxError) as caught:
        await Sandbox(store=path).__aenter__()
    text = str(caught.value)
    assert "\n" not in text
    return text.removeprefix(f"cannot use the store {path}: ")


def _names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


def _modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()}


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
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"two lines\n" * 200), "it is a file of another kind, or damaged"),
        (lambda path: path.write_bytes(b"hi"), "it is a file of another kind, or damaged"),
        (_other_database, "it is a database of something else"),
        (_other_application, "it is a database of something else"),
        (lambda path: path.mkdir(), "Is a directory"),
        (os.mkfifo, "it is no file"),
    ],
)
async def test_a_file_of_something_else(make: Callable[[Path], None], why: str, tmp_path: Path) -> None:
    """A file that is no sandbox's is refused by what it is, and stays as it was."""
    path = tmp_path / "kept"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    assert (await _refused(path)).startswith(why)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert _names(tmp_path) == ["kept"]


async def _with_a_flow(path: Path) -> None:
    async with calling(store=path) as caller:
        await caller.send("sendFailover", STANDARD)


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DROP TABLE kept", "no such table"),
        ("PRAGMA user_version=2", "a newer routee-failover has written it"),
        ("UPDATE kept SET document = '{' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE kept SET document = '[]' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE kept SET document = '{\"id\": 1}' WHERE kind = 'flow'", "a flow in it cannot be read"),
        ("UPDATE kept SET document = x'ff' WHERE kind = 'clock'", "a clock in it cannot be read"),
        ("UPDATE kept SET document = 'null' WHERE kind = 'clock'", "a clock in it cannot be read"),
    ],
)
async def test_a_file_that_cannot_be_read(change: str, why: str, tmp_path: Path) -> None:
    """A file of a newer version, or with something in it that nobody understands, is refused."""
    path = tmp_path / "kept"
    await _with_a_flow(path)
    _change(path, change)
    assert why in await _refused(path)


@pytest.mark.parametrize("where", ["middle", "end"])
async def test_a_damaged_file(where: str, tmp_path: Path) -> None:
    """A file that lost a part of itself is refused with what to do about it."""
    path = tmp_path / "kept"
    await _with_a_flow(path)
    content = path.read_bytes()
    if where == "end":
        path.write_bytes(content[:5000])
    else:
        path.write_bytes(content[:4096] + b"\xa5" * 4096 + content[8192:])
    assert await _refused(path) == "it is damaged; move it away"


async def test_what_a_crash_left_half_written(tmp_path: Path) -> None:
    """A log that ends in the middle of a transaction does not keep the next sandbox from starting."""
    path, killed = tmp_path / "kept", tmp_path / "killed"
    async with calling(store=path) as caller:
        await caller.send("sendFailover", STANDARD)
        killed.write_bytes(path.read_bytes())
        log = path.with_name("kept-wal").read_bytes()
    killed.with_name("killed-wal").write_bytes(log[:-100])
    async with calling(store=killed) as caller:
        assert len(caller.sandbox.accepted) <= 1
        assert (await caller.send("sendFailover", STANDARD))[0] == 200


async def test_two_sandboxes(tmp_path: Path) -> None:
    """A file that a sandbox has open is refused to another one; then it is free again, also when the port was taken."""
    path = tmp_path / "kept"
    async with calling(store=path) as caller:
        assert await _refused(path) == "another process has it open; give each sandbox a file of its own"
        assert (await caller.send("sendFailover", STANDARD))[0] == 200
        port = int(caller.sandbox.url.rpartition(":")[2])
        other = Sandbox(store=tmp_path / "other", port=port)
        with pytest.raises(SandboxError, match="cannot listen"):
            await other.__aenter__()
        async with Sandbox(store=tmp_path / "other"):
            pass
    async with Sandbox(store=path) as sandbox:
        assert len(sandbox.accepted) == 1


async def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """The file and its log can be read by their owner alone, whatever the umask says: the PINs of tests are in them."""
    path = tmp_path / "kept"
    before = os.umask(0)
    try:
        async with calling(store=path) as caller:
            await caller.send("sendFailover", STANDARD)
            assert _modes(tmp_path) == {0o600}
            assert _names(tmp_path) == ["kept", "kept-wal"]
    finally:
        os.umask(before)
    assert _names(tmp_path) == ["kept"]


async def test_a_link_and_an_empty_file(tmp_path: Path) -> None:
    """A link is followed, also one to a file that is not there yet; an empty file is as good as none."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "kept")
    await _with_a_flow(link)
    assert _modes(tmp_path) == {0o600}
    empty = tmp_path / "empty"
    empty.touch()
    await _with_a_flow(empty)
    async with Sandbox(store=str(empty)) as sandbox:
        assert len(sandbox.accepted) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no/such/folder", "there is no such folder"),
        ("x" * 300, os.strerror(errno.ENAMETOOLONG)),
        ("nul\0byte", "no file can have such a name"),
    ],
)
async def test_a_name_that_cannot_be(name: str, why: str, tmp_path: Path) -> None:
    """A folder that is not there, or a name that none can have, is one clear error, and nothing is made."""
    assert (await _refused(tmp_path / name)).endswith(why)
    assert _names(tmp_path) == []


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


async def test_what_cannot_be_written_to(tmp_path: Path) -> None:
    """A folder or a file that one may only read is one clear error; so is a folder in which no log can be made."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to everybody else
        folder = Path(name)
        path = folder / "kept"
        _allow(folder, 0o555)
        with _nobody():
            assert await _refused(path) == os.strerror(errno.EACCES)
        _allow(folder, 0o777)
        with _nobody():
            await _with_a_flow(path)
        _allow(path, 0o444)
        with _nobody():
            assert await _refused(path) == os.strerror(errno.EACCES)
        _allow(path, 0o666)
        _allow(folder, 0o555)
        with _nobody():
            assert await _refused(path) == "its folder cannot be written to"


async def test_no_room_for_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a sandbox with a store does not start, and leaves no empty file behind."""

    def full(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count=1")
        connection.execute("CREATE TABLE kept (one, two, UNIQUE (one))")

    monkeypatch.setattr(database, "_create_schema", full)
    assert await _refused(tmp_path / "kept") == "the disk is full"
    assert _names(tmp_path) == []


async def test_no_room_in_a_file_from_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it start with a file that takes nothing more: whoever starts it can make room now."""
    path = tmp_path / "kept"
    await _with_a_flow(path)
    connect = database._connect

    def full(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA query_only=ON")
        return connection

    monkeypatch.setattr(database, "_connect", full)
    assert await _refused(path) == "it cannot be written to"
    monkeypatch.undo()
    async with Sandbox(store=path) as sandbox:
        assert len(sandbox.accepted) == 1


def test_errors_that_nobody_expected() -> None:
    """What SQLite says in other words is passed on."""
    assert database.describe_error(sqlite3.ProgrammingError("something odd")) == "something odd"
