"""Plain lines of a run, for pipes and log files: progress every few seconds, and every change of phase."""

from ....bulk.progress import Phase, Progress, RowProblem
from ...terminal import printable
from .row_counts import RowCounts, format_duration, format_number, format_percent, format_rate


def progress_line(progress: Progress) -> str:
    """Return the progress as one self-contained line."""
    counts = RowCounts.from_progress(progress)
    done = f"{format_number(counts.done)} rows"
    if counts.done_share is not None:
        done = (
            f"{format_number(counts.done)} of {format_number(counts.all_rows or 0)} "
            f"({format_percent(counts.done_share)})"
        )
    speed = [format_rate(progress.rate)] if progress.phase is Phase.SENDING else []
    parts = [f"{progress.phase.value}: {done}", *speed, format_outcomes(counts)]
    if progress.seconds_left is not None and progress.phase is Phase.SENDING:
        parts.append(f"about {format_duration(progress.seconds_left)} left")
    if progress.pause_reason:
        parts.append(printable(progress.pause_reason))
    return f"{format_duration(progress.elapsed):>9}  {'; '.join(parts)}"


def format_outcomes(counts: RowCounts) -> str:
    """Return the rows by outcome: accepted always, the others if there are any."""
    return ", ".join(
        f"{format_number(group.number)} {group.name.removesuffix('s') if group.number == 1 else group.name}"
        for group in counts.groups()
        if group.name == "accepted" or (group.number and group.name != "not sent")
    )


def row_problem_line(problem: RowProblem) -> str:
    """Return a row that was not accepted as one line."""
    recipient = f" {printable(problem.recipient)}" if problem.recipient else ""
    reason = f": {printable(problem.reason)}" if problem.reason else ""
    return f"           line {problem.line}{recipient} {problem.outcome.lower()}{reason}"
