"""A run where no screen is: one line every few seconds, and one for everything that changes its course."""

from ....bulk.progress import Phase, Progress, RowProblem
from ...terminal import printable
from .row_counts import RowCounts, format_duration, format_number, format_percent, format_rate


def progress_line(progress: Progress) -> str:
    """How far the run is, in one line that needs no line before it."""
    tally = RowCounts.from_progress(progress)
    how_far = f"{format_number(tally.done)} rows"
    if tally.done_share is not None:
        how_far = (
            f"{format_number(tally.done)} of {format_number(tally.all_rows or 0)} ({format_percent(tally.done_share)})"
        )
    speed = [format_rate(progress.rate)] if progress.phase is Phase.SENDING else []
    parts = [f"{progress.phase.value}: {how_far}", *speed, format_outcomes(tally)]
    if progress.seconds_left is not None and progress.phase is Phase.SENDING:
        parts.append(f"about {format_duration(progress.seconds_left)} left")
    if progress.pause_reason:
        parts.append(printable(progress.pause_reason))
    return f"{format_duration(progress.elapsed):>9}  {'; '.join(parts)}"


def format_outcomes(counts: RowCounts) -> str:
    """What became of the rows: accepted ones always, the others where there are any."""
    return ", ".join(
        f"{format_number(group.number)} {group.name.removesuffix('s') if group.number == 1 else group.name}"
        for group in counts.groups()
        if group.name == "accepted" or (group.number and group.name != "not sent yet")
    )


def row_problem_line(problem: RowProblem) -> str:
    """A row that went wrong."""
    who = f" {printable(problem.recipient)}" if problem.recipient else ""
    why = f": {printable(problem.reason)}" if problem.reason else ""
    return f"           line {problem.line}{who} {problem.outcome.lower()}{why}"
