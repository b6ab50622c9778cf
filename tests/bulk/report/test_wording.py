"""Numbers, times and money are written as people read them, and round to nothing untrue."""

from datetime import timedelta, timezone
from functools import partial
from typing import Any

import pytest

from routee_failover.bulk.report.scales import log_ticks, round_steps, time_step
from routee_failover.bulk.report.wording import Clock, listed, many, money, number, parted, seconds, share

from .making import BEGUN


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (number(1234567), "1,234,567"),
        (number(46.44), "46.4"),
        (number(2.5), "2.5"),
        (number(56.02), "56"),
        (number(0.123), "0.12"),
        (share(1, 3), "33.3 %"),
        (share(0, 5), "0 %"),
        (share(5, 5), "100 %"),
        (share(0, 0), "0 %"),
        (share(999_999, 1_000_000), "over 99.9 %"),
        (share(1, 1_000_000), "under 0.1 %"),
        (seconds(0.00042), "0.4 ms"),
        (seconds(0.1016), "102 ms"),
        (seconds(0.9996), "1 s"),
        (seconds(1.26), "1.3 s"),
        (seconds(42.4), "42 s"),
        (seconds(59.7), "1 min"),
        (seconds(3_725), "1 h 2 min"),
        (seconds(90_000), "1 d 1 h"),
        (money(1234.5), "1,234.50"),
        (money(0.0225), "0.0225"),
        (money(12, "EUR"), "12.00 EUR"),
        (many(1, "row"), "1 row"),
        (many(2_000, "row"), "2,000 rows"),
        (listed([]), ""),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_words(written: str, text: str) -> None:
    """Thousands have commas, lengths two units at most, and a share is 0 or 100 only where it is."""
    assert written.replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("total", "idle", "told"),
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
def test_parts_of_a_time(total: float, idle: float, told: tuple[str, str, str]) -> None:
    """The two parts add up to the whole as they are shown, and what is not to be seen at its scale is not shown."""
    assert tuple(text.replace("\u202f", " ") for text in parted(total, idle)) == told


def test_moments() -> None:
    """Moments are told in the zone that is asked for, and the zone is named."""
    clock = Clock(timezone(timedelta(hours=2)))
    assert clock.full(BEGUN) == "21 Nov 2025, 00:00:00"
    assert clock.after(BEGUN, BEGUN + 60) == "00:01:00"
    assert clock.after(BEGUN, BEGUN + 90_000) == "22 Nov 2025, 01:00:00"
    assert clock.zone(BEGUN) == "UTC+02:00"
    tick = partial(clock.tick, BEGUN)
    assert [tick(step) for step in (0.2, 5, 600, 86_400)] == ["00.0", "00:00:00", "00:00", "21 Nov"]
    assert Clock().at(BEGUN).tzinfo is not None


@pytest.mark.parametrize("most", [0.013, 0.2, 1, 2.4, 3, 7.7, 46.4, 999, 1001, 123456])
def test_round_steps(most: float) -> None:
    """A scale ends at its highest value or above it, in three steps at most."""
    steps = round_steps(most)
    assert 1 <= len(steps) <= 3
    assert most <= steps[-1] * 1.000001
    assert steps[-1] <= most * 3


@pytest.mark.parametrize(("length", "step"), [(0.5, 0.1), (62, 15), (3_600, 600), (86_400, 21_600), (900_000, 172_800)])
def test_time_steps(length: float, step: float) -> None:
    """Ticks of time are round, and six at most."""
    assert time_step(length, 6) == step


def test_log_ticks() -> None:
    """1, 2 and 5 of each power of ten in between, and which of them are powers."""
    ticks: list[Any] = [(round(value, 3), whole) for value, whole in log_ticks(0.04, 1.0)]
    assert ticks == [(0.05, False), (0.1, True), (0.2, False), (0.5, False), (1.0, True)]
