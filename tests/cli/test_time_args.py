"""Times as people say them, in the time zone of the machine."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.cli.time_args import parse_duration, parse_time_range

NOW = datetime(2026, 3, 29, 21, 30, tzinfo=UTC)
"""In Athens the 30th has begun, half an hour ago; the 29th had 23 hours."""


@pytest.fixture(autouse=True)
def _athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Athens")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("words", "begins", "hours"),
    [
        ("today", "2026-03-29T21:00Z", 24),
        ("yesterday", "2026-03-28T22:00Z", 23),
        (" Yesterday ", "2026-03-28T22:00Z", 23),
        ("2026-03-29", "2026-03-28T22:00Z", 23),
        ("now", "2026-03-29T21:30Z", 0),
        ("30m", "2026-03-29T21:00Z", 0),
        ("2h", "2026-03-29T19:30Z", 0),
        ("2 H ago", "2026-03-29T19:30Z", 0),
        ("7d", "2026-03-22T21:30Z", 0),
        ("2w", "2026-03-15T21:30Z", 0),
        ("2026-03-29T10:00", "2026-03-29T07:00Z", 0),
        ("2026-03-28 10:00:30", "2026-03-28T08:00:30Z", 0),
        ("2026-03-28T10:00z", "2026-03-28T10:00Z", 0),
        ("2026-03-28T10:00+05:30", "2026-03-28T04:30Z", 0),
    ],
)
def test_words_mean_a_stretch_of_time(words: str, begins: str, hours: int) -> None:
    """Days are from midnight to midnight where the machine stands; a moment is no stretch."""
    stretch = parse_time_range(words, NOW)
    assert stretch.start == datetime.fromisoformat(begins)
    assert stretch.end - stretch.start == timedelta(hours=hours)
    assert stretch.start.tzinfo is not None


NO_TIME = ["", "noon", "2026", "31/01/2026", "-2h", "2h30m", "1e9d", "999999999w", "0001-01-01"]


@pytest.mark.parametrize("words", NO_TIME)
def test_words_that_mean_no_time_are_refused(words: str) -> None:
    """Whatever means none ends in a `ValueError`, too long ago and too far away as well."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_time_range(words, NOW)


@given(st.text() | st.from_regex(r"\d{1,9} ?[mhdw]") | st.datetimes().map(str) | st.dates().map(str))
def test_any_words_mean_a_time_or_none(words: str) -> None:
    """Nothing but `ValueError` comes of any words."""
    try:
        stretch = parse_time_range(words, NOW)
    except ValueError:
        return
    assert stretch.start <= stretch.end


@pytest.mark.parametrize(
    ("words", "seconds"), [("90s", 90), ("5m", 300), (" 1.5 H ", 5400), ("1d", 86_400), ("0.5s", 0.5), ("10m", 600)]
)
def test_a_length(words: str, seconds: float) -> None:
    """A length of time is a number and its unit."""
    assert parse_duration(words) == timedelta(seconds=seconds)


@pytest.mark.parametrize("words", ["", "5", "m", "5 minutes", "-5m", "0s", "5x", "1e3s", "9999999999d", "5m ago"])
def test_no_length(words: str) -> None:
    """Anything else is refused, and so is no time at all."""
    with pytest.raises(ValueError, match="time"):
        parse_duration(words)
