"""Numbering plans compiled to patterns: E.164 numbers that `phonenumbers` would accept and return unchanged.

The library takes 16 to 30 us for a number; a pattern built from its own tables takes less than one. A pattern accepts
less than the library does and never more: what it does not accept is checked by the library.
"""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

NumberPattern = Callable[[str], object]
"""Matcher that returns a true value for a valid number that the library would return unchanged."""


class NumberingPlans(dict[str, NumberPattern]):
    """Patterns by number prefix: the + and three digits, which are the country code or contain it."""

    def load(self, prefix: str, library: ModuleType) -> NumberPattern:
        """Return the pattern for numbers with a prefix, compiled on first use."""
        pattern = self.get(prefix)
        if pattern is None:
            code = _country_code(prefix[1:], library)
            pattern = self[prefix] = re.compile(_pattern(code, library), re.ASCII).fullmatch
        return pattern


NUMBERING_PLANS = NumberingPlans()

_NO_MATCH = r"(?!)"


def _country_code(digits: str, library: ModuleType) -> int:
    """Return the country code that the digits begin with, 0 for none: no code is a prefix of another."""
    codes = (int(digits[:length]) for length in (1, 2, 3))
    return next((code for code in codes if code in library.COUNTRY_CODE_TO_REGION_CODE), 0)


def _pattern(code: int, library: ModuleType) -> str:
    plans = list(_plans(code, library))
    if not plans:
        return _NO_MATCH
    prefix = plans[0].national_prefix_for_parsing  # the library uses that of the first country with the code
    if prefix and re.match(prefix, ""):
        return _NO_MATCH
    exclusions = f"(?!{prefix})" if prefix else ""
    # A mobile number with its country code twice: some of these are valid numbers to the library.
    exclusions += f"(?!{code}(?:{'|'.join(_mobile_patterns(plans)) or _NO_MATCH})\\Z)"
    return (
        rf"\+{code}{exclusions}(?=[0-9]{{4,{15 - len(str(code))}}}\Z)"
        rf"(?:{'|'.join(_country_patterns(plans)) or _NO_MATCH})"
    )


def _country_patterns(plans: list[Any]) -> Iterator[str]:
    """Yield a pattern for each country of one code, in the order in which the library identifies the country.

    It goes by the leading digits if the country has some, otherwise by whether the number is valid there.
    """
    exclude_earlier = ""
    for plan in plans:
        leading_digits = f"(?={plan.leading_digits})" if plan.leading_digits else ""
        yield f"{exclude_earlier}{leading_digits}(?:{'|'.join(_number_types(plan)) or _NO_MATCH})"
        if plan.leading_digits:
            exclude_earlier += f"(?!{plan.leading_digits})"


def _plans(code: int, library: ModuleType) -> Iterator[Any]:
    for region in library.COUNTRY_CODE_TO_REGION_CODE.get(code, ()):
        if region == library.phonenumberutil.REGION_CODE_FOR_NON_GEO_ENTITY:
            yield library.PhoneMetadata.metadata_for_nongeo_region(code)
        else:
            yield library.PhoneMetadata.metadata_for_region(region)


def _mobile_patterns(plans: list[Any]) -> Iterator[str]:
    for plan in plans:
        if plan.mobile is not None and plan.mobile.national_number_pattern:
            yield plan.mobile.national_number_pattern


def _number_types(plan: Any) -> Iterator[str]:
    """Yield a pattern for each type of number that a country has."""
    general = plan.general_desc
    number_types = (
        *(plan.mobile, plan.fixed_line, plan.premium_rate, plan.toll_free, plan.shared_cost),
        *(plan.voip, plan.personal_number, plan.pager, plan.uan, plan.voicemail),
    )
    for number_type in number_types:
        if number_type is not None and number_type.national_number_pattern:
            lengths = "".join(f"(?={_length_pattern(desc)})" for desc in (general, number_type) if desc.possible_length)
            yield rf"{lengths}(?=(?:{general.national_number_pattern})\Z)(?:{number_type.national_number_pattern})\Z"


def _length_pattern(desc: Any) -> str:
    return "|".join(rf"[0-9]{{{length}}}\Z" for length in desc.possible_length if length > 0) or _NO_MATCH
