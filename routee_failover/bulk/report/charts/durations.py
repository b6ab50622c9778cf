"""How long answers took: a histogram over a scale on which each step is a factor, with the quantiles written in."""

import math
from collections.abc import Callable, Iterator

from ..markup import Markup
from ..scales import log_ticks
from ..values import Durations
from ..wording import THIN, seconds, share
from .frame import across, anchored, block, drawing, upright, words

_HEIGHT = 150
_ROW = 18


def durations_chart(durations: Durations, title: str) -> Markup:
    """The histogram, on a logarithmic scale."""
    width = math.log(durations.ratio) * len(durations.columns)

    def place(value: float) -> float:
        return min(max(math.log(value / durations.begin) / width, 0.0), 1.0)

    top = 2 * _ROW + 8
    base = top + _HEIGHT
    return drawing(
        "latency",
        title,
        f"{durations.rows:,} responses. {_in_words(durations)}. Each step of the scale is a factor.",
        base + 26,
        across(base, "axis"),
        *_columns(durations, base),
        *_flags(durations, place, base),
        *_ticks(durations, place, base),
    )


def quantiles(durations: Durations) -> list[tuple[str, float]]:
    """The four that are shown, by name."""
    return [
        ("median", durations.p50),
        (f"90{THIN}%", durations.p90),
        (f"99{THIN}%", durations.p99),
        ("slowest", durations.most),
    ]


def _in_words(durations: Durations) -> str:
    return ", ".join(f"{name} {seconds(value)}" for name, value in quantiles(durations))


def _columns(durations: Durations, base: float) -> Iterator[Markup]:
    most = max(durations.columns)
    wide = 1 / len(durations.columns)
    for at, count in enumerate(durations.columns):
        if count:
            low = durations.begin * durations.ratio**at
            height = max(_HEIGHT * count / most, 1)
            tip = f"{seconds(low)} to {seconds(low * durations.ratio)}: {count:,}, {share(count, durations.rows)}"
            yield block(at * wide, base - height, wide * 0.86, height, "plain", tip=tip)


_WIDEST_FLAG = 0.36
"""The share of the width of a phone that a flag's words take."""


def _flags(durations: Durations, place: Callable[[float], float], base: float) -> Iterator[Markup]:
    """The median and the 99 %, each on a line of its own, such that neither line runs through the other's words.

    A line begins at its words and ends at the axis, so that it runs through the rows below its own alone.
    """
    median, high = place(durations.p50), place(durations.p99)
    # Words stand beside their line, on the side where there is room.
    median_left, high_left = median > _WIDEST_FLAG, high > 1 - _WIDEST_FLAG
    rows = (2, 1) if median_left and high_left else (1, 2)
    for row, x, left, text in (
        (rows[0], median, median_left, f"median {seconds(durations.p50)}"),
        (rows[1], high, high_left, f"99{THIN}% {seconds(durations.p99)}"),
    ):
        yield upright(x, _ROW * row - 10, base, "flag")
        yield words(
            text,
            x,
            _ROW * row,
            anchor="end" if left else "start",
            dx=-7 if left else 7,
            kind="strong halo",
        )


def _ticks(durations: Durations, place: Callable[[float], float], base: float) -> Iterator[Markup]:
    end = durations.begin * durations.ratio ** len(durations.columns)
    ticks = list(log_ticks(durations.begin, end))
    few = sum(whole for _, whole in ticks) < 2
    for value, whole in ticks:
        x = place(value)
        yield upright(x, base, base + (6 if whole else 4), "axis")
        kind = "soft" if whole or few else "soft extra"
        yield words(seconds(value), x, base + 20, anchor=anchored(x, 0.03), kind=kind)
