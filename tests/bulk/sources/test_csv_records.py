"""CSV records with arbitrary quotes and line ends: no cell contains part of another person's row."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .sample_files import ADA, BOB, CID, DORA, read_csv_rows

HEADER = "phone,name\n"


@pytest.mark.parametrize(
    "cell",
    [' "Ada, L"', '"Ada, L" ', '\t"Ada, L"', '\u00a0"Ada, L"\u00a0', '  "Ada, L"\t ', '\ufeff"Ada, L"'],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_whitespace_around_a_quoted_cell_is_ignored(tmp_path: Path, cell: str, end: str) -> None:
    """A cell with whitespace around its quotes is the text between the quotes."""
    assert read_csv_rows(tmp_path, f"{HEADER}{ADA},{cell}{end}") == [(2, {"phone": ADA, "name": "Ada, L"})]


def test_whitespace_before_a_quote_is_ignored_with_each_delimiter(tmp_path: Path) -> None:
    """It holds for the first cell and the last, for doubled quotes and for cells of several lines."""
    for delimiter in ",;|":
        line = f' "{ADA}" {delimiter} "say ""hi""{delimiter}\nAda" '
        expected = {"phone": ADA, "name": f'say "hi"{delimiter}\nAda'}
        assert read_csv_rows(tmp_path, f"phone{delimiter}name\n{line}\n") == [(2, expected)]
    assert read_csv_rows(tmp_path, f'phone\tname\n{ADA}\t "Ada"\n') == [(2, {"phone": ADA, "name": "Ada"})]


@pytest.mark.parametrize(
    "text", [" Ada", "Ada ", "'Ada'", "\u201cAda\u201d", 'TV 55"', '5" pipe', "a \\", "\u201eAda\u201c"]
)
def test_unquoted_text_is_unchanged(tmp_path: Path, text: str) -> None:
    """Whitespace without a quote, other quotation marks and inch marks are part of the text."""
    assert read_csv_rows(tmp_path, f"{HEADER}{ADA},{text}\n") == [(2, {"phone": ADA, "name": text})]


@pytest.mark.parametrize("cell", ['"Ada" L', '""Ada""', '"a"b"', '"Ada \\"L\\" B"', '"Ada""'])
def test_ambiguous_quotes_invalidate_their_row(tmp_path: Path, cell: str) -> None:
    """Text that is neither inside quotes nor outside invalidates its row, and the rows around it are read."""
    (line, reason), *rest = read_csv_rows(tmp_path, f"{HEADER}{ADA},{cell}\n{BOB},Bob\n{CID},Cid\n")
    assert (line, type(reason)) == (2, str)
    assert rest == [(3, {"phone": BOB, "name": "Bob"}), (4, {"phone": CID, "name": "Cid"})]


def test_quote_that_joins_two_rows_invalidates_both(tmp_path: Path) -> None:
    """Both lines are reported, no text contains another number, and the following rows are read."""
    assert read_csv_rows(tmp_path, f'{HEADER}{ADA},"Ada\n{BOB},Bob"\n{CID},Cid\n') == [
        (2, "has a quote that is not closed before line 3, which looks like a row of its own"),
        (3, "has a quote that may close the one of line 2"),
        (4, {"phone": CID, "name": "Cid"}),
    ]


def test_quote_that_would_join_many_rows_invalidates_its_own(tmp_path: Path) -> None:
    """The rows between an open quote and the next one are read, each by itself."""
    assert read_csv_rows(tmp_path, f'{HEADER}{ADA},"Ada\n{BOB},Bob\n\n{CID},Cid\n{DORA},"Dora"\n') == [
        (2, "has a quote that is not closed before line 3, which looks like a row of its own"),
        (3, {"phone": BOB, "name": "Bob"}),
        (5, {"phone": CID, "name": "Cid"}),
        (6, {"phone": DORA, "name": "Dora"}),
    ]


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("name,phone", f'"Ada,{ADA}', f'Bob",{BOB}'),
        ("id,phone,name", f'1,{ADA},"Ada', f'2,{BOB},Bob"'),
        ("phone,name,city", f'{ADA},"Ada,Athens', f'{BOB}",Bob,Athens'),
        ("phone,name", f'{ADA},"Ada', f'{BOB} Bob,the builder"'),
        ("phone,name", f'{ADA},"Ada', f'tel:{BOB},Bob"'),
        ("phone,name", f'{ADA},"Ada', f'"{BOB}",Bob"'),
        ("phone,name", f'{ADA}, "Ada', f'{BOB}, Bob"'),
        ("phone,name", '6900000011,"Ada', '69 0000 0012,Bob"'),
        ("name,phone,text", f'"Lovelace, Ada",{ADA},"Hi', f'"Builder, Bob",{BOB},"Ho"'),
    ],
)
def test_text_of_a_joined_row_is_in_no_cell_of_another(tmp_path: Path, header: str, first: str, second: str) -> None:
    """Wherever the number is and however the second row is written, it is in no cell of the first."""
    width = header.count(",")
    valid = f"{DORA}{',x' * width}" if header.startswith("phone") else f"x,{DORA}{',x' * (width - 1)}"
    rows = read_csv_rows(tmp_path, f"{header}\n{valid}\n{first}\n{second}\n{valid}\n")
    texts = [" ".join(row.values()) for _, row in rows if isinstance(row, dict)]
    assert [line for line, _ in rows] == [2, 3, 4, 5]
    assert isinstance(rows[1][1], str)
    assert not any("11" in text and "12" in text for text in texts)
    assert sum(DORA in text for text in texts) == 2


@pytest.mark.parametrize(
    "text",
    [
        "Main St 5\nAthens",
        "Main St 5\r\n10431 Athens, Greece",
        "Call us:\n+30 210 1234567",
        "Concert:\n2026-11-30, Athens\n30.11.2026, Patras",
        "a\n\n\nb",
        "one,\ntwo, three,\nfour",
        'she said:\n""hi"",\nand left',
    ],
)
def test_line_ends_in_a_quoted_text_are_part_of_it(tmp_path: Path, text: str) -> None:
    """A text of several lines is complete, whatever its lines start with, and so is the row after it."""
    extra_lines = text.count("\n")
    assert read_csv_rows(tmp_path, f'{HEADER}{ADA},"{text}"\n{BOB},Bob\n') == [
        (2, {"phone": ADA, "name": text.replace('""', '"')}),
        (3 + extra_lines, {"phone": BOB, "name": "Bob"}),
    ]


def test_multiline_cell_before_the_number_is_read(tmp_path: Path) -> None:
    """A cell of several lines may come before the number, or before an order id that looks like one."""
    assert read_csv_rows(tmp_path, f'name,phone\n"Ada\nLovelace",{ADA}\nBob,{BOB}\n') == [
        (2, {"name": "Ada\nLovelace", "phone": ADA}),
        (4, {"name": "Bob", "phone": BOB}),
    ]
    content = f'phone,address,order\n{ADA},"Main St 5\nAthens",12345678\n{BOB},"X\nY",12345679\n'
    assert [row["order"] for _, row in read_csv_rows(tmp_path, content)] == ["12345678", "12345679"]


@pytest.mark.parametrize(("first", "other"), [("\n", "\r"), ("\r\n", "\n"), ("\r\n", "\r"), ("\r", "\n")])
def test_other_line_ending_within_a_cell_invalidates_both_halves(tmp_path: Path, first: str, other: str) -> None:
    """A text with an unquoted line end in it is not truncated."""
    content = f"phone,name{first}{ADA},Ada{other}Lovelace{first}{BOB},Bob{first}"
    assert read_csv_rows(tmp_path, content) == [
        (2, "has another line ending than line 1, and line 3 is not a row"),
        (3, "has 1 value, but the header names 2 columns"),
        (4, {"phone": BOB, "name": "Bob"}),
    ]


def test_mixed_line_endings_between_rows_are_read(tmp_path: Path) -> None:
    """Files that were concatenated from several are read, each row by itself."""
    content = f"phone,name\n{ADA},Ada\r\n{BOB},Bob\r{CID},Cid\r\n\r\n{DORA},Dora"
    assert [row["name"] for _, row in read_csv_rows(tmp_path, content)] == ["Ada", "Bob", "Cid", "Dora"]


@settings(max_examples=3000)
@given(st.lists(st.text('",;a \\\n\r\t1', max_size=9), min_size=1, max_size=8))
def test_no_cell_contains_the_number_of_another_row(ends: list[str]) -> None:
    """With quotes, delimiters and line ends anywhere, no cell contains part of another row."""
    numbers = [f"+30690000{index:04}" for index in range(len(ends))]
    content = HEADER + "".join(f"{number},{end}\n" for number, end in zip(numbers, ends, strict=True))
    with TemporaryDirectory() as folder:
        rows = read_csv_rows(Path(folder), content)
    for _, row in rows:
        if isinstance(row, dict) and row["phone"].strip():  # a row without a number is not sent
            assert not any(number in row["name"] for number in numbers)
            assert sum(number in row["phone"] for number in numbers) <= 1
