"""Summary of a run: exit code, texts, and commands that a shell accepts as printed."""

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
    ("counts", "exit_code"),
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
def test_exit_code_of_a_run(counts: RowCounts, exit_code: ExitCode) -> None:
    """Unsent rows take precedence over unknown outcomes, and those over rejected rows."""
    assert exit_code_for_run(counts) is exit_code
    assert exit_code_for_run(counts, interrupted=True) is ExitCode.INTERRUPTED


def test_bulk_command_is_quoted_for_a_shell() -> None:
    """A ledger whose name has blanks and quotes is quoted for a shell."""
    name = "my 'run'; rm -rf.sqlite"
    assert shlex.split(bulk_command("resume", name)) == ["routee-failover", "bulk", "resume", name]


def _printed(counts: RowCounts, stop_reason: str | None = None) -> str:
    console = RecordingTerminal()
    print_lines(
        console,
        summary_lines(counts, "run.sqlite", Path("/data/run.invalid.csv"), elapsed=75, stop_reason=stop_reason),
    )
    return console.text


def test_summary_of_a_complete_run_has_only_the_report_command() -> None:
    """If every row was accepted, the summary has the report command alone."""
    assert _printed(RowCounts(accepted=1234, total=1234)) == (
        "\n All 1,234 rows accepted; this run took 1:15 min.\n"
        "   To write a report with charts:\n     routee-failover bulk report run.sqlite\n"
    )


def test_summary_has_a_command_for_each_kind_of_row() -> None:
    """Each kind of row that is not accepted has its command or file."""
    counts = RowCounts(accepted=1, rejected=2, unknown=3, expired=4, invalid=5, duplicates=6, total=28)
    output = _printed(counts, stop_reason="the account cannot pay")
    assert "1 of 28 rows accepted" in output
    assert "Stopped before every row was sent: the account cannot pay." in output
    for line in (
        "7 not sent yet",
        "routee-failover bulk resume run.sqlite",
        "3 unknown",
        "routee-failover bulk export run.sqlite --state UNKNOWN",
        "routee-failover bulk reconcile run.sqlite",
        "6 rejected by Routee or expired",
        "routee-failover bulk export run.sqlite --state REJECTED --state EXPIRED",
        "5 invalid and not sent",
        "/data/run.invalid.csv",
    ):
        assert line in output


def test_summary_without_a_total_has_the_rows_done() -> None:
    """Without a total the summary has the rows that are done."""
    assert "3 rows done" in _printed(RowCounts(accepted=3))
    assert "Some not sent yet" in _printed(RowCounts(accepted=3, in_flight=1))


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (RowCounts(accepted=3396, total=3001), "All 3,396 rows accepted"),
        (RowCounts(accepted=3395, rejected=1, total=3001), "3,395 of 3,396 rows accepted"),
        (RowCounts(accepted=57, total=29), "28 messages in the ledger are no longer in the source."),
        (RowCounts(accepted=30, total=29), "1 message in the ledger is no longer in the source."),
        (RowCounts(accepted=29, new=2, total=29), "2 not sent yet. To send them"),
        (
            RowCounts(accepted=29, new=2, missing_from_source=2, total=29),
            "2 not sent, and no longer in the source. Put their rows back",
        ),
        (RowCounts(accepted=29, total=29, incomplete=True), "Some may not be sent yet"),
    ],
)
def test_no_count_exceeds_the_total_after_rows_were_removed(counts: RowCounts, text: str) -> None:
    """If rows were removed or replaced, no count exceeds the total, and the summary says so."""
    output = _printed(counts)
    assert text in output
    assert counts.all_rows is not None
    assert counts.done <= counts.all_rows
    assert (counts.done_share or 0) <= 1
    assert ("bulk resume" in output) == counts.has_remaining


PROGRESS = Progress(phase=Phase.DONE, counts=StateCounts(accepted=21, invalid=1), total=24, read=24, skipped=21)


def test_complete_run_has_no_remaining_rows() -> None:
    """After a run that read every row none remains: rows without an entry of their own are duplicates."""
    final = with_final_totals(PROGRESS, interrupted=False)
    counts = RowCounts.after_run(final, interrupted=False, done_before=20)
    assert (counts.duplicates, counts.remaining, counts.has_remaining) == (2, 0, False)
    with_missing_rows = with_final_totals(
        attrs.evolve(PROGRESS, counts=StateCounts(accepted=24, new=2)), interrupted=False
    )
    counts = RowCounts.after_run(with_missing_rows, interrupted=False, done_before=0)
    assert (counts.duplicates, counts.remaining, counts.missing_from_source, counts.not_in_source) == (0, 2, 2, 2)


def test_run_that_stopped_early_is_incomplete() -> None:
    """A run that stopped before it had read all rows of an earlier one may have left some."""
    for interrupted, pause in ((True, None), (False, "no balance")):
        progress = attrs.evolve(PROGRESS, counts=StateCounts(accepted=24), skipped=3, pause_reason=pause)
        final = with_final_totals(progress, interrupted=interrupted)
        assert final is progress
        assert RowCounts.after_run(final, interrupted=interrupted, done_before=24).incomplete
        assert not RowCounts.after_run(final, interrupted=interrupted, done_before=3).incomplete


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (125, "2:05 min"), (3600, "1:00:00 h"), (200_000, "2 days 7 h")],
)
def test_format_duration_chooses_the_unit(seconds: float, text: str) -> None:
    """The unit of a duration depends on its length."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0001, "under 0.1 %"), (0.025, "2.5 %"), (0.5, "50 %"), (0.9999, "99 %"), (1, "100 %")],
)
def test_format_percent_is_0_or_100_only_exactly(share: float, text: str) -> None:
    """0 % and 100 % mean exactly none and all."""
    assert format_percent(share) == text


def test_numbers_have_separators_and_slow_rates_a_fraction() -> None:
    """Thousands are separated, and slow rates have a fraction."""
    assert (format_number(1_234_567), format_rate(1234.5), format_rate(0.5), format_rate(2)) == (
        "1,234,567",
        "1,234/s",
        "0.5/s",
        "2/s",
    )
