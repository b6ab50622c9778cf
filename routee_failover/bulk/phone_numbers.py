"""Phone numbers of a bulk run in E.164, validated against the numbering plans of `phonenumbers` if it is installed.

`phonenumbers` comes with `pip install 'routee-failover[bulk]'` and is imported when the first number needs it. It only
gets what `parse_number` has recognized as one number, because it skips and converts characters by itself.
"""

import functools
import re
from types import ModuleType
from typing import Any

from .._phone_number_parser import EXAMPLE_NUMBER, InvalidPhoneNumber, ParsedNumber, is_e164, parse_number
from ..errors import InvalidSource
from .numbering_plan_patterns import NUMBERING_PLANS

INSTALL_HINT = "pip install 'routee-failover[bulk]'"

_CACHE_SIZE = 16384  # more than the number of rows that are read ahead


@functools.lru_cache(_CACHE_SIZE)
def to_e164(text: str, region: str | None = None) -> str:
    """Return the number in E.164. `region` (such as `GR`) is the country of numbers that are written without one.

    Every number is validated, also one that is in E.164 already: if it may be written in several ways, as with a 0
    behind the country code, all of them give the same result. Without `phonenumbers` only + and country code are
    understood. Raises `InvalidPhoneNumber`, which never quotes the number.
    """
    if (accepts := NUMBERING_PLANS.get(text[:4])) is not None and accepts(text):
        return text
    library = _library()
    if library is not None and is_e164(text) and NUMBERING_PLANS.load(text[:4], library)(text):
        return text
    cell = parse_number(text)
    if library is None:
        return _validate_without_plans(cell)
    return _validate(cell, region, library)


def canonical_e164(number: str) -> str:
    """Return the canonical form of an E.164 number that may be written in several ways; an invalid one unchanged."""
    try:
        return to_e164(number)
    except InvalidPhoneNumber:
        return number


def check_region(region: str | None) -> None:
    """Raise `InvalidSource` for an unknown region, and for any region without `phonenumbers`."""
    if region is None:
        return
    library = _library()
    if library is None:
        raise InvalidSource(
            f"numbers of region {region} need the package phonenumbers: {INSTALL_HINT}; nothing was sent"
        )
    if region not in library.SUPPORTED_REGIONS:
        raise InvalidSource(f"{region!r} is no region: use two capital letters, such as GR; nothing was sent")


def _validate_without_plans(cell: ParsedNumber) -> str:
    number = f"+{cell.digits}"
    if cell.has_plus and cell.optional_zero is None and is_e164(number):
        return number
    if cell.has_plus and cell.optional_zero is None:
        raise InvalidPhoneNumber("must have 7 to 15 digits, the country code among them")
    raise InvalidPhoneNumber(
        f"must be + and country code, like {EXAMPLE_NUMBER}; other ways to write a number need {INSTALL_HINT}"
    )


def _validate(cell: ParsedNumber, region: str | None, library: ModuleType) -> str:
    if not cell.has_plus and region is None:
        if cell.digits.startswith("00"):
            raise InvalidPhoneNumber(f"begins with 00: write + in its place, like {EXAMPLE_NUMBER}, or give a region")
        raise InvalidPhoneNumber(
            f"must be an E.164 number, + and the country code first, like {EXAMPLE_NUMBER}, or a region is given"
        )
    number = _parse(cell.digits, region, library, has_plus=cell.has_plus)
    if not cell.has_plus:
        _check_international_prefix(cell.digits, number, region, library)
    if not library.is_valid_number(number):
        if _parse_without_zero(cell, region, library) is not None:
            raise InvalidPhoneNumber("has a 0 in parentheses, which numbers of its country do not have: leave it out")
        raise InvalidPhoneNumber(_reason_invalid(number, region, library, has_plus=cell.has_plus))
    if not _is_as_written(number, cell, region, library):
        raise InvalidPhoneNumber(
            f"is written as it is dialled inside its country: write it with +, {_example_of(number, library)}"
        )
    formatted: str = library.format_number(number, library.PhoneNumberFormat.E164)
    if not cell.has_plus and _differs_with_plus(cell.digits, number, region, library):
        raise InvalidPhoneNumber(
            f"is one number of {region} as it is, and another one with + before it: write it with +"
        )
    if _repeats_country_code(formatted, number, library):
        raise InvalidPhoneNumber("has its country code twice, and is a number with one of them, too: write it once")
    if _parse_without_zero(cell, region, library) not in (None, number):
        raise InvalidPhoneNumber("has a 0 in parentheses, and is a number with it and without it: write it in one way")
    if not is_e164(formatted):
        raise InvalidPhoneNumber("is longer than an international number may be, 15 digits")
    return formatted


