"""Columns are matched as people write them: what looks the same is one name, in every format and in the template."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.sources.column_names import normalize_column_name

from .sample_files import ADA, BOB, read_csv_rows, read_rows, sms_template, sms_text, write_file

NAME = "Na\u0308me"


@pytest.mark.parametrize(
    "header",
    [
        "phone,First Name",
        'phone,"First\nName"',
        'phone,"First\r\nName"',
        "\ufeffphone,First Name",
        "\ufeff\ufeffphone,First Name",
        '\ufeff\ufeff"phone","First Name"',
        "phone\u200b,\u2060First\u00a0Name",
        " phone ,  First   Name ",
        "phone, \u200eFirst\u202fName\u00ad",
        'phone, "First Name"',
        "sep=,\nphone,First Name",
        '"sep=,"\nphone,First Name',
        "\ufeffSEP=,\r\nphone,First Name",
    ],
)
def test_header_is_matched_as_people_write_it(tmp_path: Path, header: str) -> None:
    """Line ends, blanks of any kind and signs that nobody sees are no part of a name."""
    path = write_file(tmp_path / "people.csv", f"{header}\n{ADA},Ada\n")
    source = read_source(path)
    assert source.columns == ("phone", "First Name")
    assert [sms_text(row) for row in sms_template("Dear {First Name}").rows(source)] == ["Dear Ada"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_letters_in_two_unicode_forms_are_one_name(tmp_path: Path, form: Any, other: Any) -> None:
    """A name is matched whichever form the file, the template and the key have it in, in every format."""
    name, placeholder = unicodedata.normalize(form, NAME), unicodedata.normalize(other, NAME)
    content = {"csv": f"phone,{name}\n{ADA},Ada\n", "jsonl": f'{{"phone": "{ADA}", "{name}": "Ada"}}\n'}
    sources: list[Any] = [read_source(write_file(tmp_path / f"p.{end}", text)) for end, text in content.items()]
    for source in [*sources, [{"phone": ADA, name: "Ada"}]]:
        rows = sms_template(f"Dear {{{placeholder}}}").rows(source, key=f" {placeholder}\u200b")
        assert [(row.key, sms_text(row)) for row in rows] == [("Ada", "Dear Ada")]


def test_two_columns_that_become_one_name_are_refused_by_name(tmp_path: Path) -> None:
    """No value is chosen among two: a file is refused, and a row that has both."""
    with pytest.raises(InvalidSource, match="line 1 names the column name twice"):
        read_source(write_file(tmp_path / "p.csv", f"phone,name,name\u200b\n{ADA},Ada,Bob\n"))
    path = write_file(
        tmp_path / "p.jsonl", f'{{"phone": "{ADA}", "name": "A", "name ": "B"}}\n{{"phone": 1, "name": "C"}}\n'
    )
    assert read_rows(read_source(path)) == [
        (1, "has the column name twice, written in two ways"),
        (2, {"phone": "1", "name": "C"}),
    ]
    (row,) = sms_template().rows([{"phone": ADA, "name": "A", "na\u200bme": "B"}])
    assert "has the column name twice" in sms_text(row)
    (row,) = sms_template().rows([{"phone": ADA, "name": "A", "x": "B", "x ": "C"}])
    assert sms_text(row) == "Dear A"  # of columns that are not used


def test_years_and_dates_are_names_of_columns(tmp_path: Path) -> None:
    """A header with years is no row of data; one with a number or a code still is."""
    header = "phone,name,2025,2026,2025-01,31.12.2025,2025/26,1,12"
    (found,) = read_csv_rows(tmp_path, f"{header}\n{ADA},Ada,a,b,c,d,e,f,g\n")
    assert found[1] == dict(zip(header.split(","), [ADA, "Ada", *"abcdefg"], strict=True))
    for data in (f"{ADA},Ada", "6900000011,Ada", "Ada,4711", "20250131,Ada", "1234,2025", "+30 690 000 0011,2025"):
        with pytest.raises(InvalidSource, match="line 1 holds a number where it must name the columns"):
            read_csv_rows(tmp_path, f"{data}\n{BOB},Bob\n")


@pytest.mark.parametrize(
    "cell",
    [
        f"{ADA} Eva",
        f"Eva {ADA}",
        "3069000000****",
        f"'{ADA}'",
        f"tel:{ADA}",
        "\u0660\u0666\u0669\u0660\u0660\u0661\u0662",
    ],
)
def test_number_in_a_line_that_names_no_columns_is_not_shown(tmp_path: Path, cell: str) -> None:
    """A file without a header, whose numbers have something beside them, is refused without one of them."""
    for line in (f"{cell},Ada", f"{cell},{cell}"):
        with pytest.raises(InvalidSource) as caught:
            sms_template().rows(read_source(write_file(tmp_path / "p.csv", f"{line}\n{BOB},Bob\n")))
        assert not re.search(r"\d{5}", str(caught.value))
    with pytest.raises(InvalidSource, match=r"first line name the columns\?; nothing was sent"):
        sms_template().rows(read_source(write_file(tmp_path / "p.csv", f"{cell},Ada\n{BOB},Bob\n")))


def test_dates_in_names_of_columns_are_shown(tmp_path: Path) -> None:
    """A column that is missing is looked for among the others, so these are shown as they are."""
    header = "telephone,2025-01-01 to 2025-12-31,Q3 2026,ISO 8601-2"
    with pytest.raises(InvalidSource, match=f"the source has {header.replace(',', ', ')}; nothing was sent"):
        sms_template().rows(read_source(write_file(tmp_path / "p.csv", f"{header}\n{ADA},a,b,c\n")))


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (f"phone;name, surname\n{ADA};Lovelace, Ada\n", ("phone", "name, surname")),
        (f"phone;name, surname, title\n{ADA};Lovelace, Ada, Ms\n", ("phone", "name, surname, title")),
        (f"phone,name;nick\n{ADA},Ada;A\n", ("phone", "name;nick")),
        (f"phone|name\n{ADA}|Ada, L\n", ("phone", "name")),
        (f"phone\tname, surname\n{ADA}\tLovelace, Ada\n", ("phone", "name, surname")),
        (f"name;price, euro;phone\nAda;10,50;{ADA}\n", ("name", "price, euro", "phone")),
        (f'"phone";"name"\n"{ADA}";"Ada"\n', ("phone", "name")),
        (f"sep=;\nphone;name, a, b, c\n{ADA};x\n", ("phone", "name, a, b, c")),
        (f"sep=^\nphone^a,b\n{ADA}^x\n", ("phone", "a,b")),
        (f"phone\n{ADA}\n", ("phone",)),
        ("phone;name, surname\n", ("phone", "name, surname")),
        ("phone,name", ("phone", "name")),
    ],
)
def test_delimiter_is_the_one_that_makes_rows(tmp_path: Path, content: str, columns: tuple[str, ...]) -> None:
    """A comma in a name, a price or a text is none where the rows say so."""
    source = read_source(write_file(tmp_path / "people.csv", content))
    assert source.columns == columns
    assert all(isinstance(row, dict) for _, row in read_rows(source))


def test_lines_of_delimiters_and_blanks_are_no_rows(tmp_path: Path) -> None:
    """What spreadsheets leave behind the last row is neither sent nor counted as broken."""
    rest = ',,\n , ,\u00a0\n\u3000,\u200b,\ufeff\n"","",""\n,\n,,,,,\n\n   \n\u00a0\n"",\n'
    assert read_csv_rows(tmp_path, f"phone,name,x\n{rest}{ADA},,\n{rest}") == [
        (12, {"phone": ADA, "name": "", "x": ""})
    ]
    path = write_file(tmp_path / "p.jsonl", '\n  \n\u00a0\u3000\n\u200b\n{"a": 1}\n\ufeff{"a": 2}\n\ufeff\n')
    assert read_rows(read_source(path)) == [(5, {"a": "1"}), (6, {"a": "2"})]


@given(st.text(max_size=12))
def test_column_name_is_a_name_of_its_own(written_as: str) -> None:
    """A name that is written as it is compared is compared as it is written."""
    assert normalize_column_name(normalize_column_name(written_as)) == normalize_column_name(written_as)


@pytest.mark.parametrize("header", ['phone,size 5"', 'phone,prenom"', 'phone;a "b'])
def test_a_quote_within_a_name_joins_no_line_to_the_header(tmp_path: Path, header: str) -> None:
    """A quote that does not begin a name is a letter of it: the first row, whatever quotes it has, stays a row."""
    delimiter = ";" if ";" in header else ","
    path = tmp_path / "rows.csv"
    path.write_text(f'{header}\n+306900000001{delimiter}12"\n+306900000002{delimiter}Ben\n', "utf-8")
    phones = [values["phone"] for _, values in read_source(path) if isinstance(values, Mapping)]
    assert phones == ["+306900000001", "+306900000002"]
