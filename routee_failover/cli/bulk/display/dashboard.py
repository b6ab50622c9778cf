"""A run on a screen: how far it is, how fast, what became of its rows, and what went wrong last."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from ....bulk.progress import Phase, Progress, RowProblem
from ...terminal import UNICODE, Glyphs, printable
from .row_counts import RowCounts, RowGroup, format_duration, format_number, format_percent, format_rate

MAX_WIDTH = 100
"""Columns. Beyond them, what belongs together would stand far apart."""
_TWO_COLUMNS = 62
_NAME = 14
_PHASES = {
    Phase.STARTING: ("starting", "cyan"),
    Phase.SENDING: ("sending", "cyan"),
    Phase.PAUSED: ("paused", "bold yellow"),
    Phase.RECONCILING: ("reconciling", "magenta"),
    Phase.STOPPING: ("stopping", "bold yellow"),
    Phase.DONE: ("done", "bold green"),
}


def render_dashboard(
    progress: Progress, *, title: str, hint: str, width: int, height: int, glyphs: Glyphs
) -> RenderableType:
    """The board as it fits: on a small screen what matters less is left out, and nothing is ever wrapped."""
    width = min(width, MAX_WIDTH)
    tally = RowCounts.from_progress(progress)
    blank = [Text()]
    sections = [
        # Which of them stay where there is little room; the first is the last to go.
        (2, [_line((f" {printable(title)}", "bold")), *blank]),
        (0, [_how_far(progress, tally, width, glyphs)]),
        (1, [*_pause(progress, width), _how_fast(progress)]),
        (3, [*blank, *_outcomes(tally.groups(), width, glyphs, widest=tally.all_rows or 0)]),
        (6, [*_failover(progress)]),
        (5, [*blank, *_problems(progress.problems, glyphs)] if progress.problems else []),
        (4, [*blank, _line((f" {hint}", "dim"))] if hint else []),
    ]
    room, kept = max(height - 1, 1), set[int]()
    for rank, lines in sorted(sections, key=lambda section: section[0]):
        if len(lines) > room:
            break
        room -= len(lines)
        kept.add(rank)
    return Stack(*(_cut(line, width) for rank, lines in sections if rank in kept for line in lines))


def render_final_dashboard(progress: Progress, *, width: int, glyphs: Glyphs) -> RenderableType:
    """What stays on the screen in the end: how far it came, and what became of the rows."""
    width = min(width, MAX_WIDTH)
    tally = RowCounts.from_progress(progress)
    groups = [group for group in tally.groups() if group.number or group.name == "accepted"]
    lines = [_how_far(progress, tally, width, glyphs), Text(), *_outcomes(groups, width, glyphs)]
    return Stack(*(_cut(line, width) for line in lines))


def render_status(counts: RowCounts, *, width: int, glyphs: Glyphs) -> RenderableType:
    """A run as its ledger has it."""
    width = min(width, MAX_WIDTH)
    groups = [group for group in counts.groups() if group.number or group.name == "accepted"]
    lines = [*_outcomes(groups, width, glyphs)]
    if counts.done_share is not None:
        tail = f"{format_number(counts.done)} of {format_number(counts.all_rows or 0)}  {format_percent(counts.done_share):>5}"
        room = max(width - len(tail) - 6, 1)
        lines = [Text.assemble("   ", progress_bar(counts, room, glyphs), f"  {tail}"), Text(), *lines]
    return Stack(*(_cut(line, width) for line in lines))


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="crop")


def _cut(line: Text, width: int) -> Text:
    line.truncate(width)
    return line


def _how_far(progress: Progress, counts: RowCounts, width: int, glyphs: Glyphs) -> Text:
    words, style = _PHASES[progress.phase]
    turning = progress.phase not in {Phase.DONE, Phase.PAUSED}
    sign = glyphs.spinner[int(progress.elapsed * 5) % len(glyphs.spinner)] if turning else glyphs.in_progress
    if progress.phase is Phase.DONE:
        sign, words = (glyphs.done, words) if not counts.remaining else (glyphs.waiting, "ended")
    head = f" {sign} {words}"
    if counts.done_share is None:
        return _line((head, style), f"  {format_number(counts.done)} rows")
    tail = (
        f"{format_number(counts.done)} of {format_number(counts.all_rows or 0)}  {format_percent(counts.done_share):>5}"
    )
    room = width - len(head) - len(tail) - 5
    if room < 8:
        return _line((head, style), f"  {tail}")
    return Text.assemble(
        (f"{head}  ", style), progress_bar(counts, room, glyphs), f"  {tail}", no_wrap=True, overflow="crop"
    )


def progress_bar(counts: RowCounts, width: int, glyphs: Glyphs) -> Text:
    """What is done, in the colours of what became of it; what there is any of has a cell at least."""
    full, empty = ("█", "░") if glyphs is UNICODE else ("#", ".")
    drawn, used = Text(), 0
    parts = [(group.number, group.style) for group in counts.groups()[: -3 if counts.remaining is not None else None]]
    for many, style in parts:
        cells = 0 if not counts.all_rows else round(many / counts.all_rows * width)
        cells = min(max(cells, 1 if many else 0), width - used)
        drawn.append(full * cells, style=style)
        used += cells
    if counts.remaining and used == width:
        drawn.right_crop(1)
        used -= 1
    return drawn.append(empty * (width - used), style="dim")


def _how_fast(progress: Progress) -> Text:
    # Where nothing is begun, what was begun before says nothing of how fast it is.
    begins = progress.phase in {Phase.SENDING, Phase.STARTING}
    parts = [f"{format_rate(progress.rate)} now"] if begins else []
    if progress.rate_limit is not None:
        parts.append(f"{format_rate(progress.rate_limit)} allowed")
    parts.append(f"{format_duration(progress.elapsed)} gone")
    if progress.seconds_left is not None and begins:
        parts.append(f"about {format_duration(progress.seconds_left)} left")
    return _line((f"   {', '.join(parts)}", "dim"))


def _pause(progress: Progress, width: int) -> Iterator[Text]:
    """Why it pauses is the one thing that has to be read whole."""
    for line in textwrap.wrap(printable(progress.pause_reason or ""), width - 3):
        yield _line((f"   {line}", "yellow"))


def _outcomes(groups: Sequence[RowGroup], width: int, glyphs: Glyphs, *, widest: int = 0) -> Iterator[Text]:
    """One column where there is no room for two, which are read downwards. `widest` is the number to have room for."""
    digits = max(len(format_number(many)) for many in (widest, *(group.number for group in groups)))
    cells = [_cell(group, digits, glyphs) for group in groups]
    if width < _TWO_COLUMNS:
        yield from cells
        return
    half = -(-len(cells) // 2)
    for place in range(half):
        line = cells[place]
        if place + half < len(cells):
            line = line.append(" " * 6).append_text(cells[place + half])
        yield line


def _cell(group: RowGroup, widest: int, glyphs: Glyphs) -> Text:
    signs = {
        "accepted": glyphs.done,
        "rejected": glyphs.rejected,
        "unknown": "?",
        "invalid": glyphs.failed,
        "expired": glyphs.failed,
        "under way": glyphs.in_progress,
    }
    style = group.style if group.number else "dim"
    sign = signs.get(group.name, glyphs.waiting)
    return _line(f"   {sign} ", f"{group.name:<{_NAME}}", (f"{format_number(group.number):>{widest}}", style))


def _failover(progress: Progress) -> Iterable[Text]:
    if progress.failover_share is not None:
        yield _line(
            (f"   {format_percent(progress.failover_share)} of those that have ended needed another channel", "dim")
        )


def _problems(problems: Sequence[RowProblem], glyphs: Glyphs) -> Iterator[Text]:
    yield _line(" The last that went wrong")
    for problem in problems:
        yield _line("   ", *row_problem_parts(problem, glyphs))


def row_problem_parts(problem: RowProblem, glyphs: Glyphs) -> list[str | tuple[str, str]]:
    """A row that went wrong, in parts of one line."""
    return [
        (f"line {problem.line}", "dim"),
        f"  {printable(problem.recipient)}  " if problem.recipient else "  ",
        (problem.outcome.lower(), "yellow"),
        f" {glyphs.dash} {printable(problem.reason)}" if problem.reason else "",
    ]
