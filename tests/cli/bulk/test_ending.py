"""The end of a run: its status, what is said about the rest, and commands that a shell takes as they are printed."""

import shlex
from pathlib import Path

import attrs
import pytest

from routee_failover.bulk.progress import Phase, Progress
from routee_failover.cli.bulk.ending import command, show, status_of_run, summary
from routee_failover.cli.bulk.view.tally import Tally, completed, number, per_second, percent, span
from routee_failover.cli.status import Status
from routee_failover.ledger import StateCounts

from .shown import Recorder


@pytest.mark.parametrize(
    ("tally", "status"),
    [
        (Tally(accepted=5, total=5), Status.FINE),
        (Tally(accepted=4, duplicates=1, total=5), Status.FINE),
        (Tally(total=0), Status.FINE),
        (Tally(accepted=4, rejected=1, total=5), Status.REFUSED),
        (Tally(accepted=4, invalid=1, total=5), Status.REFUSED),
        (Tally(accepted=4, expired=1, total=5), Status.REFUSED),
        (Tally(accepted=3, unknown=1, rejected=1, total=5), Status.UNKNOWN),
        (Tally(accepted=3, unknown=1, total=5), Status.NOT_SENT),
        (Tally(accepted=3, under_way=2, total=5), Status.NOT_SENT),
        (Tally(accepted=5, new=1, total=5), Status.NOT_SENT),
        (Tally(accepted=5, new=1), Status.NOT_SENT),
        (Tally(accepted=7, total=5), Status.FINE),
        (Tally(accepted=5, total=5, cut_short=True), Status.NOT_SENT),
    ],
)
def test_status(tally: Tally, status: Status) -> None:
    """What can be sent yet comes before what cannot be known, and that before what was refused."""
    assert status_of_run(tally) is status
    assert status_of_run(tally, interrupted=True) is Status.INTERRUPTED


def test_commands_are_quoted() -> None:
    """A ledger whose name has blanks and quotes can be pasted into a shell."""
    name = "my 'run'; rm -rf.sqlite"
    assert shlex.split(command("resume", name)) == ["routee-failover", "bulk", "resume", name]


def _said(tally: Tally, why: str | None = None) -> str:
    console = Recorder()
    show(console, summary(tally, "run.sqlite", Path("/data/run.refused.csv"), elapsed=75, why=why))
    return console.text


def test_all_is_well() -> None:
    """When each was accepted, there is nothing to do but to look."""
    assert _said(Tally(accepted=1234, total=1234)) == (
        "\n All 1,234 are accepted, after 1:15 min of this run.\n"
        "   A page with pictures of it all:\n     routee-failover bulk report run.sqlite\n"
    )


def test_everything_that_can_be_left() -> None:
    """Each kind of row that is not accepted comes with the command or the file for it."""
    tally = Tally(accepted=1, rejected=2, unknown=3, expired=4, invalid=5, duplicates=6, total=28)
    said = _said(tally, why="the account cannot pay")
    assert "1 of 28 rows are accepted" in said
    assert "It ended before all was sent: the account cannot pay." in said
    for line in (
        "7 not sent yet",
        "routee-failover bulk resume run.sqlite",
        "3 unknown",
        "routee-failover bulk export run.sqlite --state UNKNOWN",
        "routee-failover bulk reconcile run.sqlite",
        "6 refused by Routee or expired",
        "routee-failover bulk export run.sqlite --state REJECTED --state EXPIRED",
        "5 could not be sent",
        "/data/run.refused.csv",
    ):
        assert line in said


def test_without_a_total() -> None:
    """Where nobody knows how many rows there are, what is done is told."""
    assert "3 rows are dealt with" in _said(Tally(accepted=3))
    assert "Some not sent yet" in _said(Tally(accepted=3, under_way=1))


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(accepted=3396, total=3001), "All 3,396 are accepted"),
        (Tally(accepted=3395, rejected=1, total=3001), "3,395 of 3,396 rows are accepted"),
        (Tally(accepted=57, total=29), "28 messages of the ledger are not in the source any more."),
        (Tally(accepted=30, total=29), "1 message of the ledger is not in the source any more."),
        (Tally(accepted=29, new=2, total=29), "2 not sent yet; this sends them"),
        (Tally(accepted=29, new=2, stranded=2, total=29), "2 not sent, and not in the source; put their rows back"),
        (Tally(accepted=29, total=29, cut_short=True), "Some may not be sent yet"),
    ],
)
def test_a_ledger_with_more_than_its_source(tally: Tally, words: str) -> None:
    """Where rows were taken out of the source or exchanged, no number is greater than the whole, and it is said."""
    said = _said(tally)
    assert words in said
    assert tally.whole is not None
    assert tally.done <= tally.whole
    assert (tally.share or 0) <= 1
    assert ("bulk resume" in said) == tally.open


PROGRESS = Progress(phase=Phase.DONE, counts=StateCounts(accepted=21, invalid=1), total=24, read=24, skipped=21)


def test_a_run_that_met_every_row() -> None:
    """Nothing of the source is left after it: the rows without a message of their own are duplicates."""
    ended = completed(PROGRESS, interrupted=False)
    tally = Tally.at_the_end(ended, interrupted=False, settled_before=20)
    assert (tally.duplicates, tally.left, tally.open) == (2, 0, False)
    stranded = completed(attrs.evolve(PROGRESS, counts=StateCounts(accepted=24, new=2)), interrupted=False)
    tally = Tally.at_the_end(stranded, interrupted=False, settled_before=0)
    assert (tally.duplicates, tally.left, tally.stranded, tally.gone) == (0, 2, 2, 2)


def test_a_run_that_did_not() -> None:
    """A run that was interrupted before it met all of an earlier one's rows may have left others."""
    for interrupted, pause in ((True, None), (False, "no balance")):
        progress = attrs.evolve(PROGRESS, counts=StateCounts(accepted=24), skipped=3, pause=pause)
        ended = completed(progress, interrupted=interrupted)
        assert ended is progress
        assert Tally.at_the_end(ended, interrupted=interrupted, settled_before=24).cut_short
        assert not Tally.at_the_end(ended, interrupted=interrupted, settled_before=3).cut_short


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (125, "2:05 min"), (3600, "1:00:00 h"), (200_000, "2 days 7 h")],
)
def test_span(seconds: float, words: str) -> None:
    """Time is told in the units that people use for so much of it."""
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.0001, "under 0.1 %"), (0.025, "2.5 %"), (0.5, "50 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_percent(share: float, words: str) -> None:
    """It says 0 and 100 % of nothing and of all alone."""
    assert percent(share) == words


def test_numbers() -> None:
    """Thousands are told apart, and slow rates have a fraction."""
    assert (number(1_234_567), per_second(1234.5), per_second(0.5), per_second(2)) == (
        "1,234,567",
        "1,234/s",
        "0.5/s",
        "2/s",
    )
