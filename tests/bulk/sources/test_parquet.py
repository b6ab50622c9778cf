"""Parquet: each used cell has a text or invalidates its row; unused columns are not read."""

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


def unrepresentable(kind: str, count: int) -> Any:
    """Return a column of values that Python cannot represent."""
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
def test_unrepresentable_values_in_an_unused_column_do_not_matter(tmp_path: Path, kind: str) -> None:
    """Whatever an unused column contains, each row is sent, in the second batch as well."""
    count = 4_501
    path = write_parquet(
        tmp_path / "rows.parquet", {"phone": [ADA] * count, "name": ["Ada"] * count, "x": unrepresentable(kind, count)}
    )
    rows = [*sms_template().rows(read_source(path))]
    assert len(rows) == count
    assert {sms_text(row) for row in (rows[0], rows[-1])} == {"Dear Ada"}


@pytest.mark.parametrize("kind", KINDS)
def test_unrepresentable_cell_invalidates_its_row(tmp_path: Path, kind: str) -> None:
    """In a used column it invalidates its row alone, by the column name, and the rows around it are sent."""
    count = 4_501
    invalid = unrepresentable(kind, 1)
    nulls = pa.nulls(count - 1, invalid.type)
    path = write_parquet(
        tmp_path / "rows.parquet",
        {"phone": [ADA] * count, "name": ["Ada"] * count, "x": pa.chunked_array([nulls, invalid]), "y": ["y"] * count},
    )
    rows = read_rows(select_columns(read_source(path), {"phone", "x", "y"}))
    assert rows[-2] == (count - 1, {"phone": ADA, "y": "y"})
    assert rows[-1][0] == count
    assert "in column x" in rows[-1][1]


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
def test_each_type_has_the_expected_text(tmp_path: Path, values: Any, texts: list[str | None]) -> None:
    """A value of each type has the text that the other formats give; nulls and structures have none."""
    path = write_parquet(tmp_path / "rows.parquet", {"x": values, "n": ["1"] * len(texts)})
    assert [row.get("x") for _, row in read_rows(read_source(path))] == texts


def test_control_character_invalidates_its_row_in_any_batch(tmp_path: Path) -> None:
    """An unsendable character is found in row 1 and in row 4,501, and invalidates that row."""
    names = ["Ada"] * 5_000
    names[0], names[4_500] = "A\x1bda", "A\ufffd"
    rows = read_rows(read_source(write_parquet(tmp_path / "rows.parquet", {"phone": [BOB] * 5_000, "name": names})))
    assert rows[0] == (1, "has a control character (U+001B) in column name")
    assert "U+FFFD in column name" in rows[4_500][1]
    assert sum(isinstance(row, dict) for _, row in rows) == 4_998


def test_column_names_are_normalized(tmp_path: Path) -> None:
    """A name with line ends, spaces and invisible characters matches; two that look the same are refused."""
    path = write_parquet(
        tmp_path / "rows.parquet", {"\ufeffphone": [CID], " First\nNa\u0308me ": ["Cid"], "a.b": ["x"]}
    )
    rows = sms_template("{First N\u00e4me} {a.b}").rows(read_source(path), key="phone\u200b")
    assert [(row.key, sms_text(row)) for row in rows] == [(CID, "Cid x")]
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [CID], "phone ": [CID]})
    with pytest.raises(InvalidSource, match="has the column phone twice"):
        read_source(path)


def test_changed_columns_end_the_run(tmp_path: Path) -> None:
    """Changed columns end the run: no value gets the name of another."""
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [CID], "name": ["Cid"]})
    rows = sms_template().rows(read_source(path))
    write_parquet(path, {"phone": [CID], "nick": ["Cid"]})
    with pytest.raises(InvalidSource, match="has other columns than at the start of this run"):
        list(rows)


def test_rows_without_a_used_column_are_rows(tmp_path: Path) -> None:
    """Rows of a table of which no column is used are read all the same."""
    path = write_parquet(tmp_path / "rows.parquet", {"phone": [ADA, BOB], "tags": [["a"], []]})
    assert read_rows(select_columns(read_source(path), {"tags"})) == [(1, {}), (2, {})]


@pytest.mark.parametrize("position", range(4, 44, 3))
def test_corrupt_table_raises_nothing_but_invalid_source(tmp_path: Path, position: int) -> None:
    """A page that cannot be read is reported with the last row before it; nothing else is raised."""
    path = write_parquet(tmp_path / "rows.parquet", {"a": [str(row) for row in range(3_000)]}, row_group_size=500)
    source = read_source(path)
    data = bytearray(path.read_bytes())
    start = len(data) * position // 50
    data[start : start + 40] = bytes(255 - byte for byte in data[start : start + 40])
    path.write_bytes(data)
    try:
        read_rows(source)
    except InvalidSource as error:
        assert "rows.parquet" in str(error)  # noqa: PT017  # it may be read, too


def test_corrupt_page_with_a_checksum_is_not_read(tmp_path: Path) -> None:
    """If the writer has added checksums, no value of a changed page is sent."""
    columns = {"a": [f"+3069{row:08}" for row in range(3_000)]}
    path = write_parquet(
        tmp_path / "rows.parquet", columns, write_page_checksum=True, compression="none", use_dictionary=False
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b"+306900001500", b"+306900009999"))
    with pytest.raises(InvalidSource, match=r"cannot be read after row \d+: .*(CRC|checksum)"):
        read_rows(read_source(path))
