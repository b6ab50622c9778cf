"""Chart of messages over time: accepted ones above, the others below on a separate scale, because they are few."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..axis_ticks import linear_ticks, time_tick_interval
from ..formatting import TimeFormatter, format_duration, format_number, format_tenths
from ..markup import Markup, join_markup
from ..model import RateBar, RateSeries
from .svg import anchor_at, horizontal_line, rectangle, svg_chart, svg_text, vertical_line

_TOP = 20
_HEIGHT = 180
_LOWER_HEIGHT = 56
_MAX_TICKS = 6


class _PlacedPeriod(NamedTuple):
    """A period with its position on the page, in fractions of the width."""

    started_at: float
    left: float
    bar_width: float
    bars: tuple[RateBar, ...]
    idle_before: float


def rate_chart(rate: RateSeries, times: TimeFormatter, title: str) -> Markup:
    """Return bars of accepted messages a second, and below them of rejected and unknown ones."""
    periods = list(_place_periods(rate))
    bars = [bar for period in periods for bar in period.bars]
    max_accepted = max(bar.accepted for bar in bars)
    accepted_ticks = _ticks(max_accepted / rate.bar_seconds, 3)
    other_ticks = _ticks(_max_others(bars) / rate.bar_seconds, 2)
    base = _TOP + _HEIGHT
    lower_base = base + 34 + _LOWER_HEIGHT
    bottom = lower_base if other_ticks else base
    description = (
        f"{len(bars)} bars of {format_duration(rate.bar_seconds)}. "
        f"Accepted at most {format_number(max_accepted / rate.bar_seconds)} a second"
        + (
            f", rejected or unknown at most {format_number(_max_others(bars) / rate.bar_seconds)}."
            if other_ticks
            else "."
        )
    )
    return svg_chart(
        "rate",
        title,
        description,
        bottom + 26,
        *_bars(
            periods,
            rate.bar_seconds,
            base,
            _HEIGHT / (accepted_ticks[-1] * rate.bar_seconds) if accepted_ticks else 0,
            times,
        ),
        _scale(accepted_ticks, base, _HEIGHT, "accepted a second"),
        join_markup(
            *_lower_bars(periods, lower_base, _LOWER_HEIGHT / (other_ticks[-1] * rate.bar_seconds)),
            _scale(other_ticks[-1:], lower_base, _LOWER_HEIGHT, "rejected or unknown a second"),
        )
        if other_ticks
        else None,
        *_idle_marks(periods, base),
        *_time_axis(periods, rate.bar_seconds, bottom, times),
    )


def _max_others(bars: list[RateBar]) -> int:
    return max(bar.rejected + bar.unknown for bar in bars)


def _ticks(maximum: float, max_ticks: int) -> list[float]:
    return linear_ticks(maximum, max_ticks) if maximum else []


def _place_periods(rate: RateSeries) -> Iterator[_PlacedPeriod]:
    gaps = len(rate.periods) - 1
    gap_width = min(0.16, 0.45 / gaps) if gaps else 0.0
    bar_width = (1 - gap_width * gaps) / sum(len(period.bars) for period in rate.periods)
    left = 0.0
    for period in rate.periods:
        yield _PlacedPeriod(period.started_at, left, bar_width, period.bars, period.idle_before)
        left += bar_width * len(period.bars) + gap_width


def _scale(ticks: list[float], base: float, height: float, unit: str) -> Markup:
    if not ticks:
        return join_markup(svg_text(f"0 {unit}", 0, base - 5, css_class="muted"), horizontal_line(base, "axis"))
    maximum = ticks[-1]
    lines = [horizontal_line(base - height * tick / maximum) for tick in ticks]
    # Only the highest tick has a label: the others would overlap the bars.
    return join_markup(
        *lines,
        horizontal_line(base, "axis"),
        svg_text(f"{format_number(maximum)} {unit}", 0, base - height - 5, css_class="muted outlined"),
    )


def _bars(
    periods: list[_PlacedPeriod], bar_seconds: float, base: float, scale: float, times: TimeFormatter
) -> Iterator[Markup]:
    fill = 0.82 if len(periods) + sum(len(period.bars) for period in periods) < 110 else 0.92
    for period in periods:
        for index, bar in enumerate(period.bars):
            if not bar.total:
                continue
            time = times.local_time(period.started_at + index * bar_seconds)
            text = f"{time:%H:%M:%S}: {format_number(bar.accepted / bar_seconds)} accepted a second"
            text += f", {bar.rejected:,} rejected" if bar.rejected else ""
            text += f", {bar.unknown:,} unknown" if bar.unknown else ""
            left, height = period.left + period.bar_width * index, bar.accepted * scale
            yield rectangle(left, base - height, period.bar_width * fill, height, "good", tooltip=text)


def _lower_bars(periods: list[_PlacedPeriod], base: float, scale: float) -> Iterator[Markup]:
    for period in periods:
        for index, bar in enumerate(period.bars):
            left, rejected, unknown = period.left + period.bar_width * index, bar.rejected * scale, bar.unknown * scale
            if rejected:
                yield rectangle(left, base - rejected, period.bar_width * 0.82, rejected, "bad")
            if unknown:
                yield rectangle(left, base - rejected - unknown, period.bar_width * 0.82, unknown, "unknown")


def _idle_marks(periods: list[_PlacedPeriod], base: float) -> Iterator[Markup]:
    for before, after in pairwise(periods):
        left = before.left + before.bar_width * len(before.bars)
        middle = (left + after.left) / 2
        yield vertical_line(left, _TOP, base, "idle")
        yield vertical_line(after.left, _TOP, base, "idle")
        for line, text in enumerate(("idle", *format_tenths(after.idle_before).split(" "))):
            yield svg_text(text, middle, _TOP + _HEIGHT / 2 + 16 * line, anchor="middle", css_class="muted")


def _time_axis(
    periods: list[_PlacedPeriod], bar_seconds: float, bottom: float, times: TimeFormatter
) -> Iterator[Markup]:
    bar_count = sum(len(period.bars) for period in periods)
    interval = max(time_tick_interval(bar_count * bar_seconds, _MAX_TICKS), bar_seconds)
    previous_x = -1.0
    for period in periods:
        # 1. Choose the ticks: round times in the time zone, or the start of each period if there are several.
        length = len(period.bars) * bar_seconds
        offset = times.local_time(period.started_at).utcoffset()
        offset_seconds = offset.total_seconds() if offset else 0.0
        first = ((period.started_at + offset_seconds) // interval + 1) * interval - offset_seconds
        ticks = [
            first + interval * index
            for index in range(int(length / interval) + 1)
            if first + interval * index <= period.started_at + length
        ]
        if not ticks or len(periods) > 1:
            ticks = [period.started_at]
        # 2. Draw those that do not overlap the previous one.
        for index, tick in enumerate(ticks):
            x = period.left + (tick - period.started_at) / bar_seconds * period.bar_width
            if x - previous_x < 0.1:
                continue
            previous_x = x
            text = times.format_tick(tick, min(interval, length))
            yield vertical_line(x, bottom, bottom + 5, "axis")
            yield svg_text(
                text,
                x,
                bottom + 20,
                anchor=anchor_at(x),
                css_class="muted wide-only" if len(text) > 5 and index % 2 else "muted",
            )
