"""Chart of durations: a histogram on a logarithmic scale, with labelled quantiles."""

import math
from collections.abc import Callable, Iterator

from ..axis_ticks import log_ticks
from ..formatting import NARROW_SPACE, format_duration, format_share
from ..markup import Markup
from ..model import DurationStats
from .svg import anchor_at, horizontal_line, rectangle, svg_chart, svg_text, vertical_line

_HEIGHT = 150
_ROW_HEIGHT = 18


def response_times_chart(durations: DurationStats, title: str) -> Markup:
    """Return the histogram, on a logarithmic scale."""
    log_range = math.log(durations.bucket_ratio) * len(durations.buckets)

    def position(value: float) -> float:
        return min(max(math.log(value / durations.histogram_start) / log_range, 0.0), 1.0)

    top = 2 * _ROW_HEIGHT + 8
    base = top + _HEIGHT
    return svg_chart(
        "latency",
        title,
        f"{durations.total:,} responses. {_describe(durations)}. The scale is logarithmic.",
        base + 26,
        horizontal_line(base, "axis"),
        *_columns(durations, base),
        *_quantile_lines(durations, position, base),
        *_ticks(durations, position, base),
    )


def quantiles(durations: DurationStats) -> list[tuple[str, float]]:
    """Return name and value of the quantiles that are shown."""
    return [
        ("median", durations.p50),
        (f"90{NARROW_SPACE}%", durations.p90),
        (f"99{NARROW_SPACE}%", durations.p99),
        ("slowest", durations.maximum),
    ]


def _describe(durations: DurationStats) -> str:
    return ", ".join(f"{name} {format_duration(value)}" for name, value in quantiles(durations))


def _columns(durations: DurationStats, base: float) -> Iterator[Markup]:
    highest = max(durations.buckets)
    width = 1 / len(durations.buckets)
    for index, count in enumerate(durations.buckets):
        if count:
            low = durations.histogram_start * durations.bucket_ratio**index
            height = max(_HEIGHT * count / highest, 1)
            text = (
                f"{format_duration(low)} to {format_duration(low * durations.bucket_ratio)}: "
                f"{count:,}, {format_share(count, durations.total)}"
            )
            yield rectangle(index * width, base - height, width * 0.86, height, "bar", tooltip=text)


_MAX_LABEL_WIDTH = 0.36
"""Width of a quantile label on a phone, as a fraction of the chart."""


def _quantile_lines(durations: DurationStats, position: Callable[[float], float], base: float) -> Iterator[Markup]:
    """Yield lines at the median and at 99 %, with labels in two rows, so that no line crosses the other's label.

    A line starts at its label and ends at the axis, so it crosses only the rows below its own.
    """
    p50, p99 = position(durations.p50), position(durations.p99)
    # A label is beside its line, on the side with enough space.
    p50_left, p99_left = p50 > _MAX_LABEL_WIDTH, p99 > 1 - _MAX_LABEL_WIDTH
    rows = (2, 1) if p50_left and p99_left else (1, 2)
    for row, x, left, text in (
        (rows[0], p50, p50_left, f"median {format_duration(durations.p50)}"),
        (rows[1], p99, p99_left, f"99{NARROW_SPACE}% {format_duration(durations.p99)}"),
    ):
        yield vertical_line(x, _ROW_HEIGHT * row - 10, base, "quantile-line")
        yield svg_text(
            text,
            x,
            _ROW_HEIGHT * row,
            anchor="end" if left else "start",
            dx=-7 if left else 7,
            css_class="strong outlined",
        )


def _ticks(durations: DurationStats, position: Callable[[float], float], base: float) -> Iterator[Markup]:
    end = durations.histogram_start * durations.bucket_ratio ** len(durations.buckets)
    ticks = list(log_ticks(durations.histogram_start, end))
    few_powers = sum(is_power for _, is_power in ticks) < 2
    for value, is_power in ticks:
        x = position(value)
        yield vertical_line(x, base, base + (6 if is_power else 4), "axis")
        css_class = "muted" if is_power or few_powers else "muted wide-only"
        yield svg_text(format_duration(value), x, base + 20, anchor=anchor_at(x, 0.03), css_class=css_class)
