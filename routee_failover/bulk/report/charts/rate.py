"""Messages over time: accepted ones above, the others below on a scale of their own, for they are few."""

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
_BELOW = 56
_TICKS = 6


class _PlacedPeriod(NamedTuple):
    """A stretch on the page, in shares of the width."""

    started_at: float
    left: float
    bar_width: float
    bars: tuple[RateBar, ...]
    idle_before: float


def rate_chart(rate: RateSeries, times: TimeFormatter, title: str) -> Markup:
    """Bars of accepted messages a second, and of rejected and unknown ones below."""
    places = list(_place_periods(rate))
    bars = [bar for place in places for bar in place.bars]
    most = max(bar.accepted for bar in bars)
    accepted = _steps(most / rate.bar_seconds, 3)
    others = _steps(_most_others(bars) / rate.bar_seconds, 2)
    base = _TOP + _HEIGHT
    below = base + 34 + _BELOW
    end = below if others else base
    described = (
        f"{len(bars)} bars of {format_duration(rate.bar_seconds)}. Accepted at most {format_number(most / rate.bar_seconds)} a second"
        + (f", rejected or unknown at most {format_number(_most_others(bars) / rate.bar_seconds)}." if others else ".")
    )
    return svg_chart(
        "rate",
        title,
        described,
        end + 26,
        *_bars(places, rate.bar_seconds, base, _HEIGHT / (accepted[-1] * rate.bar_seconds) if accepted else 0, times),
        _scale(accepted, base, _HEIGHT, "accepted a second"),
        join_markup(
            *_bars_below(places, below, _BELOW / (others[-1] * rate.bar_seconds)),
            _scale(others[-1:], below, _BELOW, "rejected or unknown a second"),
        )
        if others
        else None,
        *_idle_marks(places, base),
        *_time_axis(places, rate.bar_seconds, end, times),
    )


def _most_others(bars: list[RateBar]) -> int:
    return max(bar.rejected + bar.unknown for bar in bars)


def _steps(most: float, lines: int) -> list[float]:
    return linear_ticks(most, lines) if most else []


def _place_periods(rate: RateSeries) -> Iterator[_PlacedPeriod]:
    pauses = len(rate.periods) - 1
    between = min(0.16, 0.45 / pauses) if pauses else 0.0
    bar = (1 - between * pauses) / sum(len(stretch.bars) for stretch in rate.periods)
    left = 0.0
    for stretch in rate.periods:
        yield _PlacedPeriod(stretch.started_at, left, bar, stretch.bars, stretch.idle_before)
        left += bar * len(stretch.bars) + between


def _scale(steps: list[float], base: float, height: float, unit: str) -> Markup:
    if not steps:
        return join_markup(svg_text(f"0 {unit}", 0, base - 5, css_class="muted"), horizontal_line(base, "axis"))
    most = steps[-1]
    marks = [horizontal_line(base - height * step / most) for step in steps]
    # Only the highest has its number: the others would stand on the bars.
    return join_markup(
        *marks,
        horizontal_line(base, "axis"),
        svg_text(f"{format_number(most)} {unit}", 0, base - height - 5, css_class="muted outlined"),
    )


def _bars(
    places: list[_PlacedPeriod], width: float, base: float, scale: float, times: TimeFormatter
) -> Iterator[Markup]:
    thick = 0.82 if len(places) + sum(len(place.bars) for place in places) < 110 else 0.92
    for place in places:
        for at, bar in enumerate(place.bars):
            if not bar.total:
                continue
            when = times.local_time(place.started_at + at * width)
            tip = f"{when:%H:%M:%S}: {format_number(bar.accepted / width)} accepted a second"
            tip += f", {bar.rejected:,} rejected" if bar.rejected else ""
            tip += f", {bar.unknown:,} unknown" if bar.unknown else ""
            left, height = place.left + place.bar_width * at, bar.accepted * scale
            yield rectangle(left, base - height, place.bar_width * thick, height, "good", tooltip=tip)


def _bars_below(places: list[_PlacedPeriod], base: float, scale: float) -> Iterator[Markup]:
    for place in places:
        for at, bar in enumerate(place.bars):
            left, rejected, unknown = place.left + place.bar_width * at, bar.rejected * scale, bar.unknown * scale
            if rejected:
                yield rectangle(left, base - rejected, place.bar_width * 0.82, rejected, "bad")
            if unknown:
                yield rectangle(left, base - rejected - unknown, place.bar_width * 0.82, unknown, "doubt")


def _idle_marks(places: list[_PlacedPeriod], base: float) -> Iterator[Markup]:
    for before, after in pairwise(places):
        left = before.left + before.bar_width * len(before.bars)
        middle = (left + after.left) / 2
        yield vertical_line(left, _TOP, base, "idle")
        yield vertical_line(after.left, _TOP, base, "idle")
        for line, text in enumerate(("idle", *format_tenths(after.idle_before).split(" "))):
            yield svg_text(text, middle, _TOP + _HEIGHT / 2 + 16 * line, anchor="middle", css_class="muted")


def _time_axis(places: list[_PlacedPeriod], width: float, end: float, times: TimeFormatter) -> Iterator[Markup]:
    whole = sum(len(place.bars) for place in places)
    step = max(time_tick_interval(whole * width, _TICKS), width)
    before = -1.0
    for place in places:
        length = len(place.bars) * width
        offset = times.local_time(place.started_at).utcoffset()
        shift = offset.total_seconds() if offset else 0.0
        first = ((place.started_at + shift) // step + 1) * step - shift
        ticks = [
            first + step * at for at in range(int(length / step) + 1) if first + step * at <= place.started_at + length
        ]
        if not ticks or len(places) > 1:
            ticks = [place.started_at]  # where idle times are, the begin of each stretch is what one looks for
        for at, tick in enumerate(ticks):
            x = place.left + (tick - place.started_at) / width * place.bar_width
            if x - before < 0.1:
                continue
            before = x
            text = times.format_tick(tick, min(step, length))
            yield vertical_line(x, end, end + 5, "axis")
            yield svg_text(
                text,
                x,
                end + 20,
                anchor=anchor_at(x),
                css_class="muted wide-only" if len(text) > 5 and at % 2 else "muted",
            )
