"""The end of a run: its status, what is said about the rest, and commands that a shell takes as they are printed."""

import shlex
from pathlib import Path

import attrs
import pytest

from routee_failover.bulk.progress import Phase, Progress
from routee_failover.cli.bulk.display.row_counts import (
    RowCounts,
    format_duration,
    format_number,
    format_percent,
    format_rate,
    with_final_totals,
)
from routee_failover.cli.bulk.summary import bulk_command, exit_code_for_run, print_lines, summary_lines
from routee_failover.cli.exit_codes import ExitCode
from routee_failover.ledger import StateCounts

from .progress_samples import RecordingTerminal


@pytest.mark.parametrize(
    ("tally", "status"),
    [
        (RowCounts(accepted=5, total=5), ExitCode.OK),
        (RowCounts(accepted=4, duplicates=1, total=5), ExitCode.OK),
        (RowCounts(total=0), ExitCode.OK),
        (RowCounts(accepted=4, rejected=1, total=5), ExitCode.REJECTED),
        (RowCounts(accepted=4, invalid=1, total=5), ExitCode.REJECTED),
        (RowCounts(accepted=4, expired=1, total=5), ExitCode.REJECTED),
        (RowCounts(accepted=3, unknown=1, rejected=1, total=5), ExitCode.UNKNOWN),
        (RowCounts(accepted=3, unknown=1, total=5), ExitCode.NOT_SENT),
        (RowCounts(accepted=3, in_flight=2, total=5), ExitCode.NOT_SENT),
        (RowCounts(accepted=5, new=1, total=5), ExitCode.NOT_SENT),
        (RowCounts(accepted=5, new=1), ExitCode.NOT_SENT),
        (RowCounts(accepted=7, total=5), ExitCode.OK),
        (RowCounts(accepted=5, total=5, incomplete=True), ExitCode.NOT_SENT),
    ],
)
def test_status(tally: RowCounts, status: ExitCode) -> None:
    """What can be sent yet comes before what cannot be known, and that before what was refused."""
    assert exit_code_for_run(tally) is status
    assert exit_code_for_run(tally, interrupted=True) is ExitCode.INTERRUPTED


def test_commands_are_quoted() -> None:
    """A ledger whose name has blanks and quotes can be pasted into a shell."""
    name = "my 'run'; rm -rf.sqlite"
    assert shlex.split(bulk_command("resume", name)) == ["routee-failover", "bulk", "resume", name]


def _said(tally: RowCounts, why: str | None = None) -> str:
    console = RecordingTerminal()
    print_lines(console, summary_lines(tally, "run.sqlite", Path("/data/run.invalid.csv"), elapsed=75, stop_reason=why))
    return console.text


def test_all_is_well() -> None:
    """When each was accepted, there is nothing to do but to look."""
    assert _said(RowCounts(accepted=1234, total=1234)) == (
        "\n All 1,234 are accepted, after 1:15 min of this run.\n"
        "   A page with pictures of it all:\n     routee-failover bulk report run.sqlite\n"
    )


def test_everything_that_can_be_left() -> None:
    """Each kind of row that is not accepted comes with the command or the file for it."""
    tally = RowCounts(accepted=1, rejected=2, unknown=3, expired=4, invalid=5, duplicates=6, total=28)
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
        "/data/run.invalid.csv",
    ):
        assert line in said


def test_without_a_total() -> None:
    """Where nobody knows how many rows there are, what is done is told."""
    assert "3 rows are dealt with" in _said(RowCounts(accepted=3))
    assert "Some not sent yet" in _said(RowCounts(accepted=3, in_flight=1))


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (RowCounts(accepted=3396, total=3001), "All 3,396 are accepted"),
        (RowCounts(accepted=3395, rejected=1, total=3001), "3,395 of 3,396 rows are accepted"),
        (RowCounts(accepted=57, total=29), "28 messages of the ledger are not in the source any more."),
        (RowCounts(accepted=30, total=29), "1 message of the ledger is not in the source any more."),
        (RowCounts(accepted=29, new=2, total=29), "2 not sent yet; this sends them"),
        (
            RowCounts(accepted=29, new=2, missing_from_source=2, total=29),
            "2 not sent, and not in the source; put their rows back",
        ),
        (RowCounts(accepted=29, total=29, incomplete=True), "Some may not be sent yet"),
    ],
)
def test_a_ledger_with_more_than_its_source(tally: RowCounts, words: str) -> None:
    """Where rows were taken out of the source or exchanged, no number is greater than the whole, and it is said."""
    said = _said(tally)
    assert words in said
    assert tally.all_rows is not None
    assert tally.done <= tally.all_rows
    assert (tally.done_share or 0) <= 1
    assert ("bulk resume" in said) == tally.has_remaining


PROGRESS = Progress(phase=Phase.DONE, counts=StateCounts(accepted=21, invalid=1), total=24, read=24, skipped=21)


def test_a_run_that_met_every_row() -> None:
    """Nothing of the source is left after it: the rows without a message of their own are duplicates."""
    ended = with_final_totals(PROGRESS, interrupted=False)
    tally = RowCounts.after_run(ended, interrupted=False, done_before=20)
    assert (tally.duplicates, tally.remaining, tally.has_remaining) == (2, 0, False)
    stranded = with_final_totals(attrs.evolve(PROGRESS, counts=StateCounts(accepted=24, new=2)), interrupted=False)
    tally = RowCounts.after_run(stranded, interrupted=False, done_before=0)
    assert (tally.duplicates, tally.remaining, tally.missing_from_source, tally.not_in_source) == (0, 2, 2, 2)


def test_a_run_that_did_not() -> None:
    """A run that was interrupted before it met all of an earlier one's rows may have left others."""
    for interrupted, pause in ((True, None), (False, "no balance")):
        progress = attrs.evolve(PROGRESS, counts=StateCounts(accepted=24), skipped=3, pause_reason=pause)
        ended = with_final_totals(progress, interrupted=interrupted)
        assert ended is progress
        assert RowCounts.after_run(ended, interrupted=interrupted, done_before=24).incomplete
        assert not RowCounts.after_run(ended, interrupted=interrupted, done_before=3).incomplete


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (125, "2:05 min"), (3600, "1:00:00 h"), (200_000, "2 days 7 h")],
)
def test_span(seconds: float, words: str) -> None:
    """Time is told in the units that people use for so much of it."""
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.0001, "under 0.1 %"), (0.025, "2.5 %"), (0.5, "50 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_percent(share: float, words: str) -> None:
    """It says 0 and 100 % of nothing and of all alone."""
    assert format_percent(share) == words


def test_numbers() -> None:
    """Thousands are told apart, and slow rates have a fraction."""
    assert (format_number(1_234_567), format_rate(1234.5), format_rate(0.5), format_rate(2)) == (
        "1,234,567",
        "1,234/s",
        "0.5/s",
        "2/s",
    )
