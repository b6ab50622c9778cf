"""CSV output: no cell is evaluated as a formula, whichever delimiter splits a line, and readers get the text back."""

import csv
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover.bulk.csv_writer import FORMULA_SIGNS, escape_formula, format_csv_line

DELIMITERS = (",", ";", "\t", "|")
INVISIBLE = "\u200b\u200d\u2060\ufeff\u00ad\u034f\ufe0f\u2800\u3164\u202e\u2066\x00\x1b\u00a0\u3000"


def _split(line: str, delimiter: str) -> list[str]:
    """Return the cells as a spreadsheet with this delimiter reads them."""
    return next(csv.reader([line.rstrip("\n")], delimiter=delimiter))


def _is_formula(cell: str) -> bool:
    """Return whether the first visible character, after normalization, is a formula sign."""
    visible = cell.lstrip(f'{INVISIBLE}" \t\r\n')
    return unicodedata.normalize("NFKC", visible[:1])[:1] in set("=+-@\u2212") if visible else False


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *(("=1+1", "'=1+1"), ("@x", "'@x"), ("-2", "'-2"), ("+1+cmd", "'+1+cmd"), ("a=1", "a=1"), ("", "")),
        *((f"{sign}1", f"'{sign}1") for sign in "\uff1d\uff0b\uff0d\uff20﹦﹢﹣﹫\u2212"),
        *((f"{mark}=1", f"'{mark}=1") for mark in INVISIBLE),
        *(
            ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
            ("x,@a", "x,'@a"),
            ("a|-1|b", "a|'-1|b"),
            ("a\t\uff1d1", "a\t'\uff1d1"),
        ),
        *(("x; \u200b=1", "x;' \u200b=1"), ('x;"=1"', 'x;\'"=1"'), ('"=1', "'\"=1"), ("a;;=1", "a;;'=1")),
        *(("\tx", "'\tx"), ("\rx", "'\rx"), ("\nx", "'\nx"), ("\t=1", "'\t'=1"), ("a\n=1", "a\n'=1")),
        *(("+cmd|x****5678", "'+cmd|x****5678"), ("+306912345678;=1", "+306912345678;'=1")),
    ],
)
def test_formula_gets_an_apostrophe(text: str, cell: str) -> None:
    """What a spreadsheet would evaluate begins with an apostrophe, in every width and after every delimiter."""
    assert escape_formula(text) == cell
    assert escape_formula(cell) in {cell, f"'{cell}"}


@pytest.mark.parametrize(
    "text",
    [
        "+3069****5678",
        "+306912345678",
        "to +3069****5678, +3069****5679",
        "o'clock",
        "a-b",
        "two; or more",
        "2025-01-02",
    ],
)
def test_text_that_is_no_formula_is_unchanged(text: str) -> None:
    """A number that begins with its plus, masked or not, and a sign inside a word are unchanged."""
    assert escape_formula(text) == text


def test_formula_signs_are_all_characters_that_normalize_to_one() -> None:
    """The signs are all characters that become =, +, -, @ or the minus sign by normalization."""
    found = {char for char in map(chr, range(0x110000)) if unicodedata.normalize("NFKC", char)[:1] in set("=+-@\u2212")}
    assert set(FORMULA_SIGNS) == found


TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*DELIMITERS, *FORMULA_SIGNS, *INVISIBLE, '"', "'", " ", "x", "1", "\n"]), st.characters()
    ),
    max_size=12,
).map("".join)


@given(st.lists(st.one_of(TEXTS, st.integers(), st.none()), min_size=1, max_size=5))
def test_no_cell_is_a_formula_at_any_delimiter(cells: list[str | int | None]) -> None:
    """However a line is split, no cell of a text is a formula."""
    texts = [
        cell.replace("\n", " ").replace("\r", " ").replace("\0", " ") if isinstance(cell, str) else cell
        for cell in cells
    ]
    line = format_csv_line([7, *(text for text in texts if not isinstance(text, int))])
    for delimiter in DELIMITERS:
        for cell in _split(line, delimiter):
            assert not _is_formula(cell) or cell.strip().removeprefix("+").isdecimal(), (line, delimiter, cell)


@given(st.lists(st.one_of(TEXTS, st.integers()), min_size=1, max_size=5))
def test_csv_reader_returns_the_escaped_cells(cells: list[str | int]) -> None:
    """A CSV reader returns the cells, each text in its escaped form."""
    texts = [cell.replace("\0", "") if isinstance(cell, str) else cell for cell in cells]
    read = next(csv.reader([format_csv_line(texts)]))
    assert read == [escape_formula(cell) if isinstance(cell, str) else str(cell) for cell in texts]


def test_numbers_are_bare_and_none_is_an_empty_cell() -> None:
    """A negative price is a number to a spreadsheet; an unknown value is an empty cell."""
    assert format_csv_line([2, -0.5, None, "", "a"]) == '2,-0.5,,"","a"\n'
