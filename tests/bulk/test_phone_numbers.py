"""Phone numbers in any notation become E.164, or give a reason that does not quote them."""

import re
import sys
import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import InvalidSource
from routee_failover._phone_number_parser import InvalidPhoneNumber
from routee_failover.bulk import phone_numbers
from routee_failover.bulk.numbering_plan_patterns import NUMBERING_PLANS
from routee_failover.bulk.phone_numbers import canonical_e164, check_region, country_of, time_zones_of, to_e164


@pytest.fixture
def without_phonenumbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates a machine without phonenumbers."""
    to_e164.cache_clear()
    monkeypatch.setattr(phone_numbers, "NUMBERING_PLANS", type(NUMBERING_PLANS)())
    monkeypatch.setattr(phone_numbers, "_library", lambda: None)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+306912345678", None),
        (" +306912345678\t", None),
        ("+30 691-234 5678", None),
        ("6912345678", "GR"),
        ("691 234 5678", "GR"),
        ("00306912345678", "GR"),
        ("306912345678", "GR"),
    ],
)
def test_number_in_any_notation_gives_e164(text: str, region: str | None) -> None:
    """However a number is written, it is the same recipient."""
    assert to_e164(text, region) == "+306912345678"


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("", None, "must not be empty"),
        ("   ", "GR", "must not be empty"),
        ("6987654321", None, "must be an E.164 number"),
        ("00306912345678", None, "begins with 00"),
        ("3,06912E+11", "GR", "a spreadsheet has rounded"),
        ("call me", "GR", "has letters in it"),
        ("1234567890", "GR", "is no number of GR"),
        ("6912345678 ext. 5", "GR", "has an extension"),
        ("+30 12345", None, "is no number of its country"),
        ("+30691234567", None, "too few digits"),
        ("+306912345678901", None, "too long"),
        ("+999 1234 5678", None, "a country code that no country has"),
        ("+1 555 1234567", None, r"if it is right, a newer phonenumbers may know it"),
        ("5551234", "US", "lacks its area code"),
        ("011 15 2345 6789", "AR", r"dialled inside its country: write it with \+, like \+54 9 11"),
        ("4641234", "AG", "dialled inside its country"),
        ("+52 1 222 123 4567", None, "is no number of its country|is too long"),
        ("+49 3012345678901234", None, "at most 15"),
        ("1", "GR", "too short"),
        ("+30 (0) 6912345678", None, "a 0 in parentheses, which .* not have: leave it out"),
        ("0055 51 99876-5432", "BR", "begins with 00, .* in BR"),  # the library reads Peru's +51 998765432
        ("0055 34 98765 4321", "BR", "begins with 00"),
        ("00 852 5123 4567", "SG", "begins with 00"),
        ("00932345 67890", "KR", "begins with 00"),
        ("+49 49 151 23456789", None, "country code twice"),
        ("+494915123456789", None, "country code twice"),
        ("494915123456789", "DE", "country code twice"),
        ("+62 62 812345678", "ID", "country code twice"),
        ("00 6912345678", "GR", "is no number of its country"),
    ],
)
def test_invalid_number_gives_a_reason_without_quoting_it(text: str, region: str | None, reason: str) -> None:
    """The reason helps the owner of the file, and quotes no number."""
    with pytest.raises(InvalidPhoneNumber, match=reason) as caught:
        to_e164(text, region)
    assert len(text.strip()) < 2 or text.strip() not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+43 664 9990017", None, "+436649990017"),
        ("436649990017.0", "AT", "+436649990017"),
        ("0664/9990017", "AT", "+436649990017"),
        ("+49 (0)30 12345-67", None, "+49301234567"),
        ("(030) 1234567", "DE", "+49301234567"),
        ("011 44 7400 123456", "US", "+447400123456"),
        ("1-212-555-0100", "US", "+12125550100"),
        ("+39 06 1234567", None, "+39061234567"),
        ("8 (916) 123-45-67", "RU", "+79161234567"),
        ("8 612 34567", "LT", "+37061234567"),
        ("06 20 123 4567", "HU", "+36201234567"),
        ("+800 1234 5678", None, "+80012345678"),
        ("+1 800 234 5678", None, "+18002345678"),
        ("tel:+30-691-234-5678", None, "+306912345678"),
        ("whatsapp:+306912345678", None, "+306912345678"),
        (
            "\uff0b\uff13\uff10\u3000\uff16\uff19\uff11\u00a0\uff12\uff13\uff14\u2002\uff15\uff16\uff17\uff18",
            None,
            "+306912345678",
        ),
        ("+30\u200b 691\u2011234\u20135678\u202c", None, "+306912345678"),
        ("0 (0)30 1234567", "DE", None),
    ],
)
def test_digits_are_kept_with_the_country_code_of_the_region(text: str, region: str | None, number: str | None) -> None:
    """A cell that is one number gives the digits that were written, with the country code of its region."""
    if number is None:
        with pytest.raises(InvalidPhoneNumber):
            to_e164(text, region)
    else:
        assert to_e164(text, region) == number


@pytest.mark.parametrize(
    "text", ["+447400123456", "+4407400123456", "+44 7400 123456", "+44 (0)7400 123456", "07400 123456"]
)
def test_several_notations_of_a_number_are_one(text: str) -> None:
    """The library validates every number, also one that looks like E.164 already."""
    assert to_e164(text, "GB") == "+447400123456"
    assert canonical_e164(text) == ("+447400123456" if text.startswith("+") else text)


@pytest.mark.parametrize("text", ["4915123459847", "49 151 23459847", "4915123459847.0"])
def test_digits_that_mean_another_number_with_plus_are_refused(text: str) -> None:
    """A mobile number without its + is a valid landline number of the same country: which is meant is not guessed."""
    with pytest.raises(InvalidPhoneNumber, match="another one with"):
        to_e164(text, "DE")
    assert to_e164(f"+{text}") == "+4915123459847"
    assert to_e164(text.replace("49", "0", 1).removesuffix(".0"), "DE") == "+4915123459847"


def test_country_code_without_plus_is_accepted_if_unambiguous() -> None:
    """A number with the country code of the region and no + gives the only number that it can be."""
    assert to_e164("306912345678", "GR") == "+306912345678"
    assert to_e164("17185550123", "US") == "+17185550123"
    assert to_e164("2025550123", "US") == "+12025550123"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("0044 (0)7400 123456", "DE", "+447400123456"),
        ("0044 (0)20 7946 0018", "DE", "+442079460018"),
        ("0021 55 11 91234-5678", "BR", "+5511912345678"),
        ("011 44 7400 123456", "US", "+447400123456"),
        ("0011 44 7400 123456", "AU", "+447400123456"),
        ("810 44 7400 123456", "RU", "+447400123456"),
        ("(011) 91234-5678", "BR", "+5511912345678"),
        ("+49 4931 12345", None, "+49493112345"),
        ("+49 491 1234567", "DE", "+494911234567"),
    ],
)
def test_international_prefix_of_the_region_is_understood(text: str, region: str | None, number: str) -> None:
    """Dialled prefixes are understood, unless + in place of 00 gives another number; an area may repeat a code."""
    assert to_e164(text, region) == number


def test_ambiguous_zero_in_parentheses_is_refused() -> None:
    """If a number is valid with its (0) and without it, it is not known which recipient is meant."""
    with pytest.raises(InvalidPhoneNumber, match="with it and without it"):
        to_e164("+39 (0)331 234567")


def _codes() -> list[tuple[int, str]]:
    return [(code, region) for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items() for region in regions]


@st.composite
def _near_numbers(draw: st.DrawFn) -> str:
    """A number of some country, with a few digits changed, added or removed: about half are valid."""
    code, region = draw(st.sampled_from(_codes()))
    kind = draw(st.integers(0, 10))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    example = example or phonenumbers.example_number_for_non_geo_entity(code)
    assert example is not None
    digits = [*phonenumbers.national_significant_number(example)]
    for index, digit in draw(st.lists(st.tuples(st.integers(0, 14), st.sampled_from("0123456789")), max_size=5)):
        digits[min(index, len(digits) - 1)] = digit
    before = draw(st.sampled_from(["", "", "", "0", "1", "8", "06", "9"]))
    return f"+{code}{before}{''.join(digits)[: draw(st.integers(3, 14))]}"


@given(_near_numbers())
def test_pattern_accepts_only_numbers_that_the_library_returns_unchanged(text: str) -> None:
    """The fast path never differs from the library, for numbers of every country and similar ones."""
    if NUMBERING_PLANS.load(text[:4], phonenumbers)(text):
        number = phonenumbers.parse(text)
        assert phonenumbers.is_valid_number(number)
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text


@pytest.mark.parametrize("prefix", ["+306", "+121", "+447", "+491", "+791", "+393", "+336", "+479", "+358"])
def test_mobile_numbers_of_large_countries_match_their_pattern(prefix: str) -> None:
    """Example mobile numbers of large countries take the fast path."""
    code = next(code for code, _ in _codes() if prefix[1:].startswith(str(code)))
    example = phonenumbers.example_number_for_type(
        phonenumbers.region_code_for_country_code(code), phonenumbers.PhoneNumberType.MOBILE
    )
    assert example is not None
    text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert NUMBERING_PLANS.load(text[:4], phonenumbers)(text)


_SIGNS = "0123456789" * 3 + "+ -./()" * 2 + "xX*#oOe,;:'\"=\u200b\u202a\u202e\u00a0\t\n\u0661\uff11\u2026\u2011Eva"
_cells = st.text(st.sampled_from(_SIGNS), max_size=24) | st.builds(
    lambda number, index, sign: number[:index] + sign + number[index:],
    _near_numbers(),
    st.integers(0, 16),
    st.text(st.sampled_from(_SIGNS), max_size=3),
)


@given(_cells, st.sampled_from([None, "GR", "DE", "AT", "US", "GB", "IT", "AR", "BR", "RU", "AG", "MX"]))
def test_accepted_cell_keeps_the_written_digits(text: str, region: str | None) -> None:
    """No letter, mask, second number or fraction changes a digit: the cell ends with the digits of the result."""
    try:
        number = to_e164(text, region)
    except InvalidPhoneNumber as error:
        # The example is one of the library's, which by chance may have digits of the cell.
        reason = re.sub(r"like \+[0-9 ()-]+", "", str(error))
    else:
        _check_digits(text, number)
        return
    assert not [run for run in re.findall("[0-9]{6,}", reason) if run in text]


def _check_digits(text: str, number: str) -> None:
    written = text.strip()  # a line end before or after the number is a blank
    if re.fullmatch(r"\+?\d+\.0", written):
        written = written.removesuffix(".0")
    assert not any(letter.isalpha() or letter in "*#,;:'\"=\u2026\n" for letter in written)
    digits = "".join(str(unicodedata.decimal(letter)) for letter in written if letter.isdecimal())
    parsed = phonenumbers.parse(number)
    national = phonenumbers.national_significant_number(parsed)
    assert digits.endswith(national)
    assert len(digits) - len(national) <= 8
    assert phonenumbers.is_valid_number(parsed)
    assert to_e164(number) == number


def test_missing_phonenumbers_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the library works, and reports that it is not installed."""
    phone_numbers._library.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    try:
        assert not phone_numbers.is_installed()
    finally:
        phone_numbers._library.cache_clear()


