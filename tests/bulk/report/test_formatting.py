"""Formatting of numbers, durations, times, amounts and axis ticks, with correct rounding."""

from datetime import timedelta, timezone
from functools import partial
from typing import Any

import pytest

from routee_failover.bulk.report.axis_ticks import linear_ticks, log_ticks, time_tick_interval
from routee_failover.bulk.report.formatting import (
    TimeFormatter,
    format_duration,
    format_money,
    format_number,
    format_share,
    join_words,
    pluralize,
    split_duration,
)

from .sample_runs import STARTED_AT


@pytest.mark.parametrize(
    ("formatted", "text"),
    [
        (format_number(1234567), "1,234,567"),
        (format_number(46.44), "46.4"),
        (format_number(2.5), "2.5"),
        (format_number(56.02), "56"),
        (format_number(0.123), "0.12"),
        (format_share(1, 3), "33.3 %"),
        (format_share(0, 5), "0 %"),
        (format_share(5, 5), "100 %"),
        (format_share(0, 0), "0 %"),
        (format_share(999_999, 1_000_000), "over 99.9 %"),
        (format_share(1, 1_000_000), "under 0.1 %"),
        (format_duration(0.00042), "0.4 ms"),
        (format_duration(0.1016), "102 ms"),
        (format_duration(0.9996), "1 s"),
        (format_duration(1.26), "1.3 s"),
        (format_duration(42.4), "42 s"),
        (format_duration(59.7), "1 min"),
        (format_duration(3_725), "1 h 2 min"),
        (format_duration(90_000), "1 d 1 h"),
        (format_money(1234.5), "1,234.50"),
        (format_money(0.0225), "0.0225"),
        (format_money(12, "EUR"), "12.00 EUR"),
        (pluralize(1, "row"), "1 row"),
        (pluralize(2_000, "row"), "2,000 rows"),
        (join_words([]), ""),
        (join_words(["a"]), "a"),
        (join_words(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_values_have_the_expected_text(formatted: str, text: str) -> None:
    """Thousands have separators, durations two units at most, and a share is 0 or 100 only if it is exactly that."""
    assert formatted.replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("total", "idle", "parts"),
    [
        (24.17, 17.58, ("24.2 s", "6.6 s", "17.6 s")),
        (23.04, 16.04, ("23 s", "7 s", "16 s")),
        (75.2, 60.4, ("1 min 15 s", "15 s", "1 min")),
        (6.7, 0, ("6.7 s", "6.7 s", "")),
        (0, 0, ("1 ms", "1 ms", "")),
        (16.31, 16.29, ("16.3 s", "under 0.1 s", "16.3 s")),
        (7_400, 2_700, ("2 h 3 min", "1 h 18 min", "45 min")),
        (10_000, 16, ("2 h 46 min", "2 h 46 min", "")),
        (200_000, 100_000, ("2 d 8 h", "1 d 4 h", "1 d 4 h")),
    ],
)
def test_active_and_idle_part_add_up_to_the_duration(total: float, idle: float, parts: tuple[str, str, str]) -> None:
    """The two parts add up as they are displayed, and a part that rounds to zero is omitted."""
    assert tuple(text.replace("\u202f", " ") for text in split_duration(total, idle)) == parts


def test_times_are_in_the_given_zone() -> None:
    """Times are in the given zone, and the zone is named."""
    times = TimeFormatter(timezone(timedelta(hours=2)))
    assert times.format_datetime(STARTED_AT) == "21 Nov 2025, 00:00:00"
    assert times.format_end(STARTED_AT, STARTED_AT + 60) == "00:01:00"
    assert times.format_end(STARTED_AT, STARTED_AT + 90_000) == "22 Nov 2025, 01:00:00"
    assert times.format_utc_offset(STARTED_AT) == "UTC+02:00"
    tick = partial(times.format_tick, STARTED_AT)
    assert [tick(interval) for interval in (0.2, 5, 600, 86_400)] == ["00.0", "00:00:00", "00:00", "21 Nov"]
    assert TimeFormatter().local_time(STARTED_AT).tzinfo is not None


@pytest.mark.parametrize("maximum", [0.013, 0.2, 1, 2.4, 3, 7.7, 46.4, 999, 1001, 123456])
def test_linear_ticks_cover_the_maximum_in_three_steps(maximum: float) -> None:
    """A scale ends at its maximum or above it, in three steps at most."""
    ticks = linear_ticks(maximum)
    assert 1 <= len(ticks) <= 3
    assert maximum <= ticks[-1] * 1.000001
    assert ticks[-1] <= maximum * 3


@pytest.mark.parametrize(
    ("duration", "interval"), [(0.5, 0.1), (62, 15), (3_600, 600), (86_400, 21_600), (900_000, 172_800)]
)
def test_time_ticks_are_round(duration: float, interval: float) -> None:
    """Time ticks are round, and six at most."""
    assert time_tick_interval(duration, 6) == interval


def test_log_ticks_are_1_2_and_5_of_each_decade() -> None:
    """1, 2 and 5 of each power of ten in between, and which of them are powers."""
    ticks: list[Any] = [(round(value, 3), is_power) for value, is_power in log_ticks(0.04, 1.0)]
    assert ticks == [(0.05, False), (0.1, True), (0.2, False), (0.5, False), (1.0, True)]
