"""Source formats: every row is read or reported with its line; a file that is not a source is refused."""

import re
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import InvalidSource
from routee_failover.bulk.sources import Source, Unreadable, read_source
from routee_failover.bulk.sources.cells import to_cell_text
from routee_failover.bulk.sources.line_reader import MAX_LINE_LENGTH, LineReader


def write_source(path: Path, content: bytes | str) -> Source:
    """Return the source of a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_source(path)


def read_rows(source: Source) -> list[tuple[int, Any]]:
    """Return each row of a source by its line."""
    return [(line, row.reason if isinstance(row, Unreadable) else dict(row)) for line, row in source]


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    """Path of a CSV file."""
    return tmp_path / "rows.csv"


@pytest.fixture
def jsonl_path(tmp_path: Path) -> Path:
    """Path of a JSON Lines file."""
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_any_spreadsheet_is_read(csv_path: Path, delimiter: str, bom: str, end: str) -> None:
    """Whatever the delimiter, the line ends and the byte order mark, the rows are the same."""
    lines = [("phone", " name "), ("+306900000001", '"Ada ""A"", L"'), ("+306900000002", "Zoë;,"[:3])]
    source = write_source(csv_path, bom + end.join(delimiter.join(line) for line in lines))
    assert source.columns == ("phone", "name")
    assert read_rows(source) == [
        (2, {"phone": "+306900000001", "name": 'Ada "A", L'}),
        (3, {"phone": "+306900000002", "name": "Zoë"}),
    ]


def test_line_number_is_the_one_of_an_editor(csv_path: Path) -> None:
    """The line of a row is its first one; empty lines and line ends in quotes count."""
    source = write_source(csv_path, 'phone,name\n\n+1,"a\nb"\n\n+2,c\n')
    assert read_rows(source) == [(3, {"phone": "+1", "name": "a\nb"}), (6, {"phone": "+2", "name": "c"})]


def test_invalid_csv_row_does_not_end_the_iteration(csv_path: Path) -> None:
    """Rows that are too short, too long or not UTF-8 are reported, and those around them are read."""
    source = write_source(csv_path, b"phone,name\n+1\n+2,b,c\n+3,\xff\n+4,d\n")
    assert read_rows(source) == [
        (2, "has 1 value, but the header names 2 columns"),
        (3, "has 3 values, but the header names 2 columns"),
        (4, "is not UTF-8 in column name"),
        (5, {"phone": "+4", "name": "d"}),
    ]


@pytest.mark.parametrize("rest", ["", '+8,"x"\n', '+8,"x\ny"\n'])
def test_unclosed_quote_invalidates_only_its_row(csv_path: Path, rest: str) -> None:
    """A stray quote does not consume the following rows."""
    source = write_source(csv_path, 'phone,name\n+1,"never\n+2,b\n' + rest)
    rows = read_rows(source)
    assert rows[0][0] == 2
    assert isinstance(rows[0][1], str)
    assert rows[1] == (3, {"phone": "+2", "name": "b"})
    assert [row["phone"] for _, row in rows[2:]] == ["+8"] * bool(rest)


def test_quote_that_joins_lines_is_reported_with_all_lines(csv_path: Path) -> None:
    """If two stray quotes join several lines into one row, all of its lines are named."""
    source = write_source(csv_path, 'phone,name\n+1,"a\n+2,b",c\n+3,d\n')
    assert read_rows(source) == [
        (2, "has 3 values in lines 2 to 3, which a quote joins, but the header names 2 columns"),
        (4, {"phone": "+3", "name": "d"}),
    ]


@given(st.lists(st.text('",;a \\', max_size=7), min_size=1, max_size=12))
def test_every_line_of_a_csv_file_is_accounted_for(ends: list[str]) -> None:
    """With quotes anywhere, each line is in one row, or in one row that is reported as invalid."""
    with TemporaryDirectory() as folder:
        content = "".join(f"+30{number}{end}\n" for number, end in enumerate(ends))
        rows = read_rows(write_source(Path(folder, "rows.csv"), f"phone,name\n{content}"))
    lines: list[int] = []
    for line, row in rows:
        joined = re.search(r"in lines \d+ to (\d+)", row) if isinstance(row, str) else None
        more = "" if isinstance(row, str) else " ".join(row.values())
        lines += range(line, int(joined[1]) + 1 if joined else line + more.count("\n") + 1)
    assert lines == [*range(2, len(ends) + 2)]


def test_huge_value_or_line_invalidates_only_its_row(csv_path: Path, jsonl_path: Path) -> None:
    """A value longer than the csv module accepts, and a line longer than any row, invalidate their own row only."""
    long = "x" * 200_000
    huge_line = "y" * (2 * MAX_LINE_LENGTH + 5)
    rows = read_rows(write_source(csv_path, f"phone,name\n+1,{long}\n+2,b\n+3,{huge_line}\n+4,d\n"))
    assert [line for line, _ in rows] == [2, 3, 4, 5]
    assert "longer than 131,072 characters" in rows[0][1]
    assert rows[2] == (4, "is longer than 1 MiB")
    assert rows[3][1] == {"phone": "+4", "name": "d"}
    assert [row for _, row in read_rows(write_source(jsonl_path, f'{{"a":1}}\n"{huge_line}"\n{{"a":2}}'))] == [
        {"a": "1"},
        "is longer than 1 MiB",
        {"a": "2"},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "line 1 names no columns"),
        (b";;\n", "line 1 names no columns"),
        (b"+306900000001,Ada\n", "line 1 holds a number where it must name the columns"),
        (b"+30 690 000 0001;Ada\n", "line 1 holds a number"),
        (b"Ada;1234\n", "line 1 holds a number"),
        (b"phone,name,phone\n", "line 1 names the column phone twice"),
        ("phone,name\n".encode("utf-16"), "is not UTF-8 text"),
        (b"phone,\xef\xed\xef\xec\xe1\n", "line 1 is not UTF-8"),
        (b'phone,"name\n', "line 1: unexpected end of data"),
        (b"\x7fELF\x00\x00", "NUL bytes from line 1 on: it is not text, or text in UTF-16"),
        (b"phone,na\0me\n+306900000001,Ada\n", "line 1 has a NUL byte"),
    ],
)
def test_file_that_is_not_csv_is_refused_before_the_run(csv_path: Path, content: bytes, message: str) -> None:
    """What would invalidate every row ends the run before it starts, with the line if there is one."""
    with pytest.raises(InvalidSource, match=message) as caught:
        write_source(csv_path, content)
    assert str(caught.value).endswith("nothing was sent")


def test_unreadable_file_or_unknown_format_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and an unknown extension are reported before the run."""
    (tmp_path / "rows.xlsx").touch()
    (tmp_path / "folder.csv").mkdir()
    for name, message in {
        "none.csv": "No such file",
        "folder.csv": "Is a directory",
        "rows.xlsx": "none of the formats csv, jsonl, parquet",
    }.items():
        with pytest.raises(InvalidSource, match=message):
            read_source(tmp_path / name)
    (tmp_path / "rows.xlsx").write_text("phone\n+1\n")
    assert read_rows(read_source(tmp_path / "rows.xlsx", format="csv")) == [(2, {"phone": "+1"})]
    with pytest.raises(InvalidSource, match="xml is not a format"):
        read_source(tmp_path / "rows.xlsx", format="xml")