def test_e164_number_is_accepted_without_phonenumbers(without_phonenumbers: None) -> None:
    """Without the extra, + and country code are understood; other notations name what to install."""
    assert to_e164("+306912345678", "GR") == to_e164("+30 691-234 5678") == "+306912345678"
    for other in ("+49 (0)30 1234567", "00306912345678", "6912345678"):
        with pytest.raises(InvalidPhoneNumber, match=r"routee-failover\[bulk\]"):
            to_e164(other)
    with pytest.raises(InvalidPhoneNumber, match="7 to 15 digits"):
        to_e164("+30 691")


def test_region_requires_phonenumbers_and_must_exist(request: pytest.FixtureRequest) -> None:
    """An unusable region is an error before the first row."""
    check_region(None)
    check_region("GR")
    for wrong in ("gr", "Greece", "XX"):
        with pytest.raises(InvalidSource, match="is no region"):
            check_region(wrong)
    request.getfixturevalue("without_phonenumbers")
    with pytest.raises(InvalidSource, match=r"routee-failover\[bulk\]"):
        check_region("GR")


def test_country_and_time_zones_of_a_number() -> None:
    """Country and time zones are known for numbers that belong to a country, and for no others."""
    assert (country_of("+306912345678"), time_zones_of("+306912345678")) == ("GR", ("Europe/Athens",))
    assert len(time_zones_of("+61412345678")) > 1
    assert (country_of("+881612345678"), time_zones_of("+881612345678")) == (None, ())
    assert (country_of("nonsense"), time_zones_of("nonsense")) == (None, ())


def test_country_and_time_zones_are_unknown_without_phonenumbers(without_phonenumbers: None) -> None:
    """What cannot be known is not guessed."""
    assert (country_of("+306912345678"), time_zones_of("+306912345678"), phone_numbers.is_installed()) == (
        None,
        (),
        False,
    )
