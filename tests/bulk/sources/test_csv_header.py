"""CSV headers and column names: names that look the same match, in every format and in the template."""

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
def test_header_with_invisible_characters_matches(tmp_path: Path, header: str) -> None:
    """Line ends, whitespace of any kind and invisible characters are not part of a name."""
    path = write_file(tmp_path / "people.csv", f"{header}\n{ADA},Ada\n")
    source = read_source(path)
    assert source.columns == ("phone", "First Name")
    assert [sms_text(row) for row in sms_template("Dear {First Name}").rows(source)] == ["Dear Ada"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_names_in_two_unicode_forms_match(tmp_path: Path, form: Any, other: Any) -> None:
    """A name matches in any form that the file, the template and the key have it in, in every format."""
    name, placeholder = unicodedata.normalize(form, NAME), unicodedata.normalize(other, NAME)
    content = {"csv": f"phone,{name}\n{ADA},Ada\n", "jsonl": f'{{"phone": "{ADA}", "{name}": "Ada"}}\n'}
    sources: list[Any] = [
        read_source(write_file(tmp_path / f"p.{extension}", text)) for extension, text in content.items()
    ]
    for source in [*sources, [{"phone": ADA, name: "Ada"}]]:
        rows = sms_template(f"Dear {{{placeholder}}}").rows(source, key=f" {placeholder}\u200b")
        assert [(row.key, sms_text(row)) for row in rows] == [("Ada", "Dear Ada")]


def test_columns_with_the_same_normalized_name_are_refused(tmp_path: Path) -> None:
    """No value is chosen between two: the file is refused, or the row that has both."""
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
    assert sms_text(row) == "Dear A"  # the duplicate columns are not used


def test_years_and_dates_are_column_names(tmp_path: Path) -> None:
    """A header with years is not a row of data; one with a number or a code is refused."""
    header = "phone,name,2025,2026,2025-01,31.12.2025,2025/26,1,12"
    (row,) = read_csv_rows(tmp_path, f"{header}\n{ADA},Ada,a,b,c,d,e,f,g\n")
    assert row[1] == dict(zip(header.split(","), [ADA, "Ada", *"abcdefg"], strict=True))
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
def test_error_about_a_missing_header_shows_no_number(tmp_path: Path, cell: str) -> None:
    """A file without a header, whose numbers have text beside them, is refused without showing them."""
    for line in (f"{cell},Ada", f"{cell},{cell}"):
        with pytest.raises(InvalidSource) as caught:
            sms_template().rows(read_source(write_file(tmp_path / "p.csv", f"{line}\n{BOB},Bob\n")))
        assert not re.search(r"\d{5}", str(caught.value))
    with pytest.raises(InvalidSource, match=r"first line name the columns\?; nothing was sent"):
        sms_template().rows(read_source(write_file(tmp_path / "p.csv", f"{cell},Ada\n{BOB},Bob\n")))


def test_error_about_a_missing_column_shows_dates_in_names(tmp_path: Path) -> None:
    """A missing column is looked for among the others, so their names are shown unchanged."""
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
def test_delimiter_is_detected_by_the_rows(tmp_path: Path, content: str, columns: tuple[str, ...]) -> None:
    """A comma in a name, an amount or a text is not a delimiter if the rows show that."""
    source = read_source(write_file(tmp_path / "people.csv", content))
    assert source.columns == columns
    assert all(isinstance(row, dict) for _, row in read_rows(source))


def test_lines_of_delimiters_and_whitespace_are_skipped(tmp_path: Path) -> None:
    """The empty lines that spreadsheets append are neither sent nor counted as invalid."""
    empty = ',,\n , ,\u00a0\n\u3000,\u200b,\ufeff\n"","",""\n,\n,,,,,\n\n   \n\u00a0\n"",\n'
    assert read_csv_rows(tmp_path, f"phone,name,x\n{empty}{ADA},,\n{empty}") == [
        (12, {"phone": ADA, "name": "", "x": ""})
    ]
    path = write_file(tmp_path / "p.jsonl", '\n  \n\u00a0\u3000\n\u200b\n{"a": 1}\n\ufeff{"a": 2}\n\ufeff\n')
    assert read_rows(read_source(path)) == [(5, {"a": "1"}), (6, {"a": "2"})]


@given(st.text(max_size=12))
def test_normalization_is_idempotent(name: str) -> None:
    """A normalized name stays the same when it is normalized again."""
    assert normalize_column_name(normalize_column_name(name)) == normalize_column_name(name)


@pytest.mark.parametrize("header", ['phone,size 5"', 'phone,prenom"', 'phone;a "b'])
def test_quote_within_a_name_does_not_join_lines(tmp_path: Path, header: str) -> None:
    """A quote that does not start a name is part of it: the first row, whatever quotes it has, stays a row."""
    delimiter = ";" if ";" in header else ","
    path = tmp_path / "rows.csv"
    path.write_text(f'{header}\n+306900000001{delimiter}12"\n+306900000002{delimiter}Ben\n', "utf-8")
    phones = [values["phone"] for _, values in read_source(path) if isinstance(values, Mapping)]
    assert phones == ["+306900000001", "+306900000002"]