def test_json_texts_numbers_and_booleans_are_read(jsonl_path: Path) -> None:
    """Values keep the notation of the file; a null, an object or a list is no value."""
    line = '{"phone": 306900000001, "price": 0.10, "big": 1e3, "on": true, "off": false, "no": null, "o": {}, "l": []}'
    source = write_source(jsonl_path, f"\ufeff\n{line}\n")
    assert source.columns == ("phone", "price", "big", "on", "off", "no", "o", "l")
    assert read_rows(source) == [
        (2, {"phone": "306900000001", "price": "0.10", "big": "1e3", "on": "true", "off": "false"})
    ]


def test_invalid_json_line_does_not_end_the_iteration(jsonl_path: Path) -> None:
    """A line that is not an object, or has a duplicate key, is reported; those around it are read."""
    deep = "[" * 100_000
    source = write_source(
        jsonl_path, b'{"a": 1}\n{"a": 1, "a": 2}\n[1]\n{"a"\n\xff\n' + deep.encode() + b'\n{"a": NaN}\n{"a": 2}'
    )
    assert read_rows(source) == [
        (1, {"a": "1"}),
        (2, "has a duplicate key"),
        (3, "must be one JSON object"),
        (4, "is not JSON (Expecting ':' delimiter at column 5)"),
        (5, "is not UTF-8"),
        (6, "is nested too deeply"),
        (7, {}),
        (8, {"a": "2"}),
    ]


