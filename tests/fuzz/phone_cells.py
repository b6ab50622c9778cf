"""Phone cells: numbers as people, spreadsheets and this package's own exports write them, spoiled in known ways."""

import re
import unicodedata
from functools import cache

import phonenumbers

from routee_failover._phone_numbers import InvalidPhoneNumber
from routee_failover.bulk.phone_numbers import to_e164

from .inputs import Source, one_of

REGIONS = ["AR", "AT", "AU", "BR", "CI", "CN", "DE", "FR", "GB", "GR", "HU", "IN", "IT", "JP", "LT", "MX", "RU", "US"]
_STYLES = [
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
]
_SEPARATORS = [" / ", "/", ";", "; ", ",", ", ", "|", "\n", "\r\n", " or ", " & ", "+", " +", "\\", " oder ", "\u2028"]
"""What stands between two numbers. A blank alone does not tell two from one."""
_FRACTIONS = [".5", ".75", ",0", ",00", ".0e0", "e0", "E+2"]
_MARKS = ["\u200b", "\u200e", "\u202c", "\u00a0", "\u2060", "\ufeff", " ", "\u2009", "\u00ad"]
_ALPHABET = (
    "0123456789" * 3
    + "++  -./()\t"
    + "OolIxX*#•…?_'\"=:;,abcZé²½Ⅷ٣\uff13\uff0b\uff0d\u2013\u202e\u200b\u00a0\n\r\0\ud800"
)
_scheme = re.compile(r"\s*(?:tel|whatsapp):", re.IGNORECASE).match
_is_e164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII).fullmatch
_BETWEEN = "+-./()\u2212"
_WIDE = "\uff0b\ufe62\uff0e\uff0f\uff08\uff09"


@cache
def _examples(region: str) -> list[phonenumbers.PhoneNumber]:
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    found = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    return [number for number in found if number is not None]


def cell(source: Source) -> None:
    """A number that is written in one way, and one thing about it that is known."""
    region = one_of(source, REGIONS)
    example = one_of(source, _examples(region))
    # Another subscriber each time: the last four digits say nothing about the plan.
    like = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    its = f"{like[:-4]}{source.upto(9_999):04}"
    number = phonenumbers.parse(its)
    style = one_of(source, _STYLES)
    text = phonenumbers.format_number(number, style)
    asked = region if style == phonenumbers.PhoneNumberFormat.NATIONAL or source.upto(1) else None
    match source.upto(8):
        case 0:  # it is written like this
            judge(text, asked, its)
        case 1:  # something that is no digit stands in it
            at = source.upto(len(text))
            sign = one_of(source, list("OolIXxZé*#•…?_=:;,½²Ⅷ\0\x1b\ufffd"))
            refused(text[:at] + sign + text[at:], asked)
        case 2:  # a digit is hidden, or a letter that looks like it
            places = [place for place, letter in enumerate(text) if letter.isdigit()]
            at = one_of(source, places)
            width = 1 + source.upto(3)
            refused(text[:at] + one_of(source, list("*XxO•#?_lI")) * width + text[at + width :], asked)
        case 3:  # a second number stands behind it
            second = phonenumbers.format_number(example, one_of(source, _STYLES))
            refused(text + one_of(source, _SEPARATORS) + second, asked)
        case 4:  # a table has written it as a number with a fraction
            digits = its.removeprefix("+") if source.upto(1) else its
            refused(digits + one_of(source, _FRACTIONS), asked)
            judge(digits + ".0", asked, its)
        case 5:  # a name, a word or an extension stands beside it
            word = one_of(source, ["Eva", "(Max)", "ext. 12", "x12", "#4", "mobile", "Büro", "п", "N/A", "\u202eoiram"])
            refused(f"{text} {word}" if source.upto(1) else f"{word} {text}", asked)
        case 6:  # marks and blanks that nobody sees
            at = source.upto(len(text))
            judge(text[:at] + one_of(source, _MARKS) + text[at:], asked, its)
        case 7:  # some letters are others
            letters = list(text)
            for _ in range(1 + source.upto(3)):
                at = source.upto(len(letters) - 1)
                letters[at : at + source.upto(2)] = one_of(source, list(_ALPHABET))
            judge("".join(letters), asked)
        case _:  # anything
            judge("".join(one_of(source, list(_ALPHABET)) for _ in range(source.upto(24))) + source.text(), asked)


def refused(text: str, region: str | None) -> None:
    """The cell is no number."""
    assert _read(text, region) is None, f"{text!r} of {region} is taken for a number"


def judge(text: str, region: str | None, its: str | None = None) -> None:
    """Where the cell is taken for a number, nothing was skipped, turned into a digit or added, and it is `its`."""
    found = _read(text, region)
    if found is None:
        return
    where = f"{text!r} of {region} is taken for {found}"
    assert _is_e164(found), where
    assert its is None or found == its, where
    scheme = _scheme(text)
    written = text[scheme.end() if scheme else 0 :].strip()
    if re.fullmatch(r"\+?[0-9]+\.0", written):
        written = written[:-2]
    digits, between = "", ""
    for letter in written:
        digit = unicodedata.decimal(letter, None)
        if digit is not None:
            digits += str(digit)
        elif not letter.isspace() and unicodedata.category(letter) != "Cf":
            between += "+" if letter in "\uff0b\ufe62" else letter
    assert all(letter in _BETWEEN + _WIDE or unicodedata.category(letter) == "Pd" for letter in between), where
    assert "+" not in between[1:].replace("(+", "") or between.startswith("(+"), where
    try:
        number = phonenumbers.parse(found)
    except phonenumbers.NumberParseException:
        raise AssertionError(where) from None
    national = phonenumbers.national_significant_number(number)
    assert digits.endswith(national), where
    # Before it stand an international prefix, the country code, and a national prefix, or the last of these alone.
    before, code = digits[: len(digits) - len(national)], number.country_code
    prefix = "" if "+" in between else r"(?:\d{2,5})?"
    assert re.fullmatch(rf"(?:{prefix}{code})?\d{{0,2}}", before), where


def _read(text: str, region: str | None) -> str | None:
    try:
        return to_e164(text, region)
    except InvalidPhoneNumber:
        return None
