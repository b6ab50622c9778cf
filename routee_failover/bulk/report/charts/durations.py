"""How long answers took: a histogram over a scale on which each step is a factor, with the quantiles written in."""

import math
from collections.abc import Callable, Iterator

from ..axis_ticks import log_ticks
from ..formatting import NARROW_SPACE, format_duration, format_share
from ..markup import Markup
from ..model import DurationStats
from .svg import anchor_at, horizontal_line, rectangle, svg_chart, svg_text, vertical_line

_HEIGHT = 150
_ROW = 18


def durations_chart(durations: DurationStats, title: str) -> Markup:
    """The histogram, on a logarithmic scale."""
    width = math.log(durations.bucket_ratio) * len(durations.buckets)

    def place(value: float) -> float:
        return min(max(math.log(value / durations.histogram_start) / width, 0.0), 1.0)

    top = 2 * _ROW + 8
    base = top + _HEIGHT
    return svg_chart(
        "latency",
        title,
        f"{durations.total:,} responses. {_describe(durations)}. Each step of the scale is a factor.",
        base + 26,
        horizontal_line(base, "axis"),
        *_columns(durations, base),
        *_quantile_lines(durations, place, base),
        *_ticks(durations, place, base),
    )


def quantiles(durations: DurationStats) -> list[tuple[str, float]]:
    """The four that are shown, by name."""
    return [
        ("median", durations.p50),
        (f"90{NARROW_SPACE}%", durations.p90),
        (f"99{NARROW_SPACE}%", durations.p99),
        ("slowest", durations.maximum),
    ]


def _describe(durations: DurationStats) -> str:
    return ", ".join(f"{name} {format_duration(value)}" for name, value in quantiles(durations))


def _columns(durations: DurationStats, base: float) -> Iterator[Markup]:
    most = max(durations.buckets)
    wide = 1 / len(durations.buckets)
    for at, count in enumerate(durations.buckets):
        if count:
            low = durations.histogram_start * durations.bucket_ratio**at
            height = max(_HEIGHT * count / most, 1)
            tip = f"{format_duration(low)} to {format_duration(low * durations.bucket_ratio)}: {count:,}, {format_share(count, durations.total)}"
            yield rectangle(at * wide, base - height, wide * 0.86, height, "plain", tooltip=tip)


_MAX_LABEL_WIDTH = 0.36
"""The share of the width of a phone that a quantile-line's words take."""


def _quantile_lines(durations: DurationStats, place: Callable[[float], float], base: float) -> Iterator[Markup]:
    """The median and the 99 %, each on a line of its own, such that neither line runs through the other's words.

    A line begins at its words and ends at the axis, so that it runs through the rows below its own alone.
    """
    median, high = place(durations.p50), place(durations.p99)
    # Words stand beside their line, on the side where there is room.
    median_left, high_left = median > _MAX_LABEL_WIDTH, high > 1 - _MAX_LABEL_WIDTH
    rows = (2, 1) if median_left and high_left else (1, 2)
    for row, x, left, text in (
        (rows[0], median, median_left, f"median {format_duration(durations.p50)}"),
        (rows[1], high, high_left, f"99{NARROW_SPACE}% {format_duration(durations.p99)}"),
    ):
        yield vertical_line(x, _ROW * row - 10, base, "quantile-line")
        yield svg_text(
            text,
            x,
            _ROW * row,
            anchor="end" if left else "start",
            dx=-7 if left else 7,
            css_class="strong outlined",
        )


def _ticks(durations: DurationStats, place: Callable[[float], float], base: float) -> Iterator[Markup]:
    end = durations.histogram_start * durations.bucket_ratio ** len(durations.buckets)
    ticks = list(log_ticks(durations.histogram_start, end))
    few = sum(whole for _, whole in ticks) < 2
    for value, whole in ticks:
        x = place(value)
        yield vertical_line(x, base, base + (6 if whole else 4), "axis")
        kind = "muted" if whole or few else "muted wide-only"
        yield svg_text(format_duration(value), x, base + 20, anchor=anchor_at(x, 0.03), css_class=kind)