def test_file_without_json_lines_is_refused(jsonl_path: Path) -> None:
    """A JSON list is refused with a hint at the expected form."""
    with pytest.raises(InvalidSource, match="is a JSON list; JSON Lines are one object a line"):
        write_source(jsonl_path, '[\n  {"a": 1}\n]')
    with pytest.raises(InvalidSource, match="line 1 must be one JSON object"):
        write_source(jsonl_path, '"a"\n"b"\n')


def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    """Cells are texts, nulls are missing, and the number of rows is known."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    count = 10_000
    columns = {"phone": [f"+3069{row:08d}" for row in range(count)], "n": [None, 1.0] * (count // 2)}
    pq.write_table(pa.table(columns), path, row_group_size=3000)
    source = read_source(path)
    assert (source.columns, source.total) == (("phone", "n"), count)
    for _ in range(2):
        rows = read_rows(source)
        assert (len(rows), rows[0], rows[-1]) == (
            count,
            (1, {"phone": "+306900000000"}),
            (count, {"phone": "+306900009999", "n": "1"}),
        )


def test_file_that_is_not_parquet_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another kind, a folder, duplicate columns, no columns, and a missing pyarrow are reported."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    with pytest.raises(InvalidSource, match="cannot be read: No such file"):
        read_source(path)
    path.write_bytes(b"phone\n+1\n")
    with pytest.raises(InvalidSource, match="is not a Parquet file"):
        read_source(path)
    with pytest.raises(InvalidSource, match="cannot be read"):
        read_source(tmp_path, format="parquet")
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    with pytest.raises(InvalidSource, match="has the column a twice"):
        read_source(path)
    pq.write_table(pa.table({}), path)
    with pytest.raises(InvalidSource, match="has no columns"):
        read_source(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidSource, match=r"pip install 'routee-failover\[parquet\]'"):
        read_source(path)


def test_corrupt_parquet_ends_the_run_with_the_last_row(tmp_path: Path) -> None:
    """If the table cannot be read any further, the error has the last row that was read."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": [str(row) for row in range(20_000)]}), path, row_group_size=5000)
    source = read_source(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    with pytest.raises(InvalidSource, match="cannot be read after row"):
        read_rows(source)


@pytest.mark.parametrize("kind", ["csv_file", "json_lines"])
def test_read_error_ends_the_run_with_the_last_line(
    csv_path: Path, jsonl_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a file cannot be read any further, the error has the last line that was read."""
    path = csv_path if kind == "csv_file" else jsonl_path
    source = write_source(path, "a,b\n1,2\n" if kind == "csv_file" else '{"a": 1}\n{"a": 2}\n')
    calls = 0
    successful_reads = 3 if kind == "csv_file" else 2  # a CSV file's rows are sampled before the first is read

    def failing(self: LineReader) -> str:
        nonlocal calls
        calls += 1
        if calls > successful_reads:
            raise OSError(5, "Input/output error")
        return real(self)

    real = LineReader._read
    monkeypatch.setattr(LineReader, "_read", failing)
    with pytest.raises(InvalidSource, match=r"cannot be read after line 2: .*Input/output error"):
        read_rows(source)


def test_unclosed_quote_in_a_huge_line_is_reported_as_a_huge_line(csv_path: Path) -> None:
    """Of two reasons, the one that can be seen in an editor is reported."""
    rows = read_rows(write_source(csv_path, 'phone,name\n+1,"' + "x" * (MAX_LINE_LENGTH + 5) + "\n+2,b\n"))
    assert rows == [(2, "is longer than 1 MiB"), (3, {"phone": "+2", "name": "b"})]


def test_text_after_a_closing_quote_invalidates_the_row(csv_path: Path) -> None:
    """Text that is neither inside quotes nor outside is reported, not guessed."""
    assert read_rows(write_source(csv_path, 'phone,name\n+1,"a"b\n')) == [
        (2, "has text after a closing quote; a quote within a quoted value is written twice")
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (True, "true"),
        (7, "7"),
        (306900000001.0, "306900000001"),
        (0.5, "0.5"),
        (float("nan"), None),
        (Decimal("1E+2"), "100"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (None, None),
        (b"a", "a"),
        (b"\xff", None),
        ([], None),
    ],
)
def test_value_has_the_expected_text(value: object, text: str | None) -> None:
    """Whole numbers have no fraction, booleans are as in JSON, and a value without a text is missing."""
    assert to_cell_text(value) == text
