"""Numbering plans as patterns: E.164 numbers that `phonenumbers` would accept and give back as they are.

It takes 16 to 30 us to judge a number, a pattern that is made of its own tables takes less than one. A pattern accepts
less than the library does and never more: whatever it does not accept is judged by the library.
"""

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

Accepts = Callable[[str], object]
"""Whether a text is a valid number that stays as it is."""


class NumberingPlans(dict[str, Accepts]):
    """The patterns by what numbers begin with: their + and three digits, which are the country code or hold it."""

    def load(self, prefix: str, library: ModuleType) -> Accepts:
        """Return the pattern for numbers with a beginning, made when the first of them comes."""
        accepts = self.get(prefix)
        if accepts is None:
            code = _country_code(prefix[1:], library)
            accepts = self[prefix] = re.compile(_pattern(code, library), re.ASCII).fullmatch
        return accepts


NUMBERING_PLANS = NumberingPlans()

_NOTHING = r"(?!)"


def _country_code(digits: str, library: ModuleType) -> int:
    """Return the country code that digits begin with, 0 for none: no code is the beginning of another one."""
    codes = (int(digits[:length]) for length in (1, 2, 3))
    return next((code for code in codes if code in library.COUNTRY_CODE_TO_REGION_CODE), 0)


def _pattern(code: int, library: ModuleType) -> str:
    plans = list(_plans(code, library))
    if not plans:
        return _NOTHING
    prefix = plans[0].national_prefix_for_parsing  # the library goes by the first country of those with one code
    if prefix and re.match(prefix, ""):
        return _NOTHING
    stays = f"(?!{prefix})" if prefix else ""
    # The code of a mobile number twice: the library finds a valid number in some of these.
    stays += f"(?!{code}(?:{'|'.join(_mobiles(plans)) or _NOTHING})\\Z)"
    return rf"\+{code}{stays}(?=[0-9]{{4,{15 - len(str(code))}}}\Z)(?:{'|'.join(_countries(plans)) or _NOTHING})"


def _countries(plans: list[Any]) -> Iterator[str]:
    """Patterns for the countries of one code, in the order in which the library asks whose a number is.

    It goes by the first digits where a country has some of its own, and else by whether the number is one there.
    """
    earlier = ""
    for plan in plans:
        first = f"(?={plan.leading_digits})" if plan.leading_digits else ""
        yield f"{earlier}{first}(?:{'|'.join(_kinds(plan)) or _NOTHING})"
        if plan.leading_digits:
            earlier += f"(?!{plan.leading_digits})"


def _plans(code: int, library: ModuleType) -> Iterator[Any]:
    for region in library.COUNTRY_CODE_TO_REGION_CODE.get(code, ()):
        if region == library.phonenumberutil.REGION_CODE_FOR_NON_GEO_ENTITY:
            yield library.PhoneMetadata.metadata_for_nongeo_region(code)
        else:
            yield library.PhoneMetadata.metadata_for_region(region)


def _mobiles(plans: list[Any]) -> Iterator[str]:
    for plan in plans:
        if plan.mobile is not None and plan.mobile.national_number_pattern:
            yield plan.mobile.national_number_pattern


def _kinds(plan: Any) -> Iterator[str]:
    """Patterns for each kind of number that a country has."""
    whole = plan.general_desc
    kinds = (
        *(plan.mobile, plan.fixed_line, plan.premium_rate, plan.toll_free, plan.shared_cost),
        *(plan.voip, plan.personal_number, plan.pager, plan.uan, plan.voicemail),
    )
    for kind in kinds:
        if kind is not None and kind.national_number_pattern:
            lengths = "".join(f"(?={_of_length(desc)})" for desc in (whole, kind) if desc.possible_length)
            yield rf"{lengths}(?=(?:{whole.national_number_pattern})\Z)(?:{kind.national_number_pattern})\Z"


def _of_length(desc: Any) -> str:
    return "|".join(rf"[0-9]{{{length}}}\Z" for length in desc.possible_length if length > 0) or _NOTHING
