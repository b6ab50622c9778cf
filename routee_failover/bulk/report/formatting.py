"""Numbers, times and money as people read them."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from itertools import pairwise

NARROW_SPACE = "\u202f"
"""A narrow space that no line breaks at."""


def format_number(value: float) -> str:
    """With a comma after thousands, and as many digits as say something."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def format_share(part: float, whole: float) -> str:
    """A percentage that is 0 or 100 only where it is exactly that."""
    if not whole or not part:
        return f"0{NARROW_SPACE}%"
    percent = 100 * part / whole
    if part < whole and percent > 99.94:
        return f"over 99.9{NARROW_SPACE}%"
    if percent < 0.05:
        return f"under 0.1{NARROW_SPACE}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{NARROW_SPACE}%"


def format_duration(duration: float) -> str:
    """How long something took."""
    if duration < 0.9995:
        milliseconds = duration * 1000
        digits = f"{milliseconds:.0f}" if milliseconds >= 9.95 else f"{milliseconds:.1f}".removesuffix(".0")
        return f"{digits}{NARROW_SPACE}ms"
    if duration < 9.95:
        return f"{duration:.1f}".removesuffix(".0") + f"{NARROW_SPACE}s"
    if duration < 59.5:
        return f"{duration:.0f}{NARROW_SPACE}s"
    return _two_parts(round(duration))


def _two_parts(length: int) -> str:
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    (unit, size), (smaller, by) = next(pair for pair in pairwise(units) if length >= pair[0][1])
    whole, rest = divmod(length, size)
    return f"{whole}{NARROW_SPACE}{unit}" + (f" {rest // by}{NARROW_SPACE}{smaller}" if rest >= by else "")


def split_duration(total: float, idle: float) -> tuple[str, str, str]:
    """A length of time, its active and its idle part, rounded so that the two add up to the first.

    The last is empty where nothing of it is to be seen at this scale.
    """
    unit = 0.1 if total < 60 else 1 if total < 3_600 else 60 if total < 86_400 else 3_600
    whole, rest = round(total / unit), round(idle / unit)
    if not rest:
        return format_duration(max(total, 0.001)), format_duration(max(total, 0.001)), ""
    active = format_tenths((whole - rest) * unit) if whole > rest else f"under {format_tenths(unit)}"
    return format_tenths(whole * unit), active, format_tenths(rest * unit)


def format_tenths(duration: float) -> str:
    """A length of time, below a minute to a tenth of a second."""
    return f"{duration:.1f}".removesuffix(".0") + f"{NARROW_SPACE}s" if duration < 59.95 else format_duration(duration)


def format_money(amount: float, currency: str = "") -> str:
    """An amount, and its currency where that is known."""
    plain = f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"
    return f"{plain}{NARROW_SPACE}{currency}" if currency else plain


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def join_words(words: Iterable[str], conjunction: str = "and") -> str:
    """`a, b and c`."""
    *before, end = [*words] or [""]
    return f"{', '.join(before)} {conjunction} {end}" if before else end


class TimeFormatter:
    """Moments in one time zone: a given one, or this machine's."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def local_time(self, timestamp: float) -> datetime:
        """The moment, with its zone."""
        return (
            datetime.fromtimestamp(timestamp, self._zone)
            if self._zone
            else datetime.fromtimestamp(timestamp).astimezone()
        )

    def format_datetime(self, timestamp: float) -> str:
        """`20 Nov 2025, 22:00:00`."""
        at = self.local_time(timestamp)
        return f"{at.day} {at:%b %Y, %H:%M:%S}"

    def format_end(self, started_at: float, timestamp: float) -> str:
        """The same, without the day where that is the one that it began on."""
        at = self.local_time(timestamp)
        return f"{at:%H:%M:%S}" if at.date() == self.local_time(started_at).date() else self.format_datetime(timestamp)

    def format_utc_offset(self, timestamp: float) -> str:
        """`UTC+02:00`."""
        offset = f"{self.local_time(timestamp):%z}"
        return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"

    def format_tick(self, timestamp: float, interval: float) -> str:
        """A moment at an axis whose ticks are so far apart."""
        at = self.local_time(timestamp)
        if interval >= 86_400:
            return f"{at.day} {at:%b}"
        if interval >= 60:
            return f"{at:%H:%M}"
        return f"{at:%H:%M:%S}" if interval >= 1 else f"{at:%S}.{at.microsecond // 100_000}"
