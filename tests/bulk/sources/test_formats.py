"""Every row of a source is read or told why not, with the line that an editor shows; a source that is none says so."""

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
    """The source in a file with this content."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_source(path)


def read_rows(source: Source) -> list[tuple[int, Any]]:
    """What a source says of each row."""
    return [(line, row.reason if isinstance(row, Unreadable) else dict(row)) for line, row in source]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A place for a CSV file."""
    return tmp_path / "rows.csv"


@pytest.fixture
def jsonl(tmp_path: Path) -> Path:
    """A place for a file of JSON lines."""
    return tmp_path / "rows.jsonl"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_as_spreadsheets_write_it(csv: Path, delimiter: str, mark: str, end: str) -> None:
    """Whatever the delimiter, the line ends and the mark at its beginning, the rows are the same."""
    lines = [("phone", " name "), ("+306900000001", '"Ada ""A"", L"'), ("+306900000002", "Zoë;,"[:3])]
    source = write_source(csv, mark + end.join(delimiter.join(line) for line in lines))
    assert source.columns == ("phone", "name")
    assert read_rows(source) == [
        (2, {"phone": "+306900000001", "name": 'Ada "A", L'}),
        (3, {"phone": "+306900000002", "name": "Zoë"}),
    ]


def test_a_line_number_is_the_one_that_an_editor_shows(csv: Path) -> None:
    """A row begins where its first line stands; empty lines and line ends in quotes are counted."""
    source = write_source(csv, 'phone,name\n\n+1,"a\nb"\n\n+2,c\n')
    assert read_rows(source) == [(3, {"phone": "+1", "name": "a\nb"}), (6, {"phone": "+2", "name": "c"})]


def test_a_broken_csv_row_ends_nothing(csv: Path) -> None:
    """Rows that are too short, too long or not UTF-8 are told, and those around them are read."""
    source = write_source(csv, b"phone,name\n+1\n+2,b,c\n+3,\xff\n+4,d\n")
    assert read_rows(source) == [
        (2, "has 1 value, where the header names 2 columns"),
        (3, "has 3 values, where the header names 2 columns"),
        (4, "is not UTF-8 in column name"),
        (5, {"phone": "+4", "name": "d"}),
    ]


@pytest.mark.parametrize("rest", ["", '+8,"x"\n', '+8,"x\ny"\n'])
def test_a_quote_that_is_never_closed_costs_its_own_row_only(csv: Path, rest: str) -> None:
    """A stray quote swallows none of the rows behind it."""
    source = write_source(csv, 'phone,name\n+1,"never\n+2,b\n' + rest)
    found = read_rows(source)
    assert found[0][0] == 2
    assert isinstance(found[0][1], str)
    assert found[1] == (3, {"phone": "+2", "name": "b"})
    assert [row["phone"] for _, row in found[2:]] == ["+8"] * bool(rest)


def test_a_quote_that_joins_lines_is_told_with_all_of_them(csv: Path) -> None:
    """Where two stray quotes make one row of several, nobody is left out unnamed."""
    source = write_source(csv, 'phone,name\n+1,"a\n+2,b",c\n+3,d\n')
    assert read_rows(source) == [
        (2, "has 3 values in lines 2 to 3, which a quote joins, where the header names 2 columns"),
        (4, {"phone": "+3", "name": "d"}),
    ]


@given(st.lists(st.text('",;a \\', max_size=7), min_size=1, max_size=12))
def test_every_line_of_a_csv_file_is_accounted_for(ends: list[str]) -> None:
    """However quotes are strewn about, each line is in one row, or in one row that is told to be broken."""
    with TemporaryDirectory() as folder:
        content = "".join(f"+30{number}{end}\n" for number, end in enumerate(ends))
        found = read_rows(write_source(Path(folder, "rows.csv"), f"phone,name\n{content}"))
    lines: list[int] = []
    for line, row in found:
        joined = re.search(r"in lines \d+ to (\d+)", row) if isinstance(row, str) else None
        more = "" if isinstance(row, str) else " ".join(row.values())
        lines += range(line, int(joined[1]) + 1 if joined else line + more.count("\n") + 1)
    assert lines == [*range(2, len(ends) + 2)]


def test_a_value_or_a_line_without_end_fills_no_memory(csv: Path, jsonl: Path) -> None:
    """A value longer than csv takes, and a line longer than any row, break their own row only."""
    long = "x" * 200_000
    endless = "y" * (2 * MAX_LINE_LENGTH + 5)
    found = read_rows(write_source(csv, f"phone,name\n+1,{long}\n+2,b\n+3,{endless}\n+4,d\n"))
    assert [line for line, _ in found] == [2, 3, 4, 5]
    assert "longer than 131,072 characters" in found[0][1]
    assert found[2] == (4, "is longer than 1 MiB")
    assert found[3][1] == {"phone": "+4", "name": "d"}
    assert [row for _, row in read_rows(write_source(jsonl, f'{{"a":1}}\n"{endless}"\n{{"a":2}}'))] == [
        {"a": "1"},
        "is longer than 1 MiB",
        {"a": "2"},
    ]