def _parse(digits: str, region: str | None, library: ModuleType, *, has_plus: bool) -> Any:
    try:
        return library.parse(f"+{digits}" if has_plus else digits, None if has_plus else region)
    except library.NumberParseException as error:
        if error.error_type == error.INVALID_COUNTRY_CODE:
            raise InvalidPhoneNumber("begins with a country code that no country has") from None
        raise InvalidPhoneNumber("is too short or too long for a phone number") from None


def _reason_invalid(number: Any, region: str | None, library: ModuleType, *, has_plus: bool) -> str:
    is_abroad = has_plus or number.country_code != library.country_code_for_region(region)
    where = "its country" if is_abroad else str(region)
    reason = library.is_possible_number_with_reason(number)
    kinds = library.ValidationResult
    if reason == kinds.TOO_LONG:
        return f"is too long for a number of {where}: is it two, or a digit too many?"
    if reason in {kinds.TOO_SHORT, kinds.INVALID_LENGTH}:
        return f"is no number of {where}: it has too few digits, or too many"
    if reason == kinds.IS_POSSIBLE_LOCAL_ONLY:
        return f"is no number of {where}: it lacks its area code"
    return (
        f"is no number of {where} that phonenumbers {library.__version__} knows, "
        f"{_example_of(number, library)} is one; "
        "if it is right, a newer phonenumbers may know it (pip install -U phonenumbers), "
        "and RouteeClient.send takes any number in E.164"
    )


def _example_of(number: Any, library: ModuleType) -> str:
    """Return an example number of the same country, never the number itself."""
    region = library.region_code_for_country_code(number.country_code)
    example = library.example_number_for_type(region, library.PhoneNumberType.MOBILE)
    if example is None:
        example = library.example_number_for_non_geo_entity(number.country_code)
    if example is None:
        return f"like {EXAMPLE_NUMBER}"
    return f"like {library.format_number(example, library.PhoneNumberFormat.INTERNATIONAL)}"


def _is_as_written(number: Any, cell: ParsedNumber, region: str | None, library: ModuleType) -> bool:
    """Return whether the written digits end in the number, with only prefixes before it.

    These are an international prefix of the region, the country code and a national prefix. If a plan changes, adds or
    drops other digits (Argentina's 15, a carrier, an area code), the number would not be the one that was written.
    """
    national: str = library.national_significant_number(number)
    if not cell.digits.endswith(national):
        return False
    before = cell.digits[: len(cell.digits) - len(national)]
    code = str(number.country_code)
    trunk = _national_prefix_pattern(library, number.country_code)
    if cell.has_plus:
        return re.fullmatch(f"{code}(?:{trunk})?", before) is not None
    home_plan = library.PhoneMetadata.metadata_for_region(region)
    if home_plan.country_code == number.country_code and re.fullmatch(f"(?:{code})?(?:{trunk})?", before):
        return True
    return re.fullmatch(f"(?:{home_plan.international_prefix}){code}(?:{trunk})?", before) is not None


