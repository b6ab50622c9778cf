"""Phone numbers as people write them become E.164; `phonenumbers` is asked only where the writing needs it.

It comes with `pip install 'routee-failover[bulk]'` and is loaded when the first number needs it.
"""

import functools
import re
from types import ModuleType

from ..errors import InvalidSource

INSTALL = "pip install 'routee-failover[bulk]'"

_is_e164 = re.compile(r"\+[1-9][0-9]{7,14}").fullmatch

_is_rounded = re.compile(r"[0-9]([.,][0-9]+)?[eE]\+?[0-9]{1,2}").fullmatch


class NoNumber(ValueError):
    """A text is no phone number; says why without quoting it."""


def e164(text: str, region: str | None = None) -> str:
    """The number in E.164. `region` (such as `GR`) is the country of those that are written without one.

    What is `+` and 8 to 15 digits passes as it is: it is Routee's to know the numbering plans of the day. Raises
    `NoNumber`.
    """
    return text if _is_e164(text) else _parsed(text.strip(), region)


def check_region(region: str | None) -> None:
    """Raises `InvalidSource` for a region that nobody knows, and where the numbers of one cannot be read."""
    if region is None:
        return
    library = _library()
    if library is None:
        raise InvalidSource(f"numbers of region {region} need the package phonenumbers: {INSTALL}; nothing was sent")
    if region not in library.SUPPORTED_REGIONS:
        raise InvalidSource(f"{region!r} is no region: two capital letters are, such as GR; nothing was sent")


@functools.lru_cache(4096)
def _parsed(text: str, region: str | None) -> str:
    if not text:
        raise NoNumber("must not be empty")
    if _is_e164(text):
        return text
    if _is_rounded(text):
        raise NoNumber("is a number that a spreadsheet has rounded; write the column as text")
    international = text.startswith(("+", "\uff0b"))
    if not international and region is None:
        raise NoNumber("must be an E.164 number, like +306912345678, or a default region must be given")
    library = _library()
    if library is None:
        raise NoNumber(f"must be + and 8 to 15 digits; other ways to write a number need {INSTALL}")
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        raise NoNumber("is no phone number") from None
    if number.extension or not library.is_valid_number(number):
        where = "its country" if international else region
        raise NoNumber(f"is no number of {where} that can be called; one in E.164 is sent as it is")
    written: str = library.format_number(number, library.PhoneNumberFormat.E164)
    return written


def country_of(number: str) -> str | None:
    """The ISO 3166 code of a number's country, such as `GR`; `None` where that is not known."""
    library = _library()
    if library is None:
        return None
    try:
        country: str | None = library.region_code_for_number(library.parse(number))
    except library.NumberParseException:
        return None
    return country if country is not None and country.isalpha() else None  # 001 is the world's


def country_near(number: str) -> str | None:
    """`country_of`, asked once for ten thousand neighbours: the last four digits of a number say nothing of it."""
    return _country_near(number[:-4], len(number))


@functools.lru_cache(65536)
def _country_near(prefix: str, length: int) -> str | None:
    return country_of(prefix.ljust(length, "0"))


def time_zones_of(number: str) -> tuple[str, ...]:
    """The time zones that a number's owner may be in; none where that is not known."""
    library = _library()
    if library is None:
        return ()
    from phonenumbers import timezone  # noqa: PLC0415  # a table of its own, for those who ask

    try:
        zones: tuple[str, ...] = timezone.time_zones_for_number(library.parse(number))
    except library.NumberParseException:
        return ()
    return () if zones == (timezone.UNKNOWN_TIMEZONE,) else zones


def is_installed() -> bool:
    """Whether `phonenumbers` is there."""
    return _library() is not None


@functools.cache
def _library() -> ModuleType | None:
    try:
        import phonenumbers  # noqa: PLC0415  # an extra
    except ImportError:
        return None
    return phonenumbers
