"""The last words of a run: what became of the rows, where the rest is, and the commands for it, ready to be copied."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..exit_codes import ExitCode
from ..terminal import Terminal, printable
from .display.row_counts import RowCounts, format_duration, format_number

StyledLine = tuple[str | tuple[str, str], ...]


def bulk_command(name: str, ledger: str, *more: str) -> str:
    """A command about this ledger, quoted for a shell."""
    return shlex.join(["routee-failover", "bulk", name, ledger, *more])


def resume_command(counts: RowCounts, ledger: str) -> str:
    """The command that sends what is left."""
    return bulk_command("resume", ledger, *(("--max-messages", "all") if counts.limit_reached else ()))


def exit_code_for_run(counts: RowCounts, *, interrupted: bool = False) -> ExitCode:
    """How a script may go on: what can be sent yet comes before what cannot be known."""
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
    """The lines of the end. `why` says what ended the run before everything was sent."""
    rows = f" {format_number(counts.done)} rows are dealt with" if counts.total is None else _of_all(counts)
    head: StyledLine = ((f"{rows}, after {format_duration(elapsed)} of this run.", "bold"),)
    reason: list[StyledLine] = (
        [((f" It ended before all was sent: {printable(stop_reason)}.", "yellow"),)] if stop_reason else []
    )
    return [head, *reason, *next_step_lines(counts, ledger, invalid_rows)]


def _of_all(counts: RowCounts) -> str:
    if counts.accepted == counts.all_rows:
        return f" All {format_number(counts.accepted)} are accepted"
    return f" {format_number(counts.accepted)} of {format_number(counts.all_rows or 0)} rows are accepted"


def next_step_lines(counts: RowCounts, ledger: str, invalid_rows: Path | None) -> Iterator[StyledLine]:
    """For each kind of row that is not accepted: where to look, and what goes on."""
    if counts.not_in_source:
        are = "message of the ledger is" if counts.not_in_source == 1 else "messages of the ledger are"
        yield ("   ", (f"{format_number(counts.not_in_source)} ", "bold"), f"{are} not in the source any more.")
    if counts.suppressed:
        are = "is" if counts.suppressed == 1 else "are"
        yield (
            "   ",
            (f"{format_number(counts.suppressed)} ", "bold"),
            f"{are} on the suppression list, and not written to.",
        )
    if counts.remaining and counts.remaining == counts.missing_from_source:
        its = "its row" if counts.remaining == 1 else "their rows"
        words = f"not sent, and not in the source; put {its} back, and this sends what is not sent, and nothing twice:"
        yield ("   ", (f"{format_number(counts.remaining)} ", "bold"), words)
        yield _copy(bulk_command("resume", ledger))
    elif counts.remaining and counts.limit_reached:
        words = "not sent yet because of --max-messages; this sends them all, a larger number some, and nothing twice:"
        yield ("   ", (f"{format_number(counts.remaining)} ", "bold"), words)
        yield _copy(resume_command(counts, ledger))
    elif counts.remaining or counts.in_flight:
        many = f"{format_number(counts.remaining)} " if counts.remaining else "Some "
        yield ("   ", (many, "bold"), "not sent yet; this sends them, and nothing twice:")
        yield _copy(bulk_command("resume", ledger))
    elif counts.incomplete:
        yield ("   ", ("Some ", "bold"), "may not be sent yet; this finds out and sends them, and nothing twice:")
        yield _copy(bulk_command("resume", ledger))
    if counts.unknown:
        yield (
            "   ",
            (f"{format_number(counts.unknown)} ", "bold magenta"),
            "unknown: Routee may have taken them, so they are not sent again. List them, or ask again:",
        )
        yield _copy(bulk_command("export", ledger, "--state", "UNKNOWN"))
        yield _copy(bulk_command("reconcile", ledger))
    if counts.rejected or counts.expired:
        many = format_number(counts.rejected + counts.expired)
        words = "refused by Routee" if not counts.expired else "refused by Routee or expired"
        states = ["--state", "REJECTED"] * bool(counts.rejected) + ["--state", "EXPIRED"] * bool(counts.expired)
        yield ("   ", (f"{many} ", "bold red"), f"{words}; the reasons:")
        yield _copy(bulk_command("export", ledger, *states))
    if counts.invalid and invalid_rows is not None:
        yield (
            "   ",
            (f"{format_number(counts.invalid)} ", "bold yellow"),
            "could not be sent as they are; lines and reasons are in:",
        )
        yield ("     ", printable(invalid_rows))
    if counts.key_conflicts:
        have = "has" if counts.key_conflicts == 1 else "have"
        words = f"of them {have} the key of a message to another recipient; give each recipient a key of its own."
        yield ("   ", (f"{format_number(counts.key_conflicts)} ", "bold yellow"), words)
    yield ("   A page with pictures of it all:",)
    yield _copy(bulk_command("report", ledger))


def _copy(words: str) -> StyledLine:
    return ("     ", (printable(words), "cyan"))


def print_lines(console: Terminal, lines: Iterable[StyledLine]) -> None:
    """Print them, with room around."""
    console.print_line()
    for line in lines:
        console.print_line(*line)
