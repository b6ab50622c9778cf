"""Times as people say them: yesterday, 2h, 2026-01-31. Where nothing else is said, it is the local time."""

import re
from datetime import date, datetime, timedelta
from typing import NamedTuple

TIME_FORMATS = "today, yesterday, 30m, 2h, 7d, 2w, 2026-01-31 or 2026-01-31T10:00"

_AGO = re.compile(r"(\d{1,9}) ?(m|h|d|w)(?: ago)?", re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY = timedelta(days=1)


class TimeRange(NamedTuple):
    """The time that words stand for; a moment begins and ends at once."""

    start: datetime
    end: datetime
    """The first moment after it."""


def parse_time_range(text: str, now: datetime) -> TimeRange:
    """What words mean. Raises `ValueError` for words that mean no time."""
    text = text.strip().lower()
    days = {"today": 0, "yesterday": 1}
    try:
        if text in days:
            return _day(now.astimezone().date() - days[text] * _DAY)
        ago = _AGO.fullmatch(text)
        moment = now if text == "now" else now - int(ago[1]) * _UNITS[ago[2]] if ago else _written(text)
        return _day(moment) if type(moment) is date else TimeRange(moment, moment)  # type: ignore[arg-type]
    except (OverflowError, OSError):
        raise ValueError("beyond what a date can hold") from None


def _written(words: str) -> date | datetime:
    """A day, or a moment: a local one where it does not say its zone."""
    try:
        return date.fromisoformat(words)
    except ValueError:
        moment = datetime.fromisoformat(words.upper())
        return moment.astimezone() if moment.tzinfo is None else moment


def _day(day: date) -> TimeRange:
    """From midnight to midnight, which is not always 24 hours."""
    midnight = datetime.min.time()
    return TimeRange(datetime.combine(day, midnight).astimezone(), datetime.combine(day + _DAY, midnight).astimezone())


DURATION_FORMATS = "90s, 5m, 2h or 1d"

_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?(s|m|h|d)", re.IGNORECASE)


def parse_duration(text: str) -> timedelta:
    """How long words say that something lasts. Raises `ValueError` for words that say no time, or none at all."""
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError("no length of time")
    length = float(found[1]) * ({"s": timedelta(seconds=1)} | _UNITS)[found[2]]
    if not length:
        raise ValueError("no time at all")
    return length
