"""A ledger that lost something of what was committed says so; one that merely met a kill or a power cut does not."""

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

WHOLE = StateCounts(accepted=ACCEPTED, unknown=UNKNOWN)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> KilledLedger:
    """A ledger whose process was killed."""
    return KilledLedger(tmp_path_factory.mktemp("killed") / "run.sqlite")


async def _opened(path: Path) -> StateCounts | str:
    """What is in it, or why it is refused."""
    try:
        async with SqliteLedger(path) as ledger:
            return await ledger.counts()
    except LedgerError as error:
        return str(error)


def _says(answer: StateCounts | str, reason: str, file: str = "run.sqlite-wal") -> bool:
    return isinstance(answer, str) and f"{reason.format(file=file)}. {HOW_TO_RECOVER}. Nothing was sent" in answer


async def test_a_kill_is_no_loss(killed: KilledLedger) -> None:
    """What a kill leaves is the ledger, and after it was closed it needs nothing beside it."""
    killed.restore()
    async with SqliteLedger(killed.path) as ledger:
        assert await ledger.counts() == WHOLE
        await claim_lines(ledger, 10**6)
    assert not killed.log.exists()
    assert not killed.commits.exists()
    assert await _opened(killed.path) == StateCounts(accepted=ACCEPTED, unknown=UNKNOWN + 1)


async def test_a_log_that_was_deleted_is_a_loss(killed: KilledLedger) -> None:
    """It is refused each time, those who read are told as well, and the log put back is the ledger as it was."""
    killed.restore()
    killed.log.unlink()
    for _ in range(2):
        assert _says(await _opened(killed.path), LOST_COMMITS)
        with pytest.raises(LedgerError, match=r"cannot read the ledger .* was removed, cut short or exchanged"):
            await SqliteLedger.read(killed.path).__aenter__()
    killed.log.write_bytes(killed.log_bytes)
    assert await _opened(killed.path) == WHOLE


async def test_the_file_alone_is_a_loss(killed: KilledLedger) -> None:
    """With everything beside it gone, the mark in the main file says that there was more."""
    killed.restore()
    killed.log.unlink()
    killed.commits.unlink()
    assert _says(await _opened(killed.path), MISSING_SIDECAR, "run.sqlite-commits")
    with pytest.raises(LedgerError, match=r"run\.sqlite-commits beside it is gone"):
        await SqliteLedger.read(killed.path).__aenter__()
    assert killed.path.read_bytes() == killed.main_bytes


async def test_a_log_cut_anywhere_never_loses_an_accepted_message_silently(killed: KilledLedger) -> None:
    """Cut at every boundary of a frame, and in the midst of one: it is refused, or all of it is there."""
    frames = list(killed.frames())
    for place in (0, 31, *(cut for frame in frames for cut in (frame.begin, frame.begin + 700))):
        killed.restore(killed.log_bytes[:place])
        assert _says(await _opened(killed.path), LOST_COMMITS), place
    killed.restore(killed.log_bytes[: frames[-1].end])
    assert await _opened(killed.path) == WHOLE


async def test_a_byte_changed_anywhere_never_loses_an_accepted_message_silently(killed: KilledLedger) -> None:
    """Bytes flipped at offsets all over the log: it is refused, or all of it is there."""
    chance = random.Random(11)
    end = list(killed.frames())[-1].end
    refused = 0
    for offset in (*range(32), *sorted(chance.sample(range(32, end), 150))):
        log = bytearray(killed.log_bytes)
        log[offset] ^= chance.randrange(1, 256)
        killed.restore(bytes(log))
        answer = await _opened(killed.path)
        assert answer == WHOLE or _says(answer, LOST_COMMITS) or _says(answer, DAMAGED_LOG), offset
        refused += answer != WHOLE
    assert refused > 150


async def test_damage_within_the_log_is_found_without_the_high_water_mark(killed: KilledLedger) -> None:
    """Also where a power cut has left an old high-water mark: before the last two transactions all damage is found."""
    frames = list(killed.frames())
    ends = [place for place, frame in enumerate(frames) if frame.commit]
    for frame in frames[: ends[-3] + 1]:
        for offset in (frame.begin + 9, frame.begin + 17, frame.begin + 300):
            log = bytearray(killed.log_bytes)
            log[offset : offset + 20] = bytes(one ^ 0xFF for one in log[offset : offset + 20])
            killed.restore(bytes(log), behind=2 * ACCEPTED)
            assert _says(await _opened(killed.path), DAMAGED_LOG), offset
            assert killed.log.read_bytes() == log, "it is left as it is"


