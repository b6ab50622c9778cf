"""Parquet gives each cell that is used as a text, or breaks that cell's row; what nobody uses is not read."""

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.sources.mappings import select_columns

from .sample_files import ADA, BOB, CID, read_rows, sms_template, sms_text, write_parquet

pa = pytest.importorskip("pyarrow")
OVERFLOWS = 253402300799000000  # the last second of year 9999, which is next year east of Greenwich


def unheld(kind: str, count: int) -> Any:
    """A column of values that Python cannot hold."""
    return {
        "zone": lambda: pa.array([OVERFLOWS] * count, pa.timestamp("us", "Asia/Tokyo")),
        "unknown zone": lambda: pa.array([1] * count, pa.timestamp("us", "Mars/Olympus")),
        "nanoseconds": lambda: pa.array([1] * count, pa.timestamp("ns")),
        "duration": lambda: pa.array([5] * count, pa.duration("ns")),
        "time": lambda: pa.array([1] * count, pa.time64("ns")),
        "date": lambda: pa.array([2**30] * count, pa.date32()),
        "bytes": lambda: pa.array([b"\xff"] * count),
        "text": lambda: pa.array([b"\xff"] * count).view(pa.string()),
        "words": lambda: pa.array([b"\xff"] * count).view(pa.string()).dictionary_encode(),
        "months": lambda: pa.array([2] * count, pa.duration("s")),
    }[kind]()


KINDS = ["zone", "unknown zone", "nanoseconds", "duration", "time", "date", "bytes", "text", "words", "months"]


@pytest.mark.parametrize("kind", KINDS)
def test_column_that_is_not_used_does_not_matter(tmp_path: Path, kind: str) -> None:
    """Whatever stands in a column that no placeholder names, each row is sent, in the second batch as well."""
    count = 4_501
    path = write_parquet(
        tmp_path / "rows.parquet", {"phone": [ADA] * count, "name": ["Ada"] * count, "x": unheld(kind, count)}
    )
    rows = [*sms_template().rows(read_source(path))]
    assert len(rows) == count
    assert {sms_text(row) for row in (rows[0], rows[-1])} == {"Dear Ada"}


