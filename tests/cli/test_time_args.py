"""Times and durations of the command line, in the machine's time zone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.cli.time_args import parse_duration, parse_time_range

NOW = datetime(2026, 3, 29, 21, 30, tzinfo=UTC)
"""In Athens it is the 30th, 00:30; the 29th had 23 hours."""


@pytest.fixture(autouse=True)
def _athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Athens")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "start", "hours"),
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
def test_text_is_parsed_as_a_day_or_a_point_in_time(text: str, start: str, hours: int) -> None:
    """Days are from local midnight to midnight; a point in time has no length."""
    time_range = parse_time_range(text, NOW)
    assert time_range.start == datetime.fromisoformat(start)
    assert time_range.end - time_range.start == timedelta(hours=hours)
    assert time_range.start.tzinfo is not None


INVALID_TIMES = ["", "noon", "2026", "31/01/2026", "-2h", "2h30m", "1e9d", "999999999w", "0001-01-01"]


@pytest.mark.parametrize("text", INVALID_TIMES)
def test_invalid_time_raises_value_error(text: str) -> None:
    """Anything else raises `ValueError`, also dates beyond what a date can hold."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_time_range(text, NOW)


@given(st.text() | st.from_regex(r"\d{1,9} ?[mhdw]") | st.datetimes().map(str) | st.dates().map(str))
def test_any_text_is_parsed_or_raises_value_error(text: str) -> None:
    """Any text is parsed, or raises `ValueError`."""
    try:
        time_range = parse_time_range(text, NOW)
    except ValueError:
        return
    assert time_range.start <= time_range.end


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("5m", 300), (" 1.5 H ", 5400), ("1d", 86_400), ("0.5s", 0.5), ("10m", 600)]
)
def test_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    """A duration is a number and its unit."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "-5m", "0s", "5x", "1e3s", "9999999999d", "5m ago"])
def test_invalid_duration_raises_value_error(text: str) -> None:
    """Anything else raises `ValueError`, and so does zero."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)