@pytest.mark.parametrize(
    ("content", "why"),
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
        (b"\x7fELF\x00\x00", "NUL bytes from line 1 on: it is no text, or text in UTF-16"),
        (b"phone,na\0me\n+306900000001,Ada\n", "line 1 has a NUL byte"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_at_once(csv: Path, content: bytes, why: str) -> None:
    """What would break every row breaks the run before it begins, with the line where there is one."""
    with pytest.raises(InvalidSource, match=why) as caught:
        write_source(csv, content)
    assert str(caught.value).endswith("nothing was sent")


def test_a_file_that_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    """A missing file, a folder and a name without a known ending are told before the run."""
    (tmp_path / "rows.xlsx").touch()
    (tmp_path / "folder.csv").mkdir()
    for name, why in {
        "none.csv": "No such file",
        "folder.csv": "Is a directory",
        "rows.xlsx": "none of the formats csv, jsonl, parquet",
    }.items():
        with pytest.raises(InvalidSource, match=why):
            read_source(tmp_path / name)
    (tmp_path / "rows.xlsx").write_text("phone\n+1\n")
    assert read_rows(read_source(tmp_path / "rows.xlsx", format="csv")) == [(2, {"phone": "+1"})]
    with pytest.raises(InvalidSource, match="xml is no format"):
        read_source(tmp_path / "rows.xlsx", format="xml")


def test_json_lines_hold_texts_numbers_and_truths(jsonl: Path) -> None:
    """Values are taken as they are written; a null, an object or a list is no value."""
    line = '{"phone": 306900000001, "price": 0.10, "big": 1e3, "on": true, "off": false, "no": null, "o": {}, "l": []}'
    source = write_source(jsonl, f"\ufeff\n{line}\n")
    assert source.columns == ("phone", "price", "big", "on", "off", "no", "o", "l")
    assert read_rows(source) == [
        (2, {"phone": "306900000001", "price": "0.10", "big": "1e3", "on": "true", "off": "false"})
    ]


def test_a_broken_json_line_ends_nothing(jsonl: Path) -> None:
    """A line that is no object, or says two things by one key, is told; those around it are read."""
    deep = "[" * 100_000
    source = write_source(
        jsonl, b'{"a": 1}\n{"a": 1, "a": 2}\n[1]\n{"a"\n\xff\n' + deep.encode() + b'\n{"a": NaN}\n{"a": 2}'
    )
    assert read_rows(source) == [
        (1, {"a": "1"}),
        (2, "has a key that stands twice"),
        (3, "must be one JSON object"),
        (4, "is not JSON (Expecting ':' delimiter at column 5)"),
        (5, "is not UTF-8"),
        (6, "is nested too deeply"),
        (7, {}),
        (8, {"a": "2"}),
    ]


def test_a_file_without_a_json_line_is_refused_at_once(jsonl: Path) -> None:
    """A list of objects is told how it is written here."""
    with pytest.raises(InvalidSource, match="holds a list; JSON lines are one object a line"):
        write_source(jsonl, '[\n  {"a": 1}\n]')
    with pytest.raises(InvalidSource, match="line 1 must be one JSON object"):
        write_source(jsonl, '"a"\n"b"\n')


def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    """A table's rows are texts too, its absent values absent, and its length is known."""
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


def test_what_is_no_parquet_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another kind, a folder, columns of one name, none at all, and a machine without pyarrow."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    with pytest.raises(InvalidSource, match="cannot be read: No such file"):
        read_source(path)
    path.write_bytes(b"phone\n+1\n")
    with pytest.raises(InvalidSource, match="is no Parquet file"):
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


def test_a_parquet_that_breaks_off_ends_the_run_with_its_row(tmp_path: Path) -> None:
    """Where the table cannot be read any further, it is told after which row."""
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
def test_a_disk_that_fails_ends_the_run_with_its_line(
    csv: Path, jsonl: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file cannot be read any further, it is told after which line."""
    path = csv if kind == "csv_file" else jsonl
    source = write_source(path, "a,b\n1,2\n" if kind == "csv_file" else '{"a": 1}\n{"a": 2}\n')
    calls = 0
    fine = 3 if kind == "csv_file" else 2  # a CSV file's rows are looked at before the first is read

    def failing(self: LineReader) -> str:
        nonlocal calls
        calls += 1
        if calls > fine:
            raise OSError(5, "Input/output error")
        return real(self)

    real = LineReader._read
    monkeypatch.setattr(LineReader, "_read", failing)
    with pytest.raises(InvalidSource, match=r"cannot be read after line 2: .*Input/output error"):
        read_rows(source)


def test_a_quote_in_a_line_without_end_is_the_lines_fault(csv: Path) -> None:
    """Of two reasons the one that can be seen in an editor is told."""
    found = read_rows(write_source(csv, 'phone,name\n+1,"' + "x" * (MAX_LINE_LENGTH + 5) + "\n+2,b\n"))
    assert found == [(2, "is longer than 1 MiB"), (3, {"phone": "+2", "name": "b"})]


def test_text_after_a_closing_quote_is_no_value(csv: Path) -> None:
    """What is neither inside quotes nor outside is told, not guessed."""
    assert read_rows(write_source(csv, 'phone,name\n+1,"a"b\n')) == [
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
def test_a_value_is_written_as_a_person_would(value: object, text: str | None) -> None:
    """Whole numbers have no fraction, truths are JSON's, and what is no value of a message is absent."""
    assert to_cell_text(value) == text
