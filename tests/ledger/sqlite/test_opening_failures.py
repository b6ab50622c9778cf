"""Failures while a ledger is opened: nothing stays locked, and no useless file is left."""

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


async def test_unwritable_high_water_mark_is_named_in_the_error(path: Path) -> None:
    """The error names the file, and the ledger that was created is removed again."""
    beside = path.with_name(f"{path.name}-commits")
    beside.mkdir()
    with pytest.raises(LedgerError, match=r"run\.sqlite-commits beside it cannot be written"):
        await SqliteLedger(path).__aenter__()
    assert _names(path) == [beside.name]
    beside.rmdir()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)


async def test_high_water_mark_on_a_full_disk_reports_the_system_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own error text is the reason."""

    def full(*_: object) -> None:
        raise OSError(28, "")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError, match="No space left on device"):
        await SqliteLedger(path).__aenter__()


async def test_incomplete_checkpoint_prevents_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the owner cannot be written to the main file, nothing is claimed; afterwards the ledger is intact."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "checkpoint", lambda *_: False)
    with pytest.raises(LedgerError, match="a program that reads it keeps it from being written"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


async def test_failed_transaction_at_opening_leaves_the_file_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that fails while the ledger is opened is rolled back."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    monkeypatch.setattr(LedgerDatabase, "_expire_abandoned", lambda *_: 1 / 0)
    with pytest.raises(LedgerError, match="unexpected error"):
        await SqliteLedger(path).__aenter__()
    monkeypatch.undo()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts(unknown=1)


@pytest.mark.parametrize("replacement", ["gone", "another"])
async def test_file_replaced_while_it_is_locked_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, replacement: str
) -> None:
    """The locked file is not the file with that name any more: nothing is opened."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    try_lock = file_lock._try_lock

    def replace_then_lock(descriptor: int, *, wait: bool) -> bool:
        path.unlink()
        if replacement == "another":
            path.touch()
        return try_lock(descriptor, wait=wait)

    monkeypatch.setattr(file_lock, "_try_lock", replace_then_lock)
    with pytest.raises(LedgerError, match="replaced while it was opened"):
        await SqliteLedger(path).__aenter__()


async def test_file_replaced_while_it_is_connected_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where SQLite may have opened another file; a connection that fails is not counted any more."""
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    connect = sqlite3.connect

    def connect_then_replace(*values: Any, **options: Any) -> Any:
        connection = connect(*values, **options)
        path.rename(path.with_name("moved"))
        path.touch()
        return connection

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sqlite3, "connect", broken)
    with pytest.raises(ZeroDivisionError):
        connect_for_reading(path)
    monkeypatch.setattr(sqlite3, "connect", connect_then_replace)
    with pytest.raises(UnusableDatabase, match="replaced"):
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
def test_damaged_page_has_no_header(page: bytes) -> None:
    """Any content of a damaged page gives no header, and no other kind of error."""
    assert parse_header(page) is None


def test_header_is_read_from_a_valid_page() -> None:
    """The constant 1 and a floating-point number are read as well as integers."""
    header = parse_header(_page(TEXT, TEXT, TEXT, b"\x09", b"\x07", body=b"abcdef" + struct.pack(">d", 2.5)))
    assert header == ("ab", "cd", "ef", 1, 2.5)