async def test_the_last_transaction_torn_in_any_way_is_no_damage(killed: KilledLedger) -> None:
    """What a kill or a power cut leaves of a transaction that was not acknowledged: cut, or pages in any order."""
    frames = list(killed.frames())
    ends = [place for place, frame in enumerate(frames) if frame.commit]
    last = frames[ends[-2] + 1 :]
    before = StateCounts(accepted=ACCEPTED - 1, unknown=UNKNOWN + 1)
    cuts = [killed.log_bytes[:place] for place in range(last[0].begin, last[-1].end, 151)]
    chance = random.Random(5)
    for _ in range(20):
        torn = bytearray(killed.log_bytes)
        for frame in chance.sample(last, chance.randint(1, len(last))):
            sector = chance.choice([slice(frame.begin, frame.end), slice(frame.begin + 24, frame.begin + 536)])
            torn[sector] = bytes(sector.stop - sector.start)
        cuts.append(bytes(torn))
    for log in cuts:
        killed.restore(log, behind=1)
        assert await _opened(killed.path) in {before, WHOLE}


async def test_frames_of_an_older_log_are_no_damage(killed: KilledLedger) -> None:
    """A log that was begun anew leaves frames of the one before behind its own, and they are no proof of anything."""
    assert len(killed.log_bytes) > list(killed.frames())[-1].end
    for log in (killed.log_bytes, killed.log_bytes[:32] + bytes(24) + killed.log_bytes[56:]):
        killed.restore(log, behind=2 * ACCEPTED)
        answer = await _opened(killed.path)
        assert answer == WHOLE if log is killed.log_bytes else _says(answer, DAMAGED_LOG)


async def test_an_older_log_is_a_loss(killed: KilledLedger) -> None:
    """A log from before the main file was written is not merged into it."""
    killed.restore()
    async with SqliteLedger(killed.path) as ledger:
        await claim_lines(ledger, 10**6)
    killed.log.write_bytes(killed.log_bytes)
    assert _says(await _opened(killed.path), LOST_COMMITS)
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert (await ledger.counts()).accepted == ACCEPTED
    assert killed.path.with_name("run.sqlite-wal.set-aside").exists()


async def test_another_ledgers_log_is_a_loss(killed: KilledLedger, tmp_path: Path) -> None:
    """So is the log of another ledger, which would make a third one of the two."""
    other = KilledLedger(tmp_path / "other.sqlite")
    killed.restore(other.log_bytes)
    assert _says(await _opened(killed.path), LOST_COMMITS)


@pytest.mark.parametrize("ends", [[""], ["", "-wal"], ["", "-wal", "-commits"]])
async def test_a_copy_of_a_running_ledger_is_refused(path: Path, tmp_path: Path, ends: list[str]) -> None:
    """With or without what lies beside it: the original may have gone on, and the original is as it was."""
    copy = tmp_path / "copies" / path.name
    copy.parent.mkdir()
    async with SqliteLedger(path) as ledger:
        await claim_lines(ledger, 1, 2)
        for end in ends:
            shutil.copy(path.with_name(path.name + end), copy.with_name(copy.name + end))
        await claim_lines(ledger, 3)
        assert _says(await _opened(copy), COPIED_FILE)
    assert _says(await _opened(copy), COPIED_FILE)
    assert await _opened(path) == StateCounts(unknown=3)


async def test_a_ledger_moved_after_a_kill_is_the_ledger(killed: KilledLedger) -> None:
    """Renamed with what lies beside it, it is the same file; renamed alone, what was beside it is missed."""
    killed.restore()
    moved = killed.path.with_name("moved.sqlite")
    killed.path.rename(moved)
    assert _says(await _opened(moved), MISSING_SIDECAR, "moved.sqlite-commits")
    for file, end in ((killed.log, "-wal"), (killed.commits, "-commits")):
        file.rename(moved.with_name(f"moved.sqlite{end}"))
    assert await _opened(moved) == WHOLE
    moved.rename(killed.path)


async def test_reading_after_a_kill_merges_nothing(killed: KilledLedger) -> None:
    """Whoever reads what a kill left sees all of it, and leaves the log for the next run to check."""
    killed.restore()
    async with SqliteLedger.read(killed.path) as read:
        assert await read.counts() == StateCounts(accepted=ACCEPTED, sending=UNKNOWN)
        assert await read.get_document("run") == {"rate": 5}
    assert killed.log.read_bytes() == killed.log_bytes
    assert await _opened(killed.path) == WHOLE


async def test_what_the_run_is_known_by_is_in_the_main_file(killed: KilledLedger) -> None:
    """The documents of a run survive the loss of its log."""
    killed.restore()
    killed.log.unlink()
    async with SqliteLedger(killed.path, recover=True) as ledger:
        assert await ledger.get_document("run") == {"rate": 5}
