"""Messages over time: accepted ones above, the others below on a scale of their own, for they are few."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from ..markup import Markup, joined
from ..scales import round_steps, time_step
from ..values import Bar, Rate
from ..wording import Clock, number, seconds, tenths
from .frame import across, anchored, block, drawing, upright, words

_TOP = 20
_HEIGHT = 180
_BELOW = 56
_TICKS = 6


class _Place(NamedTuple):
    """A stretch on the page, in shares of the width."""

    begin: float
    left: float
    bar: float
    bars: tuple[Bar, ...]
    idle: float


def rate_chart(rate: Rate, clock: Clock, title: str) -> Markup:
    """Bars of accepted messages a second, and of rejected and unknown ones below."""
    places = list(_places(rate))
    bars = [bar for place in places for bar in place.bars]
    most = max(bar.accepted for bar in bars)
    accepted = _steps(most / rate.width, 3)
    others = _steps(_most_others(bars) / rate.width, 2)
    base = _TOP + _HEIGHT
    below = base + 34 + _BELOW
    end = below if others else base
    described = f"{len(bars)} bars of {seconds(rate.width)}. Accepted at most {number(most / rate.width)} a second" + (
        f", rejected or unknown at most {number(_most_others(bars) / rate.width)}." if others else "."
    )
    return drawing(
        "rate",
        title,
        described,
        end + 26,
        *_bars(places, rate.width, base, _HEIGHT / (accepted[-1] * rate.width) if accepted else 0, clock),
        _scale(accepted, base, _HEIGHT, "accepted a second"),
        joined(
            *_bars_below(places, below, _BELOW / (others[-1] * rate.width)),
            _scale(others[-1:], below, _BELOW, "rejected or unknown a second"),
        )
        if others
        else None,
        *_idle_times(places, base),
        *_times(places, rate.width, end, clock),
    )


def _most_others(bars: list[Bar]) -> int:
    return max(bar.rejected + bar.unknown for bar in bars)


def _steps(most: float, lines: int) -> list[float]:
    return round_steps(most, lines) if most else []


def _places(rate: Rate) -> Iterator[_Place]:
    pauses = len(rate.stretches) - 1
    between = min(0.16, 0.45 / pauses) if pauses else 0.0
    bar = (1 - between * pauses) / sum(len(stretch.bars) for stretch in rate.stretches)
    left = 0.0
    for stretch in rate.stretches:
        yield _Place(stretch.begin, left, bar, stretch.bars, stretch.idle)
        left += bar * len(stretch.bars) + between


def _scale(steps: list[float], base: float, height: float, unit: str) -> Markup:
    if not steps:
        return joined(words(f"0 {unit}", 0, base - 5, kind="soft"), across(base, "axis"))
    most = steps[-1]
    marks = [across(base - height * step / most) for step in steps]
    # Only the highest has its number: the others would stand on the bars.
    return joined(*marks, across(base, "axis"), words(f"{number(most)} {unit}", 0, base - height - 5, kind="soft halo"))


def _bars(places: list[_Place], width: float, base: float, scale: float, clock: Clock) -> Iterator[Markup]:
    thick = 0.82 if len(places) + sum(len(place.bars) for place in places) < 110 else 0.92
    for place in places:
        for at, bar in enumerate(place.bars):
            if not bar.total:
                continue
            when = clock.at(place.begin + at * width)
            tip = f"{when:%H:%M:%S}: {number(bar.accepted / width)} accepted a second"
            tip += f", {bar.rejected:,} rejected" if bar.rejected else ""
            tip += f", {bar.unknown:,} unknown" if bar.unknown else ""
            left, height = place.left + place.bar * at, bar.accepted * scale
            yield block(left, base - height, place.bar * thick, height, "good", tip=tip)


def _bars_below(places: list[_Place], base: float, scale: float) -> Iterator[Markup]:
    for place in places:
        for at, bar in enumerate(place.bars):
            left, rejected, unknown = place.left + place.bar * at, bar.rejected * scale, bar.unknown * scale
            if rejected:
                yield block(left, base - rejected, place.bar * 0.82, rejected, "bad")
            if unknown:
                yield block(left, base - rejected - unknown, place.bar * 0.82, unknown, "doubt")


def _idle_times(places: list[_Place], base: float) -> Iterator[Markup]:
    for before, after in pairwise(places):
        left = before.left + before.bar * len(before.bars)
        middle = (left + after.left) / 2
        yield upright(left, _TOP, base, "idle")
        yield upright(after.left, _TOP, base, "idle")
        for line, text in enumerate(("idle", *tenths(after.idle).split(" "))):
            yield words(text, middle, _TOP + _HEIGHT / 2 + 16 * line, anchor="middle", kind="soft")


def _times(places: list[_Place], width: float, end: float, clock: Clock) -> Iterator[Markup]:
    whole = sum(len(place.bars) for place in places)
    step = max(time_step(whole * width, _TICKS), width)
    before = -1.0
    for place in places:
        length = len(place.bars) * width
        offset = clock.at(place.begin).utcoffset()
        shift = offset.total_seconds() if offset else 0.0
        first = ((place.begin + shift) // step + 1) * step - shift
        ticks = [first + step * at for at in range(int(length / step) + 1) if first + step * at <= place.begin + length]
        if not ticks or len(places) > 1:
            ticks = [place.begin]  # where idle times are, the begin of each stretch is what one looks for
        for at, tick in enumerate(ticks):
            x = place.left + (tick - place.begin) / width * place.bar
            if x - before < 0.1:
                continue
            before = x
            text = clock.tick(tick, min(step, length))
            yield upright(x, end, end + 5, "axis")
            yield words(
                text, x, end + 20, anchor=anchored(x), kind="soft extra" if len(text) > 5 and at % 2 else "soft"
            )
