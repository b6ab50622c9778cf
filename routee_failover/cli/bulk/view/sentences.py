"""A run where no screen is: one line every few seconds, and one for everything that changes its course."""

from ....bulk.progress import Phase, Progress, RowProblem
from ...terminal import clean
from .tally import Tally, number, per_second, percent, span


def progress_line(progress: Progress) -> str:
    """How far the run is, in one line that needs no line before it."""
    tally = Tally.of(progress)
    how_far = f"{number(tally.done)} rows"
    if tally.share is not None:
        how_far = f"{number(tally.done)} of {number(tally.whole or 0)} ({percent(tally.share)})"
    speed = [per_second(progress.rate)] if progress.phase is Phase.SENDING else []
    parts = [f"{progress.phase.value}: {how_far}", *speed, outcomes_in_words(tally)]
    if progress.seconds_left is not None and progress.phase is Phase.SENDING:
        parts.append(f"about {span(progress.seconds_left)} left")
    if progress.pause_reason:
        parts.append(clean(progress.pause_reason))
    return f"{span(progress.elapsed):>9}  {'; '.join(parts)}"


def outcomes_in_words(tally: Tally) -> str:
    """What became of the rows: accepted ones always, the others where there are any."""
    return ", ".join(
        f"{number(group.number)} {group.name.removesuffix('s') if group.number == 1 else group.name}"
        for group in tally.groups()
        if group.name == "accepted" or (group.number and group.name != "not sent yet")
    )


def trouble_line(trouble: RowProblem) -> str:
    """A row that went wrong."""
    who = f" {clean(trouble.recipient)}" if trouble.recipient else ""
    why = f": {clean(trouble.reason)}" if trouble.reason else ""
    return f"           line {trouble.line}{who} {trouble.outcome.lower()}{why}"
