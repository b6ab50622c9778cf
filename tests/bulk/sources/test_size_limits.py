"""Oversized cells, lines, headers and pages are refused early, in bounded memory; other rows are read."""

import csv as csv_module
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.sources.line_reader import MAX_LINE_LENGTH
from routee_failover.bulk.sources.mappings import MappingSource
from routee_failover.bulk.sources.parquet_pages import PageInfo, batch_size, read_pages

from .sample_files import ADA, BOB, read_csv_rows, read_rows, sms_template, sms_text, write_file, write_parquet

LONG = "has a value longer than 131,072 characters in column name"
READ_SCRIPT = """
import sys
from routee_failover import RouteeError
from routee_failover.bulk import FlowTemplate, read_source
step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Dear {name}"}}
template = FlowTemplate.from_mapping({"endpoint": "standard", "flow": [step]})
try:
    rows = [row for row in template.rows(read_source(sys.argv[1])) if row.problems]
    print(len(rows), {str(row.problems[0]) for row in rows})
except RouteeError as error:
    print(error)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def test_long_cell_invalidates_its_row_in_every_format(tmp_path: Path) -> None:
    """A text longer than any message invalidates its row; in an unused column it does not matter."""
    long = "x" * 131_073
    sources = [
        read_source(write_file(tmp_path / "p.csv", f'phone,name\n{ADA},{long}\n{ADA},"{long}"\n{BOB},Bob\n')),
        read_source(
            write_file(tmp_path / "p.jsonl", f'{{"phone": 1, "name": "{long}"}}\n{{"phone": 2, "name": "Bob"}}\n')
        ),
        read_source(write_parquet(tmp_path / "p.parquet", {"phone": [ADA, BOB], "name": [long, "Bob"]})),
        read_source(write_parquet(tmp_path / "q.parquet", {"phone": [ADA, BOB], "name": [long * 5, "Bob"]})),
        read_source(write_parquet(tmp_path / "b.parquet", {"phone": [ADA, BOB], "name": [long.encode() * 5, b"Bob"]})),
    ]
    for source in sources:
        *invalid, (_, last) = read_rows(source)
        assert {reason for _, reason in invalid} == {LONG}
        assert last["name"] == "Bob"
        assert not any(row.problems for row in sms_template("Hello", to=ADA).rows(source, key="phone"))


def test_field_size_limit_of_the_csv_module_does_not_matter(tmp_path: Path) -> None:
    """A program that sets it changes nothing here."""
    before = csv_module.field_size_limit(10)
    try:
        assert read_csv_rows(tmp_path, f'phone,name\n{ADA},"Ada, Countess"\n') == [
            (2, {"phone": ADA, "name": "Ada, Countess"})
        ]
    finally:
        csv_module.field_size_limit(before)


def test_huge_header_or_record_is_refused(tmp_path: Path) -> None:
    """A million columns, a header that is never closed and a record of many lines do not fill the memory."""
    for header, message in {
        "a," * 20_000: "names more than 16,384 columns",
        "a," * 1_000_000: "line 1 is longer than 1 MiB",
        '"' + "a\n" * 1_000: "line 1: unexpected end of data",
    }.items():
        with pytest.raises(InvalidSource, match=message):
            read_csv_rows(tmp_path, f"{header}\n{ADA}\n")
    lines = f'{ADA},"' + "y\n" * (MAX_LINE_LENGTH // 2) + '"\n'
    (first, *rest) = read_csv_rows(tmp_path, f"phone,name\n{BOB},Bob\n{lines}{BOB},Bob\n")[1:]
    assert first == (3, "has a quote that is never closed, or is longer than 1 MiB")
    assert rest[-1][1] == {"phone": BOB, "name": "Bob"}
    assert all(row == "has 1 value, but the header names 2 columns" for _, row in rest[:-2])


def test_huge_json_values_invalidate_their_row(tmp_path: Path) -> None:
    """Numbers of thousands of digits, many keys, a duplicate among many and deep nesting invalidate their row."""
    many = ",".join(f'"k{index}": 1' for index in range(20_000))
    lines = [
        '{"phone": ' + "9" * 6_000 + "}",
        '{"phone": 0.' + "9" * 6_000 + "}",
        "{" + many + "}",
        "{" + many + ', "k19999": 2}',
        '{"phone": ' + "[" * 100_000 + "}",
        '{"phone": 7}',
    ]
    assert [row for _, row in read_rows(read_source(write_file(tmp_path / "p.jsonl", "\n".join(lines))))] == [
        "has a number of more than 400 digits",
        "has a number of more than 400 digits",
        "has more than 16,384 values",
        "has a duplicate key",
        "is nested too deeply",
        {"phone": "7"},
    ]
    assert read_rows(MappingSource([{f"k{index}": 1 for index in range(20_000)}])) == [
        (1, "has more than 16,384 values")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="memory use from /proc")
@pytest.mark.parametrize("size", [1_000_000, 150_000_000])
@pytest.mark.parametrize("used", [True, False])
def test_small_parquet_file_of_huge_cells_takes_bounded_memory(tmp_path: Path, size: int, used: bool) -> None:
    """Kilobytes that expand to gigabytes take constant memory: refused, invalid in their rows, or unread if unused."""
    pa = pytest.importorskip("pyarrow")
    count = 1_000 if size == 1_000_000 else 28
    huge = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * size]))
    names = {"name": huge} if used else {"name": ["Ada"] * count, "other": huge}
    path = write_parquet(tmp_path / "p.parquet", {"phone": [ADA] * count, **names}, compression="zstd")
    del huge, names
    assert path.stat().st_size < 40_000
    run = subprocess.run(
        [sys.executable, "-c", READ_SCRIPT, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    output, peak_megabytes = run.stdout.splitlines()
    expected = (
        "0 set()" if not used else "would fill the memory; nothing was sent" if count == 28 else f"{count} {{'{LONG}'}}"
    )
    assert expected in output
    assert int(peak_megabytes) < 500


def test_table_with_too_many_columns_is_refused(tmp_path: Path) -> None:
    """More columns than any spreadsheet has are refused."""
    path = write_parquet(tmp_path / "p.parquet", {f"c{index}": [1] for index in range(16_385)})
    with pytest.raises(InvalidSource, match="has more than 16,384 columns"):
        read_source(path)


def test_page_headers_of_every_codec_and_version_are_read(tmp_path: Path) -> None:
    """Dictionary and data pages of both versions are found with their sizes, with any codec."""
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {"phone": [f"+3069{row:08}" for row in range(50_000)], "name": ["Ada", "Bob"] * 25_000}
    for version in ("1.0", "2.0"):
        for compression in ("none", "zstd", "snappy"):
            path = write_parquet(
                tmp_path / "p.parquet",
                columns,
                data_page_version=version,
                compression=compression,
                data_page_size=50_000,
                write_page_checksum=True,
                row_group_size=30_000,
            )
            metadata = pq.ParquetFile(path).metadata
            for group in range(metadata.num_row_groups):
                for column in range(2):
                    chunk = metadata.row_group(group).column(column)
                    with path.open("rb") as file:
                        pages = read_pages(file, chunk)
                    data = [page for page in pages if not page.is_dictionary]
                    assert sum(page.value_count for page in data) == chunk.num_values
                    assert (
                        0
                        <= chunk.total_uncompressed_size - sum(page.uncompressed_size for page in pages)
                        < 200 * len(pages)
                    )
                    assert len(pages) > len(data)


def test_invalid_page_headers_count_as_one_page() -> None:
    """If the headers cannot be read, the whole chunk counts as one page, and no other error is raised."""

    class Chunk:
        data_page_offset = 0
        has_dictionary_page = False
        total_compressed_size = 60
        total_uncompressed_size = 600
        num_values = 6

    whole = [PageInfo(is_dictionary=False, uncompressed_size=600, value_count=6)]
    bodies = [b"", b"\xff" * 60, b"\x1c" * 60, b"\x15\x00\x15\x01" + bytes(60), b"\x19" * 60, b"\x15" + b"\x80" * 60]
    bodies += [bytes([kind | 16]) + b"\xff\xff\xff\xff\x07" * 12 for kind in range(16)]
    for body in bodies:
        assert read_pages(BytesIO(body), Chunk) == whole


def test_batch_size_depends_on_the_largest_pages() -> None:
    """Fewer rows are read at once if a page is large, or one value of a dictionary is."""
    small, large = (
        PageInfo(is_dictionary=False, uncompressed_size=100, value_count=1_000),
        PageInfo(is_dictionary=False, uncompressed_size=5_000, value_count=1),
    )
    assert batch_size([small] * 50, 4_096, 10_000) == 4_096
    assert batch_size([small, *[large] * 10, small], 4_096, 10_000) == 1
    assert batch_size([small, large, small], 4_096, 10_000) == 4_096
    assert batch_size([PageInfo(is_dictionary=True, uncompressed_size=100, value_count=1), small], 4_096, 10_000) == 100
    assert batch_size([PageInfo(is_dictionary=True, uncompressed_size=20_000, value_count=1)], 4_096, 10_000) == 1


def test_rows_beside_a_long_cell_are_sent(tmp_path: Path) -> None:
    """A run over a file with such a cell sends the others."""
    path = write_file(tmp_path / "p.csv", f"phone,name\n{ADA},{'x' * 200_000}\n{BOB},Bob\n")
    assert [sms_text(row) for row in sms_template().rows(read_source(path))] == [LONG, "Dear Bob"]
