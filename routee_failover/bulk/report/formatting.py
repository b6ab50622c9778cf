"""Formatting of numbers, durations, times and amounts for the report."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from itertools import pairwise

NARROW_SPACE = "\u202f"
"""Narrow no-break space."""


def format_number(value: float) -> str:
    """Return the number with thousands separators and about three significant digits."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def format_share(part: float, whole: float) -> str:
    """Return a percentage; it is 0 or 100 only if it is exactly that."""
    if not whole or not part:
        return f"0{NARROW_SPACE}%"
    percent = 100 * part / whole
    if part < whole and percent > 99.94:
        return f"over 99.9{NARROW_SPACE}%"
    if percent < 0.05:
        return f"under 0.1{NARROW_SPACE}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{NARROW_SPACE}%"


def format_duration(duration: float) -> str:
    """Return a duration in at most two units."""
    if duration < 0.9995:
        milliseconds = duration * 1000
        digits = f"{milliseconds:.0f}" if milliseconds >= 9.95 else f"{milliseconds:.1f}".removesuffix(".0")
        return f"{digits}{NARROW_SPACE}ms"
    if duration < 9.95:
        return f"{duration:.1f}".removesuffix(".0") + f"{NARROW_SPACE}s"
    if duration < 59.5:
        return f"{duration:.0f}{NARROW_SPACE}s"
    return _format_two_units(round(duration))


def _format_two_units(seconds: int) -> str:
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    (unit, size), (smaller_unit, smaller_size) = next(pair for pair in pairwise(units) if seconds >= pair[0][1])
    whole, rest = divmod(seconds, size)
    return f"{whole}{NARROW_SPACE}{unit}" + (
        f" {rest // smaller_size}{NARROW_SPACE}{smaller_unit}" if rest >= smaller_size else ""
    )


def split_duration(total: float, idle: float) -> tuple[str, str, str]:
    """Return the total, active and idle duration, rounded so that the last two add up to the first.

    The idle part is empty if it rounds to zero.
    """
    unit = 0.1 if total < 60 else 1 if total < 3_600 else 60 if total < 86_400 else 3_600
    whole, rest = round(total / unit), round(idle / unit)
    if not rest:
        return format_duration(max(total, 0.001)), format_duration(max(total, 0.001)), ""
    active = format_tenths((whole - rest) * unit) if whole > rest else f"under {format_tenths(unit)}"
    return format_tenths(whole * unit), active, format_tenths(rest * unit)


def format_tenths(duration: float) -> str:
    """Return a duration, below a minute with tenths of a second."""
    return f"{duration:.1f}".removesuffix(".0") + f"{NARROW_SPACE}s" if duration < 59.95 else format_duration(duration)


def format_money(amount: float, currency: str = "") -> str:
    """Return an amount, with its currency if it is known."""
    number = f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"
    return f"{number}{NARROW_SPACE}{currency}" if currency else number


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count with its noun: `1 row`, `2,000 rows`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def join_words(words: Iterable[str], conjunction: str = "and") -> str:
    """Return an enumeration: `a, b and c`."""
    *before, last = [*words] or [""]
    return f"{', '.join(before)} {conjunction} {last}" if before else last


class TimeFormatter:
    """Formats timestamps in one time zone: a given one, or this machine's."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def local_time(self, timestamp: float) -> datetime:
        """Return the time in the zone."""
        return (
            datetime.fromtimestamp(timestamp, self._zone)
            if self._zone
            else datetime.fromtimestamp(timestamp).astimezone()
        )

    def format_datetime(self, timestamp: float) -> str:
        """Return `20 Nov 2025, 22:00:00`."""
        time = self.local_time(timestamp)
        return f"{time.day} {time:%b %Y, %H:%M:%S}"

    def format_end(self, started_at: float, timestamp: float) -> str:
        """Return the end of a run, without the date if it is the same as that of the start."""
        end = self.local_time(timestamp)
        return (
            f"{end:%H:%M:%S}" if end.date() == self.local_time(started_at).date() else self.format_datetime(timestamp)
        )

    def format_utc_offset(self, timestamp: float) -> str:
        """Return `UTC+02:00`."""
        offset = f"{self.local_time(timestamp):%z}"
        return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"

    def format_tick(self, timestamp: float, interval: float) -> str:
        """Return the label of a tick on a time axis with this interval in seconds."""
        time = self.local_time(timestamp)
        if interval >= 86_400:
            return f"{time.day} {time:%b}"
        if interval >= 60:
            return f"{time:%H:%M}"
        return f"{time:%H:%M:%S}" if interval >= 1 else f"{time:%S}.{time.microsecond // 100_000}"