def _national_prefix_pattern(library: ModuleType, country_code: int) -> str:
    """Return a pattern for the national prefixes of a country."""
    region = library.region_code_for_country_code(country_code)
    plan = library.PhoneMetadata.metadata_for_region(region)
    if plan is None or plan.national_prefix is None:
        return ""
    # Lithuania's is 0, and was 8; a pattern with groups or more digits selects carriers.
    parsing_prefix = plan.national_prefix_for_parsing or ""
    return (
        f"{plan.national_prefix}|{parsing_prefix}"
        if re.fullmatch(r"\[[0-9]+\]|[0-9?|]{1,5}", parsing_prefix)
        else plan.national_prefix
    )


def _check_international_prefix(digits: str, number: Any, region: str | None, library: ModuleType) -> None:
    """Raise `InvalidPhoneNumber` for a 00 that selects a carrier: in Brazil, 0055 leads to the country behind it."""
    if digits.startswith("00") and _parse_valid(digits[2:], library) not in (None, number):
        raise InvalidPhoneNumber(
            f"begins with 00, which is not dialled in {region} as in other countries: write + in its place"
        )


def _differs_with_plus(digits: str, number: Any, region: str | None, library: ModuleType) -> bool:
    """Return whether digits that begin with the country's own code are another number with + before them."""
    own_code = str(library.country_code_for_region(region))
    return digits.startswith(own_code) and _parse_valid(digits, library) not in (None, number)


def _parse_valid(digits: str, library: ModuleType) -> Any | None:
    """Return the number that the digits are with a + before them, if it is valid."""
    try:
        number = _parse(digits, None, library, has_plus=True)
    except InvalidPhoneNumber:
        return None
    return number if library.is_valid_number(number) else None


def _repeats_country_code(formatted: str, number: Any, library: ModuleType) -> bool:
    """Return whether a number with its country code repeated happens to be valid, as +49 49 151... is."""
    code = str(number.country_code)
    if not formatted.startswith(f"+{code}{code}"):
        return False
    without_repeat = _parse_valid(formatted[1 + len(code) :], library)
    return without_repeat is not None and library.number_type(without_repeat) == library.PhoneNumberType.MOBILE


def _parse_without_zero(cell: ParsedNumber, region: str | None, library: ModuleType) -> Any | None:
    """Return the number without its 0 in parentheses, if it has one and is valid without it."""
    if cell.optional_zero is None:
        return None
    digits = cell.digits[: cell.optional_zero] + cell.digits[cell.optional_zero + 1 :]
    try:
        number = _parse(digits, region, library, has_plus=cell.has_plus)
    except InvalidPhoneNumber:
        return None
    return number if library.is_valid_number(number) else None


def country_of(number: str) -> str | None:
    """Return the ISO 3166 code of a number's country, such as `GR`; `None` if it is not known."""
    library = _library()
    if library is None:
        return None
    try:
        country: str | None = library.region_code_for_number(library.parse(number))
    except library.NumberParseException:
        return None
    return country if country is not None and country.isalpha() else None  # 001 is the world's


def cached_country_of(number: str) -> str | None:
    """Return `country_of`, cached: numbers that differ only in their last four digits share one lookup."""
    return _country_of_prefix(number[:-4], len(number))


@functools.lru_cache(65536)
def _country_of_prefix(prefix: str, length: int) -> str | None:
    return country_of(prefix.ljust(length, "0"))


def time_zones_of(number: str) -> tuple[str, ...]:
    """Return the time zones that a number's owner may be in; empty if none is known."""
    library = _library()
    if library is None:
        return ()
    from phonenumbers import timezone  # noqa: PLC0415  # a large table, loaded on demand

    try:
        zones: tuple[str, ...] = timezone.time_zones_for_number(library.parse(number))
    except library.NumberParseException:
        return ()
    return () if timezone.UNKNOWN_TIMEZONE in zones else zones


def is_installed() -> bool:
    """Return whether `phonenumbers` is installed."""
    return _library() is not None


@functools.cache
def _library() -> ModuleType | None:
    try:
        import phonenumbers  # noqa: PLC0415  # optional dependency
    except ImportError:
        return None
    return phonenumbers
