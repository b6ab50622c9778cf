"""Summary of a run: results, and for each kind of row the command to continue with, ready to be copied."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..exit_codes import ExitCode
from ..terminal import Terminal, printable
from .display.row_counts import RowCounts, format_duration, format_number

StyledLine = tuple[str | tuple[str, str], ...]


def bulk_command(name: str, ledger: str, *more: str) -> str:
    """Return a bulk command for this ledger, quoted for a shell."""
    return shlex.join(["routee-failover", "bulk", name, ledger, *more])


def resume_command(counts: RowCounts, ledger: str) -> str:
    """Return the command that sends the remaining rows."""
    return bulk_command("resume", ledger, *(("--max-messages", "all") if counts.limit_reached else ()))


def exit_code_for_run(counts: RowCounts, *, interrupted: bool = False) -> ExitCode:
    """Return the exit code of a run: rows that can still be sent take precedence over unknown outcomes."""
    if interrupted:
        return ExitCode.INTERRUPTED
    if counts.has_remaining:
        return ExitCode.NOT_SENT
    if counts.unknown:
        return ExitCode.UNKNOWN
    return ExitCode.REJECTED if counts.rejected or counts.invalid or counts.expired else ExitCode.OK


def summary_lines(
    counts: RowCounts, ledger: str, invalid_rows: Path | None, *, elapsed: float, stop_reason: str | None = None
) -> list[StyledLine]:
    """Return the summary. `stop_reason` is why the run stopped before every row was sent."""
    rows = f" {format_number(counts.done)} rows done" if counts.total is None else _accepted_of_all(counts)
    head: StyledLine = ((f"{rows}; this run took {format_duration(elapsed)}.", "bold"),)
    reason: list[StyledLine] = (
        [((f" Stopped before every row was sent: {printable(stop_reason)}.", "yellow"),)] if stop_reason else []
    )
    return [head, *reason, *next_step_lines(counts, ledger, invalid_rows)]


def _accepted_of_all(counts: RowCounts) -> str:
    if counts.accepted == counts.all_rows:
        return f" All {format_number(counts.accepted)} rows accepted"
    return f" {format_number(counts.accepted)} of {format_number(counts.all_rows or 0)} rows accepted"


def next_step_lines(counts: RowCounts, ledger: str, invalid_rows: Path | None) -> Iterator[StyledLine]:
    """Yield, for each kind of row that is not accepted, where to look and the command to continue with."""
    if counts.not_in_source:
        are = "message in the ledger is" if counts.not_in_source == 1 else "messages in the ledger are"
        yield ("   ", (f"{format_number(counts.not_in_source)} ", "bold"), f"{are} no longer in the source.")
    if counts.suppressed:
        are = "is" if counts.suppressed == 1 else "are"
        yield (
            "   ",
            (f"{format_number(counts.suppressed)} ", "bold"),
            f"{are} on the suppression list and not sent.",
        )
    if counts.remaining and counts.remaining == counts.missing_from_source:
        its = "its row" if counts.remaining == 1 else "their rows"
        text = f"not sent, and no longer in the source. Put {its} back and resume (nothing is sent twice):"
        yield ("   ", (f"{format_number(counts.remaining)} ", "bold"), text)
        yield _command_line(bulk_command("resume", ledger))
    elif counts.remaining and counts.limit_reached:
        text = "not sent because of --max-messages. To send them all, or some with a larger number (none twice):"
        yield ("   ", (f"{format_number(counts.remaining)} ", "bold"), text)
        yield _command_line(resume_command(counts, ledger))
    elif counts.remaining or counts.in_flight:
        count = f"{format_number(counts.remaining)} " if counts.remaining else "Some "
        yield ("   ", (count, "bold"), "not sent yet. To send them (nothing is sent twice):")
        yield _command_line(bulk_command("resume", ledger))
    elif counts.incomplete:
        yield ("   ", ("Some ", "bold"), "may not be sent yet. To check and send them (nothing is sent twice):")
        yield _command_line(bulk_command("resume", ledger))
    if counts.unknown:
        yield (
            "   ",
            (f"{format_number(counts.unknown)} ", "bold magenta"),
            "unknown: Routee may have accepted them, so they are not sent again. To list them, or to ask Routee:",
        )
        yield _command_line(bulk_command("export", ledger, "--state", "UNKNOWN"))
        yield _command_line(bulk_command("reconcile", ledger))
    if counts.rejected or counts.expired:
        count = format_number(counts.rejected + counts.expired)
        text = "rejected by Routee" if not counts.expired else "rejected by Routee or expired"
        states = ["--state", "REJECTED"] * bool(counts.rejected) + ["--state", "EXPIRED"] * bool(counts.expired)
        yield ("   ", (f"{count} ", "bold red"), f"{text}. To list the reasons:")
        yield _command_line(bulk_command("export", ledger, *states))
    if counts.invalid and invalid_rows is not None:
        yield (
            "   ",
            (f"{format_number(counts.invalid)} ", "bold yellow"),
            "invalid and not sent. Line numbers and reasons are in:",
        )
        yield ("     ", printable(invalid_rows))
    if counts.key_conflicts:
        have = "has" if counts.key_conflicts == 1 else "have"
        text = f"of them {have} the key of a message to another recipient. Give each recipient its own key."
        yield ("   ", (f"{format_number(counts.key_conflicts)} ", "bold yellow"), text)
    yield ("   To write a report with charts:",)
    yield _command_line(bulk_command("report", ledger))


def _command_line(command: str) -> StyledLine:
    return ("     ", (printable(command), "cyan"))


def print_lines(console: Terminal, lines: Iterable[StyledLine]) -> None:
    """Print the lines after a blank one."""
    console.print_line()
    for line in lines:
        console.print_line(*line)
