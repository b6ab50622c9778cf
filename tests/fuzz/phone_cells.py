"""Phone cells: numbers as people, spreadsheets and this package's own exports write them, mutated in known ways."""

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
"""Separators between two numbers. A blank alone does not separate two."""
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


def fuzz_phone_cell(source: Source) -> None:
    """Generate a number in one spelling, apply one known mutation, and check how the cell is read."""
    region = one_of(source, REGIONS)
    example = one_of(source, _examples(region))
    # Another subscriber each time: the numbering plan does not depend on the last four digits.
    example_text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    expected = f"{example_text[:-4]}{source.upto(9_999):04}"
    number = phonenumbers.parse(expected)
    style = one_of(source, _STYLES)
    text = phonenumbers.format_number(number, style)
    given_region = region if style == phonenumbers.PhoneNumberFormat.NATIONAL or source.upto(1) else None
    match source.upto(8):
        case 0:  # the number in this spelling
            check_phone_cell(text, given_region, expected)
        case 1:  # a character that is not a digit is inserted
            index = source.upto(len(text))
            character = one_of(source, list("OolIXxZé*#•…?_=:;,½²Ⅷ\0\x1b\ufffd"))
            assert_refused(text[:index] + character + text[index:], given_region)
        case 2:  # a digit is masked, or replaced by a similar letter
            positions = [position for position, letter in enumerate(text) if letter.isdigit()]
            index = one_of(source, positions)
            width = 1 + source.upto(3)
            assert_refused(
                text[:index] + one_of(source, list("*XxO•#?_lI")) * width + text[index + width :], given_region
            )
        case 3:  # a second number follows
            second = phonenumbers.format_number(example, one_of(source, _STYLES))
            assert_refused(text + one_of(source, _SEPARATORS) + second, given_region)
        case 4:  # a spreadsheet wrote it as a number with a fraction
            digits = expected.removeprefix("+") if source.upto(1) else expected
            assert_refused(digits + one_of(source, _FRACTIONS), given_region)
            check_phone_cell(digits + ".0", given_region, expected)
        case 5:  # a name, a word or an extension is added
            word = one_of(source, ["Eva", "(Max)", "ext. 12", "x12", "#4", "mobile", "Büro", "п", "N/A", "\u202eoiram"])
            assert_refused(f"{text} {word}" if source.upto(1) else f"{word} {text}", given_region)
        case 6:  # an invisible mark or a blank is inserted
            index = source.upto(len(text))
            check_phone_cell(text[:index] + one_of(source, _MARKS) + text[index:], given_region, expected)
        case 7:  # some characters are replaced
            letters = list(text)
            for _ in range(1 + source.upto(3)):
                index = source.upto(len(letters) - 1)
                letters[index : index + source.upto(2)] = one_of(source, list(_ALPHABET))
            check_phone_cell("".join(letters), given_region)
        case _:  # anything
            check_phone_cell(
                "".join(one_of(source, list(_ALPHABET)) for _ in range(source.upto(24))) + source.text(), given_region
            )


def assert_refused(text: str, region: str | None) -> None:
    """Assert that the cell is not read as a number."""
    assert _read(text, region) is None, f"{text!r} of {region} is read as a number"


def check_phone_cell(text: str, region: str | None, expected: str | None = None) -> None:
    """Assert that a cell read as a number lost, gained and changed no digit, and is `expected` if that is given."""
    found = _read(text, region)
    if found is None:
        return
    message = f"{text!r} of {region} is read as {found}"
    assert _is_e164(found), message
    assert expected is None or found == expected, message
    scheme = _scheme(text)
    stripped = text[scheme.end() if scheme else 0 :].strip()
    if re.fullmatch(r"\+?[0-9]+\.0", stripped):
        stripped = stripped[:-2]
    digits, separators = "", ""
    for letter in stripped:
        digit = unicodedata.decimal(letter, None)
        if digit is not None:
            digits += str(digit)
        elif not letter.isspace() and unicodedata.category(letter) != "Cf":
            separators += "+" if letter in "\uff0b\ufe62" else letter
    assert all(letter in _BETWEEN + _WIDE or unicodedata.category(letter) == "Pd" for letter in separators), message
    assert "+" not in separators[1:].replace("(+", "") or separators.startswith("(+"), message
    try:
        number = phonenumbers.parse(found)
    except phonenumbers.NumberParseException:
        raise AssertionError(message) from None
    national = phonenumbers.national_significant_number(number)
    assert digits.endswith(national), message
    # It is preceded by an international prefix, the country code and a national prefix, or by the last of these alone.
    prefix_digits, code = digits[: len(digits) - len(national)], number.country_code
    prefix = "" if "+" in separators else r"(?:\d{2,5})?"
    assert re.fullmatch(rf"(?:{prefix}{code})?\d{{0,2}}", prefix_digits), message


def _read(text: str, region: str | None) -> str | None:
    try:
        return to_e164(text, region)
    except InvalidPhoneNumber:
        return None
