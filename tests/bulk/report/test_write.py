"""Writing a report: atomically, readable by its owner only, and the old one stays until the new one is complete."""

import os
import stat
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.bulk.report import write_report
from routee_failover.ledger import MemoryLedger

from .sample_runs import SampleLedger, sample_run

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and symlinks")


def _files(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def _is_device(path: str) -> bool:
    return Path(path).is_char_device()


async def test_report_is_one_complete_file(tmp_path: Path) -> None:
    """One complete file; nothing else is left beside it."""
    path = tmp_path / "report.html"
    await write_report(sample_run(50), path, name="RUN.sqlite")
    text = path.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert _files(tmp_path) == ["report.html"]


async def test_report_of_a_new_ledger_is_written(tmp_path: Path) -> None:
    """A ledger without entries has a report, too."""
    async with MemoryLedger() as ledger:
        await write_report(ledger, str(tmp_path / "report.html"), name="RUN.sqlite")
    assert "No message yet" in (tmp_path / "report.html").read_text("utf-8")


@ON_POSIX
async def test_report_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Only the owner can read it, whatever the mode of the replaced file; a symlink leads to the new one."""
    path, link = tmp_path / "report.html", tmp_path / "latest.html"
    path.write_text("old", "utf-8")
    path.chmod(0o644)
    link.symlink_to(path)
    await write_report(sample_run(50), link, name="RUN.sqlite")
    assert link.is_symlink()
    assert "old" not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_failed_write_keeps_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, a folder, a missing folder: an OSError, the old report, and no partial new one."""
    path = tmp_path / "report.html"
    path.write_text("old", "utf-8")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            await write_report(sample_run(50), path, name="RUN.sqlite")
    with pytest.raises(OSError, match="directory"):
        await write_report(sample_run(5), tmp_path, name="RUN.sqlite")
    with pytest.raises(FileNotFoundError):
        await write_report(sample_run(5), tmp_path / "missing" / "report.html", name="RUN.sqlite")
    assert path.read_text("utf-8") == "old"
    assert _files(tmp_path) == ["report.html"]


@ON_POSIX
async def test_device_is_written_to_and_not_replaced() -> None:
    """A device stays a device."""
    await write_report(sample_run(5), os.devnull, name="RUN.sqlite")
    assert _is_device(os.devnull)


async def test_ledger_error_is_raised_and_nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `LedgerError` is raised to the caller, and nothing is written."""

    async def broken(_ledger: SampleLedger, _name: str) -> None:
        raise LedgerError("the ledger cannot be read")

    monkeypatch.setattr(SampleLedger, "get_document", broken)
    with pytest.raises(LedgerError):
        await write_report(sample_run(5), tmp_path / "report.html", name="RUN.sqlite")
    assert _files(tmp_path) == []
