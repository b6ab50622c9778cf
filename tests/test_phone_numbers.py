"""Phone number syntax: a cell is parsed, or refused with a reason that does not quote it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._phone_numbers import INVISIBLE_CHARACTERS, InvalidPhoneNumber, ParsedNumber, is_e164, parse_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+306912345678", ParsedNumber(True, "306912345678")),
        (" 6912345678\r\n", ParsedNumber(False, "6912345678")),
        ("+30 691-234.5678", ParsedNumber(True, "306912345678")),
        ("(+30) 691 234 5678", ParsedNumber(True, "306912345678")),
        ("+1 (212) 555-0100", ParsedNumber(True, "12125550100")),
        ("1.212.555.0100", ParsedNumber(False, "12125550100")),
        ("+43.6649990017", ParsedNumber(True, "436649990017")),
        ("210/1234567", ParsedNumber(False, "2101234567")),
        ("030/1234567", ParsedNumber(False, "0301234567")),
        ("+49 (0) 30 12345-67", ParsedNumber(True, "490301234567", 2)),
        ("436649990017.0", ParsedNumber(False, "436649990017")),
        ("00420 (0)601 123456", ParsedNumber(False, "004200601123456", 5)),
        ("22.33.44.55", ParsedNumber(False, "22334455")),
        ("TEL:+30-691-234-5678", ParsedNumber(True, "306912345678")),
        ("whatsapp: +306912345678", ParsedNumber(True, "306912345678")),
        ("\uff0b30 69", ParsedNumber(True, "3069")),
        ("\u0660\u0666\u0669\u0661", ParsedNumber(False, "0691")),
        ("+30\u00a0691\u2009234\u202f5678\u3000", ParsedNumber(True, "306912345678")),
        ("+30 691\u2013234\u22125678", ParsedNumber(True, "306912345678")),
        ("+30\u200b6912\u2060345678\u202c", ParsedNumber(True, "306912345678")),
        ("+30\t6912345678", ParsedNumber(True, "306912345678")),
        ("8-(912)-345-67-89", ParsedNumber(False, "89123456789")),
        ("1-(212)-555-0100", ParsedNumber(False, "12125550100")),
        ("079.123.45.67", ParsedNumber(False, "0791234567")),
        ("01.42.68.53.00", ParsedNumber(False, "0142685300")),
        ("+43/664/1234567", ParsedNumber(True, "436641234567")),
        ("+32/470/12.34.56", ParsedNumber(True, "32470123456")),
        ("0043/664/1234567", ParsedNumber(False, "00436641234567")),
        ("06/20/123-4567", ParsedNumber(False, "06201234567")),
        ("06/12/34/56/78", ParsedNumber(False, "0612345678")),
        ("089 / 12 34 56 - 0", ParsedNumber(False, "0891234560")),
        ("0664 012 3456", ParsedNumber(False, "06640123456")),
        ("01 04 05 06 07", ParsedNumber(False, "0104050607")),
    ],
)
def test_written_number_is_parsed_to_its_digits(text: str, number: ParsedNumber) -> None:
    """Separators and marks are dropped, a digit of any script is that digit, and nothing else is read."""
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \u00a0", "empty"),
        ("tel:", "empty"),
        ("+43 664 9990017 Eva", "letters"),
        ("+43 664 9990018 (Max)", "letters"),
        ("+43 664 9990018 (2)", "in parentheses after it"),
        ("0123 (45)", "in parentheses after it"),
        ("+3069OOO00012", "letters"),
        ("664 12345O7", "letters"),
        ("Order 4711 0815", "letters"),
        ("1-800-FLOWERS", "letters"),
        ("nan", "letters"),
        ("+306912345678 \u0395\u03cd\u03b1", "letters"),
        ("+30690000XXXX", "masked"),
        ("+30 69xx xxx678", "masked"),
        ("+4930****5678", "masked"),
        ("+4930*5678", "masked"),
        ("+30 69\u2022\u2022\u2022\u202278", "masked"),
        ("+30 69\u202678", "masked"),
        ("+30 69__ ___78", "masked"),
        ("+30 69????78", "masked"),
        ("+30 69 ### 78", "masked"),
        ("+30 69..78", "masked"),
        ("+30 69--78", "masked"),
        ("030 12345 / 030 12346", "two numbers"),
        ("030 12345 030 12346", "two numbers"),
        ("030 12345-12346", "two numbers"),
        ("030 1234 040 1235", "two numbers"),
        ("0301234 0401235", "two numbers"),
        ("0664 1234 - 0676 567", "two numbers"),
        ("48.2082 16.3738", "a fraction"),
        ("12.50/13.50", "a fraction|area code"),
        ("6912345678/6912345679", "two numbers"),
        ("6912345678;6912345679", "two numbers"),
        ("6912345678, 6912345679", "two numbers"),
        ("6912345678\n6912345679", "two numbers"),
        ("6912345678\u20286912345679", "two numbers"),
        ("6912345678 or 6912345679", "two numbers"),
        ("6912345678 & 6912345679", "two numbers"),
        ("+306912345678 +306912345679", "two numbers"),
        ("++306912345678", "two numbers"),
        ("306912345678+5", "a \\+ in its middle"),
        ("6912345678\t5", "a tab"),
        ("6912345678 x12", "extension"),
        ("6912345678 ext. 12", "extension"),
        ("+306912345678;ext=12", "extension"),
        ("6912345678#12", "extension"),
        ("4.3665E+11", "rounded"),
        ("4,3665e11", "rounded"),
        ("436649990017.5", "fraction"),
        ("436649990017.00", "fraction"),
        ("436649990017,0", "fraction"),
        ("1. 6912345678", "fraction"),
        ("2 - 301234567", "item of a list"),
        ("1/2", "no area code"),
        ("+306912345678/9", "no area code"),
        ("2026-11-30", "date"),
        ("30.11.2026", "date"),
        ("30. 11. 2026", "date"),
        ("30. 11. 26", "date"),
        ("30 11 2026", "date"),
        ("2026 11 30", "date"),
        ("30 - 11 - 2026", "date"),
        ("30.11 2026", "date"),
        ("2026-11", "date"),
        ("2025-26", "date"),
        ("11.2026", "date"),
        ("11/30/26", "date"),
        ("30/11/2026", "date"),
        ("11/2026", "date"),
        ("2026-11-30 08", "date"),
        ("192.168.1.10", "IP address"),
        ("010.001.002.003", "IP address"),
        ("12:30", "has : in it"),
        ("50%", "has % in it"),
        ("3\u00b20691", "has \u00b2 in it"),
        ("3\ufe0f0691", "has VARIATION SELECTOR-16 in it"),
        ("\u202a+306912345678", "begins with an invisible character"),
        ("\ufeff+306912345678", "begins with an invisible character"),
        ("+30\u202e691", "invisible control character"),
        ("+30\x00691", "invisible control character"),
        ("'+306912345678", "apostrophe"),
        ('="+306912345678"', "spreadsheet formula"),
        ('"+306912345678"', "quotes"),
        ("+0030691", "a 0 after its \\+"),
        ("-6912345678", "begins with -"),
        ("6912345678.", "ends in ."),
        ("(030 12345", "pair"),
        ("030) 12345", "pair"),
        ("030 12345 (67)", "in parentheses after it"),
        ("3\u0660691", "several scripts"),
        ("+1234567890123456", "at most 15"),
        ("6912345678 6912345679 691", "at most 15|two"),
        ("()", "no digits"),
        ("6" + " " * 200 + "9", "longer than any"),
    ],
)
def test_invalid_number_is_refused_with_a_reason_that_quotes_no_digits(text: str, reason: str) -> None:
    """The reason names the obstacle and holds no run of digits of the cell."""
    with pytest.raises(InvalidPhoneNumber, match=reason) as caught:
        parse_number(text)
    assert not [run for run in re.findall("[0-9]{3,}", text) if run in str(caught.value)]


@given(st.text(st.sampled_from("0123456789+ -./()\u00a0\u2013") | st.characters(), max_size=30))
def test_parsed_digits_are_exactly_those_written(text: str) -> None:
    """Only separators, blanks and marks are skipped, and only digits become digits."""
    try:
        number = parse_number(text)
    except InvalidPhoneNumber:
        return
    kept = re.sub(r"^\s*(tel|whatsapp):", "", text, flags=re.IGNORECASE)
    if re.fullmatch(r"\s*\+?\d{5,}\.0\s*", kept):
        kept = kept.strip()[:-2]
    assert number.digits == "".join(str(int(letter)) for letter in kept if letter.isdecimal())
    assert number.has_plus == any(letter in kept for letter in "+\uff0b\ufe62")
    assert not any(letter.isalpha() for letter in kept if letter not in INVISIBLE_CHARACTERS)


def test_long_or_nested_text_is_refused_quickly() -> None:
    """A cell of any length and nesting is refused, and no search exceeds its first hundred characters."""
    for text in ("1" * 90 + "x" * 9, "1-" * 49, "(" * 99, "x" * 10**6, "1" * 10**6):
        with pytest.raises(InvalidPhoneNumber):
            parse_number(text)


def test_is_e164_accepts_7_to_15_digits_after_a_plus() -> None:
    """The shortest plans have 7 digits including their country code, and the longest numbers 15."""
    assert is_e164("+6834000")
    assert is_e164("+123456789012345")
    assert not any(map(is_e164, ["+30691", "+1234567890123456", "306912345678", "+0306912345", "+30691234567\u0661"]))
