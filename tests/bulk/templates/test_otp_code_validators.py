"""A cell is a valid code or is refused, and a code is sent as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.templates.otp_code_validators import (
    InvalidCell,
    is_blank,
    parse_code,
    parse_possible_code,
    require_text,
)

EMPTY_CELLS = [
    *(
        "",
        " ",
        "\t",
        "\xa0",
        "\u200b",
        "\ufeff ",
        "nan",
        "NaN",
        "-nan",
        "NAN",
        "null",
        "NULL",
        "Null",
        "(null)",
        "<null>",
    ),
    *(
        "[NULL]",
        "none",
        "None",
        "nil",
        "<nil>",
        "NA",
        "N/A",
        "n/a",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "#NV",
        "#REF!",
        "#VALUE!",
    ),
    *(
        "#NAME?",
        "#DIV/0!",
        "#WERT!",
        "#¿NOMBRE?",
        "<NA>",
        "NaT",
        "undefined",
        "-",
        "--",
        "—",
        "\u2013",
        "...",
        "?",
        "/",
    ),
    *(
        "\\N",
        "\\\\N",
        "1.#QNAN",
        "-1.#IND",
        "inf",
        "-inf",
        "%!s(<nil>)",
        "[object Object]",
        "'",
        '""',
        "(blank)",
        "####",
    ),
    *("missing", "EMPTY", " null ", "null\u200b", "null.", " " * 60),
]


@pytest.mark.parametrize("text", EMPTY_CELLS)
def test_words_for_an_empty_cell_are_refused(text: str) -> None:
    """What spreadsheets, pandas and databases write for no value is neither a code nor a text."""
    for read in (parse_code, parse_possible_code, require_text):
        with pytest.raises(InvalidCell, match="must not be empty"):
            read(text)


@pytest.mark.parametrize(
    "text", ["Ada", "Nana", "Nilsson", "Annan", "0", "O'Neil", "None of these", "x" * 30, "#1", "4-5"]
)
def test_words_that_resemble_an_empty_cell_are_texts(text: str) -> None:
    """What only resembles a word for an empty cell is a text."""
    assert not is_blank(text)
    assert require_text(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("482913", "482913"),
        ("012345", "012345"),
        ("000000", "000000"),
        (" 012345\t", "012345"),
        ("\ufeff482913\xa0", "482913"),
        ("482913.0", "482913"),
        ("012345.0", "012345"),
        ("123456.000000", "123456"),
        (" 4829.00 ", "4829"),
        ("A1B2C3", "A1B2C3"),
        (" a1b2 ", "a1b2"),
        ("12E4", "12E4"),
        ("G-482913", "G-482913"),
        ("p@ss-W0rd!", "p@ss-W0rd!"),
        ("%1234%", "%1234%"),
        ("[12]34", "[12]34"),
        ("NULL12", "NULL12"),
        ("482 913", "482 913"),
        ("482-913", "482-913"),
        ("X1X2", "X1X2"),
        ("A4829", "A4829"),
        ("S3cr3t!#", "S3cr3t!#"),
        ("٤٨٢٩", "٤٨٢٩"),
    ],
)
def test_code_keeps_its_digits_and_loses_blanks_and_fraction(text: str, code: str) -> None:
    """Leading zeros stay; surrounding blanks and the fraction that a spreadsheet adds to whole numbers are removed."""
    assert parse_code(text) == code


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4.8E+05", "rounded"),
        ("4,8E+05", "rounded"),
        ("4.82913e5", "rounded"),
        ("4.82913e+05", "rounded"),
        ("5E+03", "rounded"),
        ("1e-05", "rounded"),
        ("482.913", "fraction or with separators"),
        ("482,913", "fraction or with separators"),
        ("482'913", "fraction or with separators"),
        ("482\xa0913", "fraction or with separators"),
        ("482\u202f913", "fraction or with separators"),
        ("482.000", "fraction or with separators"),
        ("4829,0", "fraction or with separators"),
        ("482913.5", "fraction or with separators"),
        ("482913.", "fraction or with separators"),
        ("-482913", "sign"),
        ("+482913", "sign"),
        ("****", "masked"),
        ("••••••", "masked"),
        ("XXXXXX", "masked"),
        ("xxxx", "masked"),
        ("48**13", "masked"),
        ("48XX13", "masked"),
        ("4*2913", "masked"),
        ("'482913", "quotation mark"),
        ('="012345"', "equals sign"),
        ('"482913"', "quotation mark"),
        ("2026-11-30", "date"),
        ("2026-11-30T00:00:00", "date"),
        ("30/11/2026", "date"),
        ("1.2.26", "date"),
        ("48\u200b2913", "invisible mark"),
        ("482\u2009 913", "invisible mark"),
        ("!!", "must not be empty"),
        ("true", "must not be empty"),
        ("False", "must not be empty"),
        ("{pin}", "placeholder"),
        ("{{ otp_code }}", "placeholder"),
        ("${code}", "placeholder"),
        ("*|PIN|*", "placeholder"),
        ("%PIN%", "placeholder"),
        ("%%pin%%", "placeholder"),
        ("<code>", "placeholder"),
        ("[Your Code]", "placeholder"),
        ("unknown", "must not be empty"),
        ("Pending", "must not be empty"),
        ("TBD", "must not be empty"),
        ("(leer)", "must not be empty"),
        ("not set", "must not be empty"),
    ],
)
def test_altered_code_is_refused_without_quoting_it(text: str, reason: str) -> None:
    """A rounded, grouped, signed, truncated, quoted or masked code is refused with the reason, and never quoted."""
    with pytest.raises(InvalidCell, match=reason) as caught:
        parse_code(text)
    digits = text.strip()
    assert len(digits) < 4 or digits not in str(caught.value)


@pytest.mark.parametrize("text", ["Hello ", "2026-11-30", "12,50", " x ", "'tis", "+5 %"])
def test_possible_code_that_is_another_text_is_unchanged(text: str) -> None:
    """If it is not known which column holds the code, other columns are texts."""
    assert parse_possible_code(text) == text


def test_possible_code_is_parsed_as_a_code() -> None:
    """A number loses its fraction there too, and a rounded or masked one is refused."""
    assert [parse_possible_code(text) for text in ("482913.0", " 482913 ", "012345")] == ["482913", "482913", "012345"]
    for text, reason in (("4.8E+05", "rounded"), ("****", "masked")):
        with pytest.raises(InvalidCell, match=reason):
            parse_possible_code(text)


@given(st.from_regex(r"[0-9]{1,12}", fullmatch=True), st.sampled_from(["", ".0", ".00", ".000000"]))
def test_no_digit_of_a_code_is_lost_by_its_fraction(code: str, fraction: str) -> None:
    """Whatever fraction a table adds to a whole number, the digits before it are the code, or it is refused."""
    try:
        assert parse_code(code + fraction) == code
    except InvalidCell:
        assert len(code) <= 3
        assert fraction


@given(st.text())
def test_parsed_code_is_a_part_of_its_cell(text: str) -> None:
    """Nothing is ever added to a cell or changed within it."""
    try:
        code = parse_code(text)
    except InvalidCell:
        return
    assert code
    assert code in text
    assert any(char.isalnum() for char in code)
