"""Times to live: `timedelta` in Python, and the unit of the endpoint in JSON.

Routee counts minutes on the standard and the transactional endpoint, and seconds on the two OTP ones. The unit is part
of a field's annotation, so that validating, dumping and loading cannot disagree.
"""

from datetime import timedelta
from typing import Annotated, NamedTuple

from .model_validation import ValidationResult, type_name


class DurationUnit(NamedTuple):
    """Unit in which an endpoint counts durations: its length and its smallest step (`resolution`), both in seconds."""

    name: str
    seconds: int
    resolution: int
    requirement: str

    def to_number(self, value: timedelta) -> int | float:
        """Return the duration as the number that JSON has."""
        whole = value.days * 86400 + value.seconds
        if self.seconds == 1:
            return whole
        return whole // self.seconds if whole % self.seconds == 0 else whole / self.seconds

    def from_number(self, number: object) -> timedelta | str:
        """Return the duration that a number in JSON means, or the reason why it means none."""
        if not isinstance(number, int | float) or isinstance(number, bool):
            return f"must be a number of {self.name}, not {type_name(number)}"
        try:
            seconds = round(number * self.seconds)
            value = timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return f"is not a number of {self.name} that a timedelta can hold"
        # A decimal such as 0.1 has no exact binary form: it is valid if it is the float nearest to whole steps.
        return value if seconds % self.resolution == 0 and seconds / self.seconds == number else self.requirement


MINUTES = DurationUnit("minutes", 60, 60, "must be whole minutes")
TENTHS_OF_MINUTES = DurationUnit("minutes", 60, 6, "must be minutes with at most one decimal (steps of 6 seconds)")
SECONDS = DurationUnit("seconds", 1, 1, "must be whole seconds")


class DurationRange:
    """Validator of a time to live: a `timedelta` within limits, which are counted in `unit`, that the unit can express.

    `default` is Routee's when none is given; where Routee documents no default, it is the maximum.
    """

    def __init__(
        self, unit: DurationUnit, minimum: float, maximum: float | None = None, *, default: float | None = None
    ) -> None:
        self.unit = unit
        self._resolution = unit.resolution
        self.minimum: timedelta = timedelta(seconds=minimum * unit.seconds)
        self.maximum: timedelta = timedelta.max if maximum is None else timedelta(seconds=maximum * unit.seconds)
        self.default: timedelta = self.maximum if default is None else timedelta(seconds=default * unit.seconds)
        self.requirement: str = (
            f"must be {f'at least {minimum}' if maximum is None else f'{minimum} to {maximum}'} {unit.name}"
        )

    def __call__(self, value: object) -> ValidationResult:
        """Return the reason why a value is invalid, or `None`."""
        if not isinstance(value, timedelta):
            return (
                f"must be a timedelta, such as timedelta({self.unit.name}=5), not {type_name(value)}: Routee counts "
                "minutes on the standard and transactional endpoints and seconds on the two OTP ones"
            )
        if not self.minimum <= value <= self.maximum:
            return self.requirement
        return self.unit.requirement if value.microseconds or value.seconds % self._resolution else None


SmsTtl = Annotated[timedelta, DurationRange(MINUTES, 1, 1440, default=1200)]
ViberTtl = Annotated[timedelta, DurationRange(TENTHS_OF_MINUTES, 0.5, 1440, default=10)]
OtpTtl = Annotated[timedelta, DurationRange(SECONDS, 0, default=14 * 86400)]
"""Time to live in seconds. Routee documents no maximum; a negative one is invalid.

Only a `ViberOtpMessage` may omit it, and Routee's default for it is not documented. Inferred: it is the 14 days of its
sibling `POST /viber`, the longest that Viber itself keeps a message.
"""
