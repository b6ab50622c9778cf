"""Numbers, times and money as people read them."""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from itertools import pairwise

THIN = "\u202f"
"""A narrow space that no line breaks at."""


def number(value: float) -> str:
    """With a comma after thousands, and as many digits as say something."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def share(part: float, whole: float) -> str:
    """A percentage that is 0 or 100 only where it is exactly that."""
    if not whole or not part:
        return f"0{THIN}%"
    percent = 100 * part / whole
    if part < whole and percent > 99.94:
        return f"over 99.9{THIN}%"
    if percent < 0.05:
        return f"under 0.1{THIN}%"
    return f"{percent:.1f}".removesuffix(".0") + f"{THIN}%"


def seconds(length: float) -> str:
    """How long something took."""
    if length < 0.9995:
        milliseconds = length * 1000
        digits = f"{milliseconds:.0f}" if milliseconds >= 9.95 else f"{milliseconds:.1f}".removesuffix(".0")
        return f"{digits}{THIN}ms"
    if length < 9.95:
        return f"{length:.1f}".removesuffix(".0") + f"{THIN}s"
    if length < 59.5:
        return f"{length:.0f}{THIN}s"
    return _two_parts(round(length))


def _two_parts(length: int) -> str:
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    (unit, size), (smaller, by) = next(pair for pair in pairwise(units) if length >= pair[0][1])
    whole, rest = divmod(length, size)
    return f"{whole}{THIN}{unit}" + (f" {rest // by}{THIN}{smaller}" if rest >= by else "")


def parted(total: float, idle: float) -> tuple[str, str, str]:
    """A length of time, its active and its idle part, rounded so that the two add up to the first.

    The last is empty where nothing of it is to be seen at this scale.
    """
    unit = 0.1 if total < 60 else 1 if total < 3_600 else 60 if total < 86_400 else 3_600
    whole, rest = round(total / unit), round(idle / unit)
    if not rest:
        return seconds(max(total, 0.001)), seconds(max(total, 0.001)), ""
    active = tenths((whole - rest) * unit) if whole > rest else f"under {tenths(unit)}"
    return tenths(whole * unit), active, tenths(rest * unit)


def tenths(length: float) -> str:
    """A length of time, below a minute to a tenth of a second."""
    return f"{length:.1f}".removesuffix(".0") + f"{THIN}s" if length < 59.95 else seconds(length)


def money(amount: float, currency: str = "") -> str:
    """An amount, and its currency where that is known."""
    plain = f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"
    return f"{plain}{THIN}{currency}" if currency else plain


def many(count: int, one: str, more: str | None = None) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *before, end = [*words] or [""]
    return f"{', '.join(before)} {last} {end}" if before else end


class Clock:
    """Moments in one time zone: a given one, or this machine's."""

    def __init__(self, zone: tzinfo | None = None) -> None:
        self._zone = zone

    def at(self, moment: float) -> datetime:
        """The moment, with its zone."""
        return datetime.fromtimestamp(moment, self._zone) if self._zone else datetime.fromtimestamp(moment).astimezone()

    def full(self, moment: float) -> str:
        """`20 Nov 2025, 22:00:00`."""
        at = self.at(moment)
        return f"{at.day} {at:%b %Y, %H:%M:%S}"

    def after(self, begun: float, moment: float) -> str:
        """The same, without the day where that is the one that it began on."""
        at = self.at(moment)
        return f"{at:%H:%M:%S}" if at.date() == self.at(begun).date() else self.full(moment)

    def zone(self, moment: float) -> str:
        """`UTC+02:00`."""
        offset = f"{self.at(moment):%z}"
        return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"

    def tick(self, moment: float, step: float) -> str:
        """A moment at an axis whose ticks are so far apart."""
        at = self.at(moment)
        if step >= 86_400:
            return f"{at.day} {at:%b}"
        if step >= 60:
            return f"{at:%H:%M}"
        return f"{at:%H:%M:%S}" if step >= 1 else f"{at:%S}.{at.microsecond // 100_000}"