@pytest.mark.parametrize("kind", KINDS)
def test_cell_that_cannot_be_held_breaks_its_row(tmp_path: Path, kind: str) -> None:
    """In a column that is used it breaks its row alone, by the column's name, and the rows around it are sent."""
    count = 4_501
    bad = unheld(kind, 1)
    plain = pa.nulls(count - 1, bad.type)
    path = write_parquet(
        tmp_path / "rows.parquet",
        {"phone": [ADA] * count, "name": ["Ada"] * count, "x": pa.chunked_array([plain, bad]), "y": ["y"] * count},
    )
    found = read_rows(select_columns(read_source(path), {"phone", "x", "y"}))
    assert found[-2] == (count - 1, {"phone": ADA, "y": "y"})
    assert found[-1][0] == count
    assert "in column x" in found[-1][1]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([5, -7], pa.int8()), ["5", "-7"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([5.0, 0.1, 1e22, None, float("nan")]), ["5", "0.1", "1e+22", None, None]),
        (pa.array([5.0, 0.1, None, float("inf")], pa.float32()), ["5", "0.1", None, None]),
        (pa.array([1.5, 2.0], pa.float16()), ["1.5", "2"]),
        (pa.array([Decimal("10.50"), Decimal("10.00"), None], pa.decimal128(9, 2)), ["10.50", "10.00", None]),
        (pa.array([Decimal(123456), Decimal("0.5")], pa.decimal128(18, 6)), ["123456", "0.500000"]),
        (pa.array([Decimal("7.0")], pa.decimal256(60, 1)), ["7"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array(["Ada", None], pa.large_string()), ["Ada", None]),
        (pa.array(["Ada"], pa.string_view()), ["Ada"]),
        (pa.array(["Ada", "Bob", "Ada", None]).dictionary_encode(), ["Ada", "Bob", "Ada", None]),
        (pa.array(["Ζωή".encode(), None]), ["Ζωή", None]),
        (pa.array([b"Ada"], pa.binary(3)), ["Ada"]),
        (pa.array([b"Ada"], pa.large_binary()), ["Ada"]),
        (pa.array([date(2026, 1, 2)]), ["2026-01-02"]),
        (pa.array([time(9, 30)]), ["09:30:00"]),
        (pa.array([datetime(2026, 1, 2, 9, 30)]), ["2026-01-02T09:30:00"]),
        (pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("ns", "UTC")), ["2026-01-02T00:00:00+00:00"]),
        (pa.array([uuid.UUID(int=5).bytes], pa.uuid()), [str(uuid.UUID(int=5))]),
        (pa.array([[1], []]), [None, None]),
        (pa.array([{"a": 1}]), [None]),
        (pa.nulls(1), [None]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_each_type_is_written_as_a_person_would(tmp_path: Path, values: Any, texts: list[str | None]) -> None:
    """A value of each type is the text that the other formats give; a gap and a structure are no value."""
    path = write_parquet(tmp_path / "rows.parquet", {"x": values, "n": ["1"] * len(texts)})
    assert [row.get("x") for _, row in read_rows(read_source(path))] == texts


def test_control_letters_break_their_row_in_any_batch(tmp_path: Path) -> None:
    """A letter that cannot be sent is found in row one and in row 4,501, and costs that row."""
    names = ["Ada"] * 5_000
    names[0], names[4_500] = "A\x1bda", "A\ufffd"
    found = read_rows(read_source(write_parquet(tmp_path / "rows.parquet", {"phone": [BOB] * 5_000, "name": names})))
    assert found[0] == (1, "has a control letter (U+001B) in column name")
    assert "U+FFFD in column name" in found[4_500][1]
    assert sum(isinstance(row, dict) for _, row in found) == 4_998


def test_columns_are_known_by_the_names_that_people_see(tmp_path: Path) -> None:
    """A name with line ends, blanks and invisible signs is the placeholder's; two that look the same are refused."""
    path = write_parquet(
        tmp_path / "rows.parquet", {"\ufeffphone": [CID], " First\nNa\u0308me ": ["Cid"], "a.b": ["x"]}
    )
    rows = sms_template("{First N\u00e4me} {a.b}").rows(read_source(path), key="phone\u200b")
    assert [(row.key, sms_text(row)) for row in rows] == [(CID, "Cid x")]
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [CID], "phone ": [CID]})
    with pytest.raises(InvalidSource, match="has the column phone twice"):
        read_source(path)


def test_table_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """Columns that are others than at first end the run: no value goes under the name of another."""
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [CID], "name": ["Cid"]})
    rows = sms_template().rows(read_source(path))
    write_parquet(path, {"phone": [CID], "nick": ["Cid"]})
    with pytest.raises(InvalidSource, match="has other columns than when this run began"):
        list(rows)


def test_no_column_of_a_table_is_used(tmp_path: Path) -> None:
    """Rows without a column that is used are rows all the same."""
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [ADA, BOB], "tags": [["a"], []]})
    assert read_rows(select_columns(read_source(path), {"tags"})) == [(1, {}), (2, {})]


@pytest.mark.parametrize("where", range(4, 44, 3))
def test_table_that_is_damaged_ends_the_run_with_its_row_or_gives_other_values(tmp_path: Path, where: int) -> None:
    """A page that cannot be read is told with the row after which it stands; nothing else is raised."""
    path = write_parquet(tmp_path / "rows.parquet", {"a": [str(row) for row in range(3_000)]}, row_group_size=500)
    source = read_source(path)
    data = bytearray(path.read_bytes())
    start = len(data) * where // 50
    data[start : start + 40] = bytes(255 - byte for byte in data[start : start + 40])
    path.write_bytes(data)
    try:
        read_rows(source)
    except InvalidSource as error:
        assert "rows.parquet" in str(error)  # noqa: PT017  # it may be read, too


def test_damaged_page_with_a_checksum_is_never_read(tmp_path: Path) -> None:
    """Where the writer has left checksums, no value of a page that was changed is sent."""
    columns = {"a": [f"+3069{row:08}" for row in range(3_000)]}
    path = write_parquet(
        tmp_path / "rows.parquet", columns, write_page_checksum=True, compression="none", use_dictionary=False
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b"+306900001500", b"+306900009999"))
    with pytest.raises(InvalidSource, match=r"cannot be read after row \d+: .*(CRC|checksum)"):
        read_rows(read_source(path))
