"""A ledger that is made: killed on the way it is made anew, and it never takes the place of one that is gone."""

from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import SqliteLedger, StateCounts
from routee_failover.ledger.sqlite import ledger_file as ledger_file

from ..factories import claim_lines


class _Killed(BaseException):
    """The process ends here."""


def _killed(*_: object, **__: object) -> None:
    raise _Killed


async def _kill_while_it_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ledger_file, "open_file", _killed)
        patch.setattr(ledger_file, "clear_creation", lambda _: None)
        with pytest.raises(_Killed):
            ledger_file.LedgerFile(path)


@pytest.mark.parametrize("has_file", [False, True])
async def test_killed_while_it_is_made_it_is_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, has_file: bool
) -> None:
    """A process that was killed before its ledger held anything leaves none behind that is refused."""
    await _kill_while_it_is_made(path, monkeypatch)
    if has_file:
        path.touch()  # noqa: ASYNC240
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    path.write_bytes(b"")  # noqa: ASYNC240
    with pytest.raises(LedgerError, match="it is empty: a ledger may have been overwritten"):
        await SqliteLedger(path).__aenter__()


@pytest.mark.parametrize("left", ["-commits", "-wal"])
async def test_a_new_ledger_takes_no_place_of_one_that_is_gone(path: Path, left: str) -> None:
    """Where the file of a killed run is gone and what lay beside it is there, no new ledger is made."""
    beside = path.with_name(f"{path.name}{left}")
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        kept = beside.read_bytes()
    path.unlink()  # noqa: ASYNC240
    beside.write_bytes(kept)
    with pytest.raises(LedgerError, match=rf"{beside.name} beside it is of a ledger that is gone; put it back"):
        await SqliteLedger(path).__aenter__()
    assert [found.name for found in path.parent.iterdir()] == [beside.name]
    beside.unlink()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts()


async def test_a_ledger_that_cannot_be_made_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be made, nothing is left beside its place."""
    monkeypatch.setattr(ledger_file, "connect_for_writing", _killed)
    with pytest.raises(_Killed):
        ledger_file.LedgerFile(path)
    assert list(path.parent.iterdir()) == []
