"""Parsers of times and durations on the command line: yesterday, 2h, 2026-01-31. Local time unless a zone is given."""

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

TIME_FORMATS = "today, yesterday, 30m, 2h, 7d, 2w, 2026-01-31 or 2026-01-31T10:00"

_AGO = re.compile(r"(\d{1,9}) ?(m|h|d|w)(?: ago)?", re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY = timedelta(days=1)


class TimeRange(NamedTuple):
    """Time range of an argument; a point in time has the same start and end."""

    start: datetime
    end: datetime
    """Exclusive."""


def parse_time_range(text: str, now: datetime) -> TimeRange:
    """Parse a day or a point in time. Raises `ValueError` for anything else."""
    text = text.strip().lower()
    days = {"today": 0, "yesterday": 1}
    try:
        if text in days:
            return _day(now.astimezone().date() - days[text] * _DAY)
        ago = _AGO.fullmatch(text)
        time = now if text == "now" else now - int(ago[1]) * _UNITS[ago[2]] if ago else _parse_iso(text)
        return _day(time) if type(time) is date else TimeRange(time, time)  # type: ignore[arg-type]
    except (OverflowError, OSError):
        raise ValueError("beyond what a date can hold") from None


def _parse_iso(text: str) -> date | datetime:
    """Parse a day, or a point in time: local unless it has a zone."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        time = datetime.fromisoformat(text.upper())
        return time.astimezone() if time.tzinfo is None else time


def _day(day: date) -> TimeRange:
    """Return the range from midnight to midnight, which is not always 24 hours."""
    midnight = datetime.min.time()
    return TimeRange(datetime.combine(day, midnight).astimezone(), datetime.combine(day + _DAY, midnight).astimezone())


DURATION_FORMATS = "90s, 5m, 2h or 1d"

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(s|m|h|d)", re.IGNORECASE)


def parse_duration(text: str) -> timedelta:
    """Parse a duration. Raises `ValueError` for anything else, and for zero."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError("not a duration")
    duration = float(match[1]) * ({"s": timedelta(seconds=1)} | _UNITS)[match[2]]
    if not duration:
        raise ValueError("a duration must not be zero")
    return duration
