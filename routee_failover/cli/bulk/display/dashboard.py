"""Dashboard of a run: progress, speed, rows by outcome and recent problems."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from ....bulk.progress import Phase, Progress, RowProblem
from ...terminal import UNICODE, Glyphs, printable
from .row_counts import RowCounts, RowGroup, format_duration, format_number, format_percent, format_rate

MAX_WIDTH = 100
"""Columns. On a wider dashboard, a label and its number would be far apart."""
_TWO_COLUMN_WIDTH = 62
_NAME_WIDTH = 14
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
    """Render the dashboard to fit the terminal: a small one gets the more important sections only, never wrapped."""
    width = min(width, MAX_WIDTH)
    counts = RowCounts.from_progress(progress)
    blank = [Text()]
    sections = [
        # The number is the rank: where there is little space, sections of a high rank are left out first.
        (2, [_line((f" {printable(title)}", "bold")), *blank]),
        (0, [_progress_line(progress, counts, width, glyphs)]),
        (1, [*_pause_lines(progress, width), _speed_line(progress)]),
        (3, [*blank, *_group_lines(counts.groups(), width, glyphs, max_number=counts.all_rows or 0)]),
        (6, [*_failover_lines(progress)]),
        (5, [*blank, *_problem_lines(progress.problems, glyphs)] if progress.problems else []),
        (4, [*blank, _line((f" {hint}", "dim"))] if hint else []),
    ]
    remaining_height, kept = max(height - 1, 1), set[int]()
    for rank, lines in sorted(sections, key=lambda section: section[0]):
        if len(lines) > remaining_height:
            break
        remaining_height -= len(lines)
        kept.add(rank)
    return Stack(*(_cut(line, width) for rank, lines in sections if rank in kept for line in lines))


def render_final_dashboard(progress: Progress, *, width: int, glyphs: Glyphs) -> RenderableType:
    """Render what stays on the screen at the end: progress and rows by outcome."""
    width = min(width, MAX_WIDTH)
    counts = RowCounts.from_progress(progress)
    groups = [group for group in counts.groups() if group.number or group.name == "accepted"]
    lines = [_progress_line(progress, counts, width, glyphs), Text(), *_group_lines(groups, width, glyphs)]
    return Stack(*(_cut(line, width) for line in lines))


def render_status(counts: RowCounts, *, width: int, glyphs: Glyphs) -> RenderableType:
    """Render the state of a run from its ledger."""
    width = min(width, MAX_WIDTH)
    groups = [group for group in counts.groups() if group.number or group.name == "accepted"]
    lines = [*_group_lines(groups, width, glyphs)]
    if counts.done_share is not None:
        tail = (
            f"{format_number(counts.done)} of {format_number(counts.all_rows or 0)}  "
            f"{format_percent(counts.done_share):>5}"
        )
        bar_width = max(width - len(tail) - 6, 1)
        lines = [Text.assemble("   ", progress_bar(counts, bar_width, glyphs), f"  {tail}"), Text(), *lines]
    return Stack(*(_cut(line, width) for line in lines))


def _line(*parts: str | tuple[str, str]) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="crop")


def _cut(line: Text, width: int) -> Text:
    line.truncate(width)
    return line


def _progress_line(progress: Progress, counts: RowCounts, width: int, glyphs: Glyphs) -> Text:
    phase, style = _PHASES[progress.phase]
    spinning = progress.phase not in {Phase.DONE, Phase.PAUSED}
    symbol = glyphs.spinner[int(progress.elapsed * 5) % len(glyphs.spinner)] if spinning else glyphs.in_progress
    if progress.phase is Phase.DONE:
        symbol, phase = (glyphs.done, phase) if not counts.remaining else (glyphs.waiting, "stopped")
    head = f" {symbol} {phase}"
    if counts.done_share is None:
        return _line((head, style), f"  {format_number(counts.done)} rows")
    tail = (
        f"{format_number(counts.done)} of {format_number(counts.all_rows or 0)}  {format_percent(counts.done_share):>5}"
    )
    bar_width = width - len(head) - len(tail) - 5
    if bar_width < 8:
        return _line((head, style), f"  {tail}")
    return Text.assemble(
        (f"{head}  ", style), progress_bar(counts, bar_width, glyphs), f"  {tail}", no_wrap=True, overflow="crop"
    )


def progress_bar(counts: RowCounts, width: int, glyphs: Glyphs) -> Text:
    """Render the rows that are done, coloured by outcome; an outcome with any row has at least one cell."""
    full, empty = ("█", "░") if glyphs is UNICODE else ("#", ".")
    bar, used = Text(), 0
    parts = [(group.number, group.style) for group in counts.groups()[: -3 if counts.remaining is not None else None]]
    for number, style in parts:
        cells = 0 if not counts.all_rows else round(number / counts.all_rows * width)
        cells = min(max(cells, 1 if number else 0), width - used)
        bar.append(full * cells, style=style)
        used += cells
    if counts.remaining and used == width:
        bar.right_crop(1)
        used -= 1
    return bar.append(empty * (width - used), style="dim")


def _speed_line(progress: Progress) -> Text:
    # While nothing is being sent, the past rate says nothing about the speed.
    sending = progress.phase in {Phase.SENDING, Phase.STARTING}
    parts = [f"{format_rate(progress.rate)} now"] if sending else []
    if progress.rate_limit is not None:
        parts.append(f"limit {format_rate(progress.rate_limit)}")
    parts.append(f"{format_duration(progress.elapsed)} elapsed")
    if progress.seconds_left is not None and sending:
        parts.append(f"about {format_duration(progress.seconds_left)} left")
    return _line((f"   {', '.join(parts)}", "dim"))


def _pause_lines(progress: Progress, width: int) -> Iterator[Text]:
    """Yield the reason of a pause, wrapped: unlike the rest it must be readable in full."""
    for line in textwrap.wrap(printable(progress.pause_reason or ""), width - 3):
        yield _line((f"   {line}", "yellow"))


def _group_lines(groups: Sequence[RowGroup], width: int, glyphs: Glyphs, *, max_number: int = 0) -> Iterator[Text]:
    """Yield the groups in one column, or in two where they fit, filled downwards. `max_number` is the widest number."""
    digits = max(len(format_number(number)) for number in (max_number, *(group.number for group in groups)))
    cells = [_cell(group, digits, glyphs) for group in groups]
    if width < _TWO_COLUMN_WIDTH:
        yield from cells
        return
    half = -(-len(cells) // 2)
    for index in range(half):
        line = cells[index]
        if index + half < len(cells):
            line = line.append(" " * 6).append_text(cells[index + half])
        yield line


def _cell(group: RowGroup, digits: int, glyphs: Glyphs) -> Text:
    symbols = {
        "accepted": glyphs.done,
        "rejected": glyphs.rejected,
        "unknown": "?",
        "invalid": glyphs.failed,
        "expired": glyphs.failed,
        "in flight": glyphs.in_progress,
    }
    style = group.style if group.number else "dim"
    symbol = symbols.get(group.name, glyphs.waiting)
    return _line(f"   {symbol} ", f"{group.name:<{_NAME_WIDTH}}", (f"{format_number(group.number):>{digits}}", style))


def _failover_lines(progress: Progress) -> Iterable[Text]:
    if progress.failover_share is not None:
        yield _line(
            (f"   {format_percent(progress.failover_share)} of messages with a delivery report failed over", "dim")
        )


def _problem_lines(problems: Sequence[RowProblem], glyphs: Glyphs) -> Iterator[Text]:
    yield _line(" Recent problems")
    for problem in problems:
        yield _line("   ", *row_problem_parts(problem, glyphs))


def row_problem_parts(problem: RowProblem, glyphs: Glyphs) -> list[str | tuple[str, str]]:
    """Return a row that was not accepted as the parts of one line."""
    return [
        (f"line {problem.line}", "dim"),
        f"  {printable(problem.recipient)}  " if problem.recipient else "  ",
        (problem.outcome.lower(), "yellow"),
        f" {glyphs.dash} {printable(problem.reason)}" if problem.reason else "",
    ]
