"""Quiet hours: when a recipient may be written to, by the clocks of where the number is from."""

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
"""Days: what opens once a week opens within them, even if a clock that is set forward skips it once."""

_Zones = tuple[tzinfo, ...]
_ANYWHERE: _Zones = tuple(timezone(timedelta(hours=hours)) for hours in range(-12, 15))
"""Every offset at which people live: for a number of which nothing is known."""

NEVER_OPENS = datetime.max.replace(tzinfo=UTC)
"""What `SendWindow.opens_at` gives for a number that no hour is fine for."""

NO_COMMON_HOUR = (
    Problem(
        (),
        "its number may be in several time zones that have no hour of the window in common, or in any: "
        "widen the window, or name the zone that such numbers go by in it, like 09:00-20:00 Europe/Moscow",
    ),
)
"""Why a row is not sent to a number for which the window never opens."""


@attrs.frozen
class SendWindow:
    """The hours of a day in which messages may be sent, by the recipient's clock.

    Read strictly: where a number may be in several time zones (Australian mobiles, Russian ones, +1 800), the window is
    open only while it is in all of them, and a number of which no zone is known (satellite phones) may be anywhere.
    This machine's clock is never asked. `default_zone` is the word for numbers that this would never open for: those
    without a known zone go by it, and those with zones that have no hour in common, if it is one of theirs.
    """

    start: time
    end: time
    """The first minute that is too late. At or before `start`, it is one of the next day."""
    days: frozenset[int] = EVERY_DAY
    """The days on which the window opens, 0 for Monday."""
    default_zone: tzinfo | None = None
    """For numbers without a known zone or a common hour; with `None` they are not written to."""

    _known: dict[_Zones, tuple[datetime, datetime, datetime | None]] = attrs.field(
        factory=dict, init=False, repr=False, eq=False
    )
    """For zones: since when and until when an answer holds, and the answer."""

    def __attrs_post_init__(self) -> None:
        if not self.days:
            raise InvalidSource("a window of hours needs a day to be open on; nothing was sent")
        if self.default_zone is None and not phone_numbers.is_installed():
            why = "the package phonenumbers tells where a number is from"
            raise InvalidSource(
                f"{why}: {phone_numbers.INSTALL_HINT}, or give the hours a zone of their own; nothing was sent"
            )

    @classmethod
    def parse(cls, text: str, default_zone: tzinfo | None = None) -> Self:
        """The window that a text says: `09:00-20:00`, `mon-fri 09:00-20:00`, `sat,sun 10:00-14:00 Europe/Athens`.

        The zone in it is the default one. 24:00 is midnight, and a window from a time to the same one is a whole day.
        Raises `InvalidSource`.
        """
        found = _WINDOW.fullmatch(text.strip())
        if found is None:
            raise _unclear(text, "it must be like 09:00-20:00 or mon-fri 09:00-20:00 Europe/Athens")
        try:
            start, end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"].replace("24:00", "00:00"))
        except ValueError:
            raise _unclear(text, "times are 00:00 to 24:00") from None
        if found["zone"]:
            try:
                default_zone = ZoneInfo(found["zone"])
            except (ZoneInfoNotFoundError, ValueError):
                raise _unclear(text, f"{found['zone']} is no time zone, as Europe/Athens is") from None
        return cls(start, end, _days(found["days"], text), default_zone)

    def opens_at(self, number: str, now: datetime) -> datetime | None:
        """When the recipient may be written to next, in UTC; `None` if that is now, `NEVER` if no hour is fine.

        `now` has a zone.
        """
        zones = _zones_of(number) or (_ANYWHERE if self.default_zone is None else (self.default_zone,))
        known = self._known.get(zones)
        if known is None or not known[0] <= now < known[1]:
            known = self._known[zones] = self._next_change(zones, now.astimezone(UTC))
        return known[2]

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
        return all(self._shows(instant.astimezone(zone)) for zone in zones)

    def _shows(self, clock: datetime) -> bool:
        """Whether a clock shows a time within the window. The small hours belong to the day before."""
        now, day = clock.time(), clock.weekday()
        if self.start < self.end:
            return self.start <= now < self.end and day in self.days
        return (now >= self.start and day in self.days) or (now < self.end and (day - 1) % 7 in self.days)

    def _changes(self, zone: tzinfo, now: datetime) -> Iterator[datetime]:
        """Every instant ahead at which a zone's clock may begin or cease to show a time within the window."""
        today = now.astimezone(zone).date()
        before = now
        for ahead in range(-1, _DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            for shown in (self.start, self.end, time.min):
                yield from _instants(day, shown, zone)
            after = before + timedelta(days=1)
            if _offset(before, zone) != _offset(after, zone):
                yield _shift(before, after, zone)
            before = after


def has_single_utc_offset(number: str) -> bool:
    """Return whether one UTC offset at any moment is known for the number's owner.

    It is not for numbers of no place (satellite phones), for those that may be in several time zones (Russian mobiles,
    +1 800), and where `phonenumbers` is not installed. Numbers that differ in their last four digits cost one look-up.
    """
    return _have_one_offset(_zones_of(number))


@functools.lru_cache(4096)
def _have_one_offset(zones: _Zones) -> bool:
    """Return whether zones, at least one, show the same time in the year ahead."""
    if len(zones) < 2:
        return bool(zones)
    start = datetime.now(UTC)
    moments = [start + timedelta(hours=hours) for hours in range(0, 24 * 366, 6)]
    return all(len({_offset(moment, zone) for zone in zones}) == 1 for moment in moments)


def _days(text: str | None, window: str) -> frozenset[int]:
    if text is None:
        return EVERY_DAY
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise _unclear(window, f"days are {', '.join(DAYS)}, and mon-fri for those between")
        start = DAYS.index(first)
        days.update((start + step) % 7 for step in range((DAYS.index(last or first) - start) % 7 + 1))
    return frozenset(days)


def _unclear(text: str, why: str) -> InvalidSource:
    return InvalidSource(f"{text[:60]!r} says no hours to send in: {why}; nothing was sent")


def _instants(day: date, shown: time, zone: tzinfo) -> Iterator[datetime]:
    """When a clock shows a time on a day: twice where it is set back."""
    for fold in (0, 1):
        yield datetime.combine(day, shown, zone).replace(fold=fold).astimezone(UTC)


def _offset(instant: datetime, zone: tzinfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _shift(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The second at which a zone's clock is set forward or back between two instants."""
    old = _offset(before, zone)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after.replace(microsecond=0)


def _zones_of(number: str) -> _Zones:
    # The last four digits of a number say nothing of where it is; ten thousand neighbours are looked up once.
    return _zones_near(number[:-4], len(number))


@functools.lru_cache(65536)
def _zones_near(prefix: str, length: int) -> _Zones:
    """Return the time zones of numbers with a prefix; none where one of them is not known to this machine."""
    zones = [_zone(name) for name in phone_numbers.time_zones_of(prefix.ljust(length, "0"))]
    known = tuple(zone for zone in zones if zone is not None)
    return known if len(known) == len(zones) else ()


@functools.cache
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None
