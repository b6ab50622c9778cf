"""Creation of a ledger: interrupted by a kill it starts again, and it never replaces a ledger that is gone."""

from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import SqliteLedger, StateCounts
from routee_failover.ledger.sqlite import ledger_file

from ..factories import claim_lines


class _Killed(BaseException):
    """Simulates the end of the process."""


def _kill(*_: object, **__: object) -> None:
    raise _Killed


async def _kill_during_creation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ledger_file, "open_connection", _kill)
        patch.setattr(ledger_file, "clear_creation", lambda _: None)
        with pytest.raises(_Killed):
            ledger_file.LedgerFile(path)


@pytest.mark.parametrize("has_file", [False, True])
async def test_creation_interrupted_by_a_kill_starts_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, has_file: bool
) -> None:
    """A process that was killed before its ledger held anything leaves no file that is refused."""
    await _kill_during_creation(path, monkeypatch)
    if has_file:
        path.touch()  # noqa: ASYNC240
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    path.write_bytes(b"")  # noqa: ASYNC240
    with pytest.raises(LedgerError, match="it is empty: a ledger may have been overwritten"):
        await SqliteLedger(path).__aenter__()


@pytest.mark.parametrize("suffix", ["-commits", "-wal"])
async def test_leftover_sidecar_of_a_missing_ledger_prevents_a_new_one(path: Path, suffix: str) -> None:
    """Where the file of a killed run is missing and a file beside it still exists, no new ledger is created."""
    sidecar = path.with_name(f"{path.name}{suffix}")
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1)
        kept = sidecar.read_bytes()
    path.unlink()  # noqa: ASYNC240
    sidecar.write_bytes(kept)
    with pytest.raises(LedgerError, match=rf"{sidecar.name} beside it belongs to a ledger that is gone; restore that"):
        await SqliteLedger(path).__aenter__()
    assert [found.name for found in path.parent.iterdir()] == [sidecar.name]
    sidecar.unlink()
    async with SqliteLedger(path) as ledger:
        assert await ledger.counts() == StateCounts()


async def test_failed_creation_leaves_no_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be created, no other file is left either."""
    monkeypatch.setattr(ledger_file, "connect_for_writing", _kill)
    with pytest.raises(_Killed):
        ledger_file.LedgerFile(path)
    assert list(path.parent.iterdir()) == []
