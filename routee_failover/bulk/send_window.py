"""Send window (quiet hours): when a recipient may be written to, in the local time of the phone number."""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from ..errors import InvalidSource, Problem
from . import phone_numbers

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))

_WINDOW = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:[-,][a-z]{3})*)\s+)?(?P<start>\d\d:\d\d)\s*-\s*(?P<end>\d\d:\d\d)(?:\s+(?P<zone>\S+))?",
    re.IGNORECASE,
)
_DAYS_AHEAD = 17
"""Days to search: a weekly window opens within them even if a clock change skips it once."""

_Zones = tuple[tzinfo, ...]
_ANYWHERE: _Zones = tuple(timezone(timedelta(hours=hours)) for hours in range(-12, 15))
"""Every inhabited UTC offset: for a number without a known time zone."""

NEVER_OPENS = datetime.max.replace(tzinfo=UTC)
"""Result of `SendWindow.opens_at` for a number that can never be written to."""

NO_COMMON_HOUR = (
    Problem(
        (),
        "its number may be in several time zones that have no hour of the window in common, or in any time zone: "
        "widen the window, or add a default zone for such numbers, like 09:00-20:00 Europe/Moscow",
    ),
)
"""Problem of a row whose number the window never opens for."""


@attrs.frozen
class SendWindow:
    """Send window: the hours of the day in which messages may be sent, in the recipient's local time.

    Interpreted strictly: for a number that may be in several time zones (Australian mobiles, Russian ones, +1 800) the
    window is open only while it is open in all of them, and a number without a known zone (satellite phones) may be
    anywhere. The time zone of this machine is never used. `default_zone` applies to numbers that would otherwise never
    be written to: those without a known zone, and those whose zones have no hour of the window in common, if it is one
    of their zones.
    """

    start: time
    end: time
    """The first minute that is outside. If it is not later than `start`, it belongs to the next day."""
    days: frozenset[int] = EVERY_DAY
    """The days on which the window opens, 0 for Monday."""
    default_zone: tzinfo | None = None
    """For numbers without a known zone or a common hour; with `None` they are not written to."""

    _cache: dict[_Zones, tuple[datetime, datetime, datetime | None]] = attrs.field(
        factory=dict, init=False, repr=False, eq=False
    )
    """Per group of time zones, the period for which a result is valid, and the result."""

    def __attrs_post_init__(self) -> None:
        if not self.days:
            raise InvalidSource("a send window needs a day to be open on; nothing was sent")
        if self.default_zone is None and not phone_numbers.is_installed():
            reason = "a send window without a default zone needs the package phonenumbers"
            raise InvalidSource(
                f"{reason}: {phone_numbers.INSTALL_HINT}, or add a default zone to the window; nothing was sent"
            )

    @classmethod
    def parse(cls, text: str, default_zone: tzinfo | None = None) -> Self:
        """Parse a window such as `09:00-20:00`, `mon-fri 09:00-20:00` or `sat,sun 10:00-14:00 Europe/Athens`.

        A zone in the text is the default zone. 24:00 is midnight, and a window from a time to the same time is a whole
        day. Raises `InvalidSource`.
        """
        found = _WINDOW.fullmatch(text.strip())
        if found is None:
            raise _invalid_window(text, "it must be like 09:00-20:00 or mon-fri 09:00-20:00 Europe/Athens")
        try:
            start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"].replace("24:00", "00:00"))
        except ValueError:
            raise _invalid_window(text, "times are 00:00 to 24:00") from None
        if found["zone"]:
            try:
                default_zone = ZoneInfo(found["zone"])
            except (ZoneInfoNotFoundError, ValueError):
                raise _invalid_window(text, f"{found['zone']} is no time zone, as Europe/Athens is") from None
        return cls(start, end, _parse_days(found["days"], text), default_zone)

    def opens_at(self, number: str, now: datetime) -> datetime | None:
        """Return when the window opens for a recipient, in UTC; `None` if it is open, `NEVER_OPENS` if it never opens.

        `now` must have a time zone.
        """
        zones = _zones_of(number) or (_ANYWHERE if self.default_zone is None else (self.default_zone,))
        cached = self._cache.get(zones)
        if cached is None or not cached[0] <= now < cached[1]:
            cached = self._cache[zones] = self._next_change(zones, now.astimezone(UTC))
        return cached[2]

    def _next_change(self, zones: _Zones, now: datetime) -> tuple[datetime, datetime, datetime | None]:
        changes = sorted({change for zone in zones for change in self._changes(zone, now) if change > now})
        if self._is_open(zones, now):
            return now, changes[0], None
        opening = next((change for change in changes if self._is_open(zones, change)), None)
        if opening is not None:
            return now, opening, opening
        if len(zones) > 1 and self.default_zone in zones:
            return self._next_change((self.default_zone,), now)
        return now, changes[0], NEVER_OPENS

    def _is_open(self, zones: _Zones, instant: datetime) -> bool:
        return all(self._contains(instant.astimezone(zone)) for zone in zones)

    def _contains(self, local: datetime) -> bool:
        """Return whether a local time is within the window. Hours after midnight belong to the day before."""
        now, day = local.time(), local.weekday()
        if self.start < self.end:
            return self.start <= now < self.end and day in self.days
        return (now >= self.start and day in self.days) or (now < self.end and (day - 1) % 7 in self.days)

    def _changes(self, zone: tzinfo, now: datetime) -> Iterator[datetime]:
        """Yield every later instant at which the local time of a zone may enter or leave the window."""
        today = now.astimezone(zone).date()
        before = now
        for ahead in range(-1, _DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            for local_time in (self.start, self.end, time.min):
                yield from _instants(day, local_time, zone)
            after = before + timedelta(days=1)
            if _offset(before, zone) != _offset(after, zone):
                yield _offset_change(before, after, zone)
            before = after


def has_single_utc_offset(number: str) -> bool:
    """Return whether the number's owner has one known UTC offset at any given time.

    That is not so for numbers of no place (satellite phones), for those that may be in several time zones (Russian
    mobiles, +1 800), and if `phonenumbers` is not installed. Numbers that differ only in their last four digits share
    one lookup.
    """
    return _have_one_offset(_zones_of(number))


@functools.lru_cache(4096)
def _have_one_offset(zones: _Zones) -> bool:
    """Return whether the zones, at least one, have the same UTC offset throughout the coming year."""
    if len(zones) < 2:
        return bool(zones)
    start = datetime.now(UTC)
    instants = [start + timedelta(hours=hours) for hours in range(0, 24 * 366, 6)]
    return all(len({_offset(instant, zone) for zone in zones}) == 1 for instant in instants)


def _parse_days(text: str | None, window: str) -> frozenset[int]:
    if text is None:
        return EVERY_DAY
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise _invalid_window(window, f"days are {', '.join(DAYS)}, and mon-fri for those between")
        start = DAYS.index(first)
        days.update((start + step) % 7 for step in range((DAYS.index(last or first) - start) % 7 + 1))
    return frozenset(days)


def _invalid_window(text: str, reason: str) -> InvalidSource:
    return InvalidSource(f"{text[:60]!r} is no send window: {reason}; nothing was sent")


def _instants(day: date, local_time: time, zone: tzinfo) -> Iterator[datetime]:
    """Yield when a local time occurs on a day: twice if the clock is set back."""
    for fold in (0, 1):
        yield datetime.combine(day, local_time, zone).replace(fold=fold).astimezone(UTC)


def _offset(instant: datetime, zone: tzinfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _offset_change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the second at which a zone's clock is set forward or back between two instants."""
    old = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        midpoint = before + (after - before) / 2
        before, after = (midpoint, after) if _offset(midpoint, zone) == old else (before, midpoint)
    return after.replace(microsecond=0)


def _zones_of(number: str) -> _Zones:
    # The last four digits do not affect the time zone: ten thousand numbers share one lookup.
    return _zones_of_prefix(number[:-4], len(number))


@functools.lru_cache(65536)
def _zones_of_prefix(prefix: str, length: int) -> _Zones:
    """Return the time zones of numbers with a prefix; empty if one of them is not known to this machine."""
    zones = [_zone(name) for name in phone_numbers.time_zones_of(prefix.ljust(length, "0"))]
    known = tuple(zone for zone in zones if zone is not None)
    return known if len(known) == len(zones) else ()


@functools.cache
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
