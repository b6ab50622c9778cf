"""Loss detection: a ledger that lost committed transactions is refused; a kill or a power cut alone is no loss."""

import random
import shutil
from pathlib import Path

import pytest

from routee_failover import LedgerError
from routee_failover.ledger import SqliteLedger, StateCounts
from routee_failover.ledger.sqlite.loss_detection import (
    COPIED_FILE,
    DAMAGED_LOG,
    HOW_TO_RECOVER,
    LOST_COMMITS,
    MISSING_SIDECAR,
)

from ..factories import claim_lines
from ..killed_ledger import ACCEPTED, UNKNOWN, KilledLedger

COMPLETE = StateCounts(accepted=ACCEPTED, unknown=UNKNOWN)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> KilledLedger:
    """A ledger whose process was killed."""
    return KilledLedger(tmp_path_factory.mktemp("killed") / "run.sqlite")


async def _open(path: Path) -> StateCounts | str:
    """Return the counts of a ledger, or why it is refused."""
    try:
        async with SqliteLedger(path) as ledger:
            return await ledger.counts()
    except LedgerError as error:
        return str(error)


def _is_refused(result: StateCounts | str, reason: str, file: str = "run.sqlite-wal") -> bool:
    return isinstance(result, str) and f"{reason.format(file=file)}. {HOW_TO_RECOVER}. Nothing was sent" in result


async def test_kill_is_no_loss(killed: KilledLedger) -> None:
    """After a kill the ledger is complete, and once it was closed it needs no file beside it."""
    killed.restore()
    async with SqliteLedger(killed.path) as ledger:
        assert await ledger.counts() == COMPLETE
        await claim_lines(ledger, 10**6)
    assert not killed.log.exists()
    assert not killed.commits.exists()
    assert await _open(killed.path) == StateCounts(accepted=ACCEPTED, unknown=UNKNOWN + 1)


async def test_deleted_log_is_a_loss(killed: KilledLedger) -> None:
    """It is refused each time, for reading too, and with the log restored the ledger is as it was."""
    killed.restore()
    killed.log.unlink()
    for _ in range(2):
        assert _is_refused(await _open(killed.path), LOST_COMMITS)
        with pytest.raises(LedgerError, match=r"cannot read the ledger .* was removed, truncated or replaced"):
            await SqliteLedger.read(killed.path).__aenter__()
    killed.log.write_bytes(killed.log_bytes)
    assert await _open(killed.path) == COMPLETE


async def test_main_file_without_sidecars_is_a_loss(killed: KilledLedger) -> None:
    """With every file beside it gone, the owner in the main file shows that there was more."""
    killed.restore()
    killed.log.unlink()
    killed.commits.unlink()
    assert _is_refused(await _open(killed.path), MISSING_SIDECAR, "run.sqlite-commits")
    with pytest.raises(LedgerError, match=r"run\.sqlite-commits beside it is missing"):
        await SqliteLedger.read(killed.path).__aenter__()
    assert killed.path.read_bytes() == killed.main_bytes


async def test_log_truncated_anywhere_never_loses_an_accepted_message_silently(killed: KilledLedger) -> None:
    """Truncated at every boundary of a frame, and within one: it is refused, or all of it is there."""
    frames = list(killed.frames())
    for length in (0, 31, *(cut for frame in frames for cut in (frame.begin, frame.begin + 700))):
        killed.restore(killed.log_bytes[:length])
        assert _is_refused(await _open(killed.path), LOST_COMMITS), length
    killed.restore(killed.log_bytes[: frames[-1].end])
    assert await _open(killed.path) == COMPLETE


async def test_byte_changed_anywhere_never_loses_an_accepted_message_silently(killed: KilledLedger) -> None:
    """Bytes flipped at offsets all over the log: it is refused, or all of it is there."""
    rng = random.Random(11)
    end = list(killed.frames())[-1].end
    refused = 0
    for offset in (*range(32), *sorted(rng.sample(range(32, end), 150))):
        log = bytearray(killed.log_bytes)
        log[offset] ^= rng.randrange(1, 256)
        killed.restore(bytes(log))
        result = await _open(killed.path)
        assert result == COMPLETE or _is_refused(result, LOST_COMMITS) or _is_refused(result, DAMAGED_LOG), offset
        refused += result != COMPLETE
    assert refused > 150


async def test_damage_within_the_log_is_found_with_an_old_high_water_mark(killed: KilledLedger) -> None:
    """Also where a power cut has left an old high-water mark: before the last two transactions all damage is found."""
    frames = list(killed.frames())
    commits = [index for index, frame in enumerate(frames) if frame.commit]
    for frame in frames[: commits[-3] + 1]:
        for offset in (frame.begin + 9, frame.begin + 17, frame.begin + 300):
            log = bytearray(killed.log_bytes)
            log[offset : offset + 20] = bytes(one ^ 0xFF for one in log[offset : offset + 20])
            killed.restore(bytes(log), behind=2 * ACCEPTED)
            assert _is_refused(await _open(killed.path), DAMAGED_LOG), offset
            assert killed.log.read_bytes() == log, "it is left as it is"


