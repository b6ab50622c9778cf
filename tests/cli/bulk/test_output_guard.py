"""What a command writes takes the place of nothing that its run lives on; a damaged ledger is told."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign


def _itself(_folder: Path, path: Path) -> Path:
    return path


def _symlink(folder: Path, path: Path) -> Path:
    link = folder / "link"
    link.symlink_to(path)
    return link


def _hard_link(folder: Path, path: Path) -> Path:
    link = folder / "other name"
    if path.exists():
        os.link(path, link)
        return link
    return path


def _state(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.iterdir() if file.is_file() and not file.name.startswith("people.sqlite-"))
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("way", [_itself, _symlink, _hard_link])
@pytest.mark.parametrize(
    "name",
    [
        *("people.sqlite", "people.sqlite-wal", "people.sqlite-shm", "people.sqlite-commits"),
        *("people.csv", "flow.json", "people.invalid.csv"),
    ],
)
@pytest.mark.parametrize("command", ["export", "report"])
def test_what_is_used(
    command: str, name: str, way: Callable[[Path, Path], Path], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """An output that is a file of the run, by whatever name, is refused with status 2, and nothing is written."""
    assert cli(*campaign.write(3, "12,Short,1").run(), at=sandbox).exit_code == 1
    output = way(campaign.folder, campaign.folder / name)
    before = _state(campaign.folder)
    result = cli("bulk", command, str(campaign.ledger), "-o", str(output))
    assert (result.exit_code, result.out) == (2, ""), result
    assert "of this run, and would be lost: name another file" in result.err
    assert _state(campaign.folder) == before
    (campaign.folder / "other name").unlink(missing_ok=True)  # a ledger with two names is no run's
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 1
    assert len(sandbox.accepted) == 3


@pytest.mark.parametrize("name", ["people.csv", "flow.json", "people.sqlite"])
def test_the_list_of_refused_rows(name: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """No list of refused rows is begun over what the run is made of."""
    campaign.write(3)
    before = _state(campaign.folder)
    result = cli(*campaign.run("--invalid-rows", str(campaign.folder / name)), at=sandbox)
    assert (result.exit_code, sandbox.accepted) == (2, []), result
    assert "would be lost" in result.err
    assert _state(campaign.folder) == before


def test_an_export_is_whole(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Where an export fails, the former one stays and no half of a new one is left."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    file = campaign.folder / "all.csv"
    assert cli("bulk", "export", str(campaign.ledger), "-o", str(file)).exit_code == 0
    whole = file.read_text("utf-8")
    assert len(whole.splitlines()) == 4
    campaign.ledger.write_bytes(campaign.ledger.read_bytes()[:4096])
    files = sorted(path.name for path in campaign.folder.iterdir())
    assert cli("bulk", "export", str(campaign.ledger), "-o", str(file)).exit_code == 2
    assert file.read_text("utf-8") == whole
    assert sorted(path.name for path in campaign.folder.iterdir()) == files


@pytest.mark.parametrize("command", ["run", "resume", "status", "reconcile", "export", "report"])
def test_a_ledger_that_was_emptied(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """After `bulk export RUN > RUN` every command says that the ledger is empty; none begins a new run in it."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    campaign.ledger.write_bytes(b"")
    arguments = campaign.run() if command == "run" else ["bulk", command, str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 3), result
    assert "it is empty: a ledger may have been overwritten" in result.err
    assert campaign.ledger.read_bytes() == b""


@pytest.mark.parametrize("command", ["run", "resume", "status", "reconcile"])
def test_a_ledger_that_is_damaged(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Damage is told wherever it is, also by status, whose counts are on a page of their own."""
    assert cli(*campaign.write(60).run(), at=sandbox).exit_code == 0
    data = bytearray(campaign.ledger.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    data[-2 * size : -size] = b"\xff" * size
    campaign.ledger.write_bytes(data)
    arguments = campaign.run() if command == "run" else ["bulk", command, str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 60), result
    assert "it is damaged; restore it from a backup" in result.err
