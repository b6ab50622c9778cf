"""Output guard: no output replaces a file of the run; empty and damaged ledgers are reported."""

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


@pytest.mark.parametrize("alias", [_itself, _symlink, _hard_link])
@pytest.mark.parametrize(
    "name",
    [
        *("people.sqlite", "people.sqlite-wal", "people.sqlite-shm", "people.sqlite-commits"),
        *("people.csv", "flow.json", "people.invalid.csv"),
    ],
)
@pytest.mark.parametrize("command", ["export", "report"])
def test_output_that_is_a_file_of_the_run_exits_with_2(
    command: str, name: str, alias: Callable[[Path, Path], Path], campaign: Campaign, sandbox: Sandbox, cli: Cli
) -> None:
    """An output that is a file of the run, under any name or link, is an error, and nothing is written."""
    assert cli(*campaign.write(3, "12,Short,1").run(), at=sandbox).exit_code == 1
    output = alias(campaign.folder, campaign.folder / name)
    before = _state(campaign.folder)
    result = cli("bulk", command, str(campaign.ledger), "-o", str(output))
    assert (result.exit_code, result.out) == (2, ""), result
    assert "of this run and would be overwritten: choose another file" in result.err
    assert _state(campaign.folder) == before
    (campaign.folder / "other name").unlink(missing_ok=True)  # a ledger with two names cannot be used
    assert cli("bulk", "resume", str(campaign.ledger), at=sandbox).exit_code == 1
    assert len(sandbox.accepted) == 3


@pytest.mark.parametrize("name", ["people.csv", "flow.json", "people.sqlite"])
def test_invalid_rows_file_cannot_replace_a_source(name: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """--invalid-rows cannot name a file that the run reads."""
    campaign.write(3)
    before = _state(campaign.folder)
    result = cli(*campaign.run("--invalid-rows", str(campaign.folder / name)), at=sandbox)
    assert (result.exit_code, sandbox.accepted) == (2, []), result
    assert "would be overwritten" in result.err
    assert _state(campaign.folder) == before


def test_failed_export_leaves_the_previous_file(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """If an export fails, the previous file stays and no partial file is left."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    file = campaign.folder / "all.csv"
    assert cli("bulk", "export", str(campaign.ledger), "-o", str(file)).exit_code == 0
    exported = file.read_text("utf-8")
    assert len(exported.splitlines()) == 4
    campaign.ledger.write_bytes(campaign.ledger.read_bytes()[:4096])
    files = sorted(path.name for path in campaign.folder.iterdir())
    assert cli("bulk", "export", str(campaign.ledger), "-o", str(file)).exit_code == 2
    assert file.read_text("utf-8") == exported
    assert sorted(path.name for path in campaign.folder.iterdir()) == files


@pytest.mark.parametrize("command", ["run", "resume", "status", "reconcile", "export", "report"])
def test_empty_ledger_exits_with_2(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """After `bulk export RUN > RUN` every command reports that the ledger is empty; none starts a new run in it."""
    assert cli(*campaign.write(3).run(), at=sandbox).exit_code == 0
    campaign.ledger.write_bytes(b"")
    arguments = campaign.run() if command == "run" else ["bulk", command, str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 3), result
    assert "it is empty: a ledger may have been overwritten" in result.err
    assert campaign.ledger.read_bytes() == b""


@pytest.mark.parametrize("command", ["run", "resume", "status", "reconcile"])
def test_damaged_ledger_exits_with_2(command: str, campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Damage is reported wherever it is, also by status, whose counts are on a page of their own."""
    assert cli(*campaign.write(60).run(), at=sandbox).exit_code == 0
    data = bytearray(campaign.ledger.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    data[-2 * size : -size] = b"\xff" * size
    campaign.ledger.write_bytes(data)
    arguments = campaign.run() if command == "run" else ["bulk", command, str(campaign.ledger)]
    result = cli(*arguments, at=sandbox)
    assert (result.exit_code, result.out, len(sandbox.accepted)) == (2, "", 60), result
    assert "it is damaged; restore it from a backup" in result.err
