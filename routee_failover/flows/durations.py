"""Times to live: `timedelta` in Python, and on the wire the unit that the endpoint counts in.

Routee counts minutes on the standard and the transactional endpoint, and seconds on the two OTP ones. The unit stands
in the annotation of a field, so that the check, the way out and the way in cannot disagree.
"""

from datetime import timedelta
from typing import Annotated, NamedTuple

from .model import Reason, kind


class Unit(NamedTuple):
    """What an endpoint counts a duration in, and the smallest part of it, in seconds, that it can express."""

    name: str
    seconds: int
    step: int
    rule: str

    def number(self, value: timedelta) -> int | float:
        """The number that goes on the wire."""
        whole = value.days * 86400 + value.seconds
        if self.seconds == 1:
            return whole
        return whole // self.seconds if whole % self.seconds == 0 else whole / self.seconds

    def duration(self, number: object) -> timedelta | str:
        """The duration that a number on the wire says, or why it says none."""
        if not isinstance(number, int | float) or isinstance(number, bool):
            return f"must be a number of {self.name}, not {kind(number)}"
        try:
            seconds = round(number * self.seconds)
            value = timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return f"is no number of {self.name} that a duration can hold"
        # A decimal such as 0.1 has no exact binary form: what matters is whether it is the one nearest to whole steps.
        return value if seconds % self.step == 0 and seconds / self.seconds == number else self.rule


MINUTES = Unit("minutes", 60, 60, "must be whole minutes")
TENTHS_OF_MINUTES = Unit("minutes", 60, 6, "must be minutes with at most one decimal (steps of 6 seconds)")
SECONDS = Unit("seconds", 1, 1, "must be whole seconds")


class Span:
    """The check of a time to live: a `timedelta` that the unit expresses, within limits counted in it.

    `omitted` is what Routee takes where none is given; where it says nothing of that, the longest.
    """

    def __init__(self, unit: Unit, least: float, most: float | None = None, *, omitted: float | None = None) -> None:
        self.unit = unit
        self.shortest: timedelta = timedelta(seconds=least * unit.seconds)
        self.longest: timedelta = timedelta.max if most is None else timedelta(seconds=most * unit.seconds)
        self.omitted: timedelta = self.longest if omitted is None else timedelta(seconds=omitted * unit.seconds)
        self.limits: str = f"must be {f'at least {least}' if most is None else f'{least} to {most}'} {unit.name}"

    def __call__(self, value: object) -> Reason:
        """Why a value is no such time to live."""
        if not isinstance(value, timedelta):
            return (
                f"must be a timedelta, such as timedelta({self.unit.name}=5), not {kind(value)}: Routee counts minutes "
                "on the standard and transactional endpoints and seconds on the two OTP ones"
            )
        if not self.shortest <= value <= self.longest:
            return self.limits
        return self.unit.rule if value.microseconds or value.seconds % self.unit.step else None


SmsMinutes = Annotated[timedelta, Span(MINUTES, 1, 1440, omitted=1200)]
ViberMinutes = Annotated[timedelta, Span(TENTHS_OF_MINUTES, 0.5, 1440, omitted=10)]
Seconds = Annotated[timedelta, Span(SECONDS, 0, omitted=14 * 86400)]
"""Routee states no longest time in seconds. A time to live is no negative one.

Only a `ViberOtpMessage` may omit it, and what Routee takes then is not documented. That it is the 14 days of its
sibling `POST /viber`, the longest that Viber itself keeps a message, is inferred.
"""
