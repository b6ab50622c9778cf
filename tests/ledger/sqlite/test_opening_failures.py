"""A ledger that cannot be opened at some step: nothing is held and nothing is made for nothing."""

import os
import sqlite3
import struct
from pathlib import Path
from typing import Any

import pytest

from routee_failover import LedgerError
from routee_failover._sqlite import UnusableDatabase
from routee_failover.ledger import SqliteLedger, StateCounts
from routee_failover.ledger.sqlite import file_descriptors, file_lock
from routee_failover.ledger.sqlite.database import LedgerDatabase
from routee_failover.ledger.sqlite.ledger_header import parse_header
from routee_failover.ledger.sqlite.schema import connect_for_reading

from ..factories import claim_lines


def _names(path: Path) -> list[str]:
    return sorted(found.name for found in path.parent.iterdir())


async def test_a_high_water_mark_that_cannot_be_written(path: Path) -> None:
    """It is named, and the file that was made is gone again."""
    beside = path.with_name(f"{path.name}-commits")
    beside.mkdir()
    with pytest.raises(LedgerError, match=r"run\.sqlite-commits beside it cannot be written"):
        await SqliteLedger(path).__aenter__()
    assert _names(path) == [beside.name]
    beside.rmdir()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_a_high_water_mark_on_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk's own word is the reason."""

    def full(*_: object) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="No space left on device"):
        await SqliteLedger(path).__aenter__()


async def test_a_checkpoint_that_is_kept_from_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the mark cannot come into the main file, nothing is claimed; afterwards the ledger is in order."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "checkpoint", lambda *_: False)
    with pytest.raises(LedgerError, match="a program that reads it keeps it from being written"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


async def test_a_transaction_that_fails_as_it_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves the file as it was."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "_expire_abandoned", lambda *_: 1 / 0)
    with pytest.raises(LedgerError, match="nobody foresaw"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


@pytest.mark.parametrize("how", ["gone", "another"])
async def test_a_file_that_is_exchanged_as_it_is_locked(path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """What was locked is not what the name stands for any more: nothing is opened."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    take = file_lock._locked

    def late(descriptor: int, *, wait: bool) -> bool:
        path.unlink()
        if how == "another":
            path.touch()
        return take(descriptor, wait=wait)

    monkeypatch.setattr(file_lock, "_locked", late)
    with pytest.raises(LedgerError, match="exchanged while it was opened"):
        await SqliteLedger(path).__aenter__()


async def test_a_file_that_is_exchanged_as_it_is_connected(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is where SQLite may have opened another one; and what fails to connect is counted no longer."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    connect = sqlite3.connect

    def late(*values: Any, **options: Any) -> Any:
        connection = connect(*values, **options)
        path.rename(path.with_name("moved"))
        path.touch()
        return connection

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sqlite3, "connect", broken)
    with pytest.raises(ZeroDivisionError):
        connect_for_reading(path)
    monkeypatch.setattr(sqlite3, "connect", late)
    with pytest.raises(UnusableDatabase, match="exchanged"):
        connect_for_reading(path)
    monkeypatch.undo()
    assert not file_descriptors._connections


def _page(*kinds: bytes, body: bytes = b"", first: int = 13, rows: int = 1) -> bytes:
    header = bytes([1 + sum(map(len, kinds))]) + b"".join(kinds)
    cell = bytes([len(header) + len(body), 1]) + header + body
    return bytes([first, 0, 0]) + struct.pack(">H", rows) + bytes(3) + struct.pack(">H", 10) + cell


TEXT = bytes([13 + 2 * 2])  # two letters


@pytest.mark.parametrize(
    "page",
    [
        b"",
        bytes(2048),
        b"\r" + b"\xff" * 2047,
        _page(TEXT, TEXT, TEXT, b"\x01", b"\x07", first=5),
        _page(TEXT, TEXT, TEXT, b"\x01", b"\x07", rows=2),
        _page(TEXT, TEXT, TEXT, TEXT, TEXT, body=b"ab" * 5),
        _page(b"\x00", TEXT, TEXT, b"\x01", b"\x08", body=b"abab\x01"),
        _page(b"\x0e", TEXT, TEXT, b"\x01", b"\x08", body=b"aababa\x01"),
        _page(TEXT, TEXT, TEXT, b"\x01", b"\x07", body=b"ab" * 3 + b"\x01"),
        _page(TEXT, TEXT, TEXT, b"\x01", b"\x08", body=b"\xff" * 7),
    ],
)
def test_a_page_that_holds_no_mark(page: bytes) -> None:
    """Whatever is in a damaged page, it is no mark, and no error of another kind."""
    assert parse_header(page) is None


def test_a_page_that_holds_a_mark() -> None:
    """Each way to write a number is read."""
    mark = parse_header(_page(TEXT, TEXT, TEXT, b"\x09", b"\x07", body=b"abcdef" + struct.pack(">d", 2.5)))
    assert mark == ("ab", "cd", "ef", 1, 2.5)