async def test_partially_written_last_transaction_is_no_damage(killed: KilledLedger) -> None:
    """What a kill or a power cut leaves of a transaction that was not acknowledged: cut, or pages in any order."""
    frames = list(killed.frames())
    commits = [index for index, frame in enumerate(frames) if frame.commit]
    last = frames[commits[-2] + 1 :]
    before = StateCounts(accepted=ACCEPTED - 1, unknown=UNKNOWN + 1)
    logs = [killed.log_bytes[:length] for length in range(last[0].begin, last[-1].end, 151)]
    rng = random.Random(5)
    for _ in range(20):
        torn = bytearray(killed.log_bytes)
        for frame in rng.sample(last, rng.randint(1, len(last))):
            sector = rng.choice([slice(frame.begin, frame.end), slice(frame.begin + 24, frame.begin + 536)])
            torn[sector] = bytes(sector.stop - sector.start)
        logs.append(bytes(torn))
    for log in logs:
        killed.restore(log, behind=1)
        assert await _open(killed.path) in {before, COMPLETE}


async def test_frames_of_an_older_log_are_no_damage(killed: KilledLedger) -> None:
    """A restarted log has frames of the earlier log behind its own, and they are no proof of anything."""
    assert len(killed.log_bytes) > list(killed.frames())[-1].end
    for log in (killed.log_bytes, killed.log_bytes[:32] + bytes(24) + killed.log_bytes[56:]):
        killed.restore(log, behind=2 * ACCEPTED)
        result = await _open(killed.path)
        assert result == COMPLETE if log is killed.log_bytes else _is_refused(result, DAMAGED_LOG)


async def test_older_log_is_a_loss(killed: KilledLedger) -> None:
    """A log from before the main file was written is not merged into it."""
    killed.restore()
    async with SqliteLedger(killed.path) as ledger:
        await claim_lines(ledger, 10**6)
    killed.log.write_bytes(killed.log_bytes)
    assert _is_refused(await _open(killed.path), LOST_COMMITS)
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert (await ledger.counts()).accepted == ACCEPTED
    assert killed.path.with_name("run.sqlite-wal.set-aside").exists()


async def test_log_of_another_ledger_is_a_loss(killed: KilledLedger, tmp_path: Path) -> None:
    """The log of another ledger is not merged: the result would be neither of the two."""
    other = KilledLedger(tmp_path / "other.sqlite")
    killed.restore(other.log_bytes)
    assert _is_refused(await _open(killed.path), LOST_COMMITS)


@pytest.mark.parametrize("ends", [[""], ["", "-wal"], ["", "-wal", "-commits"]])
async def test_copy_of_a_running_ledger_is_refused(path: Path, tmp_path: Path, ends: list[str]) -> None:
    """With or without the files beside it: the run may have continued, and the original is as it was."""
    copy = tmp_path / "copies" / path.name
    copy.parent.mkdir()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1, 2)
        for end in ends:
            shutil.copy(path.with_name(path.name + end), copy.with_name(copy.name + end))
        await claim_lines(ledger, 3)
        assert _is_refused(await _open(copy), COPIED_FILE)
    assert _is_refused(await _open(copy), COPIED_FILE)
    assert await _open(path) == StateCounts(unknown=3)


async def test_ledger_moved_after_a_kill_opens_with_its_sidecars(killed: KilledLedger) -> None:
    """Renamed with the files beside it, it is the same ledger; renamed alone, it is refused without them."""
    killed.restore()
    moved = killed.path.with_name("moved.sqlite")
    killed.path.rename(moved)
    assert _is_refused(await _open(moved), MISSING_SIDECAR, "moved.sqlite-commits")
    for file, end in ((killed.log, "-wal"), (killed.commits, "-commits")):
        file.rename(moved.with_name(f"moved.sqlite{end}"))
    assert await _open(moved) == COMPLETE
    moved.rename(killed.path)


async def test_reading_after_a_kill_does_not_merge_the_log(killed: KilledLedger) -> None:
    """A reader sees all that a kill left, and leaves the log for the next run to check."""
    killed.restore()
    async with SqliteLedger.read(killed.path) as read:
        assert await read.counts() == StateCounts(accepted=ACCEPTED, sending=UNKNOWN)
        assert await read.get_document("run") == {"rate": 5}
    assert killed.log.read_bytes() == killed.log_bytes
    assert await _open(killed.path) == COMPLETE


async def test_documents_survive_the_loss_of_the_log(killed: KilledLedger) -> None:
    """The documents of a run are in the main file."""
    killed.restore()
    killed.log.unlink()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert await ledger.get_document("run") == {"rate": 5}
