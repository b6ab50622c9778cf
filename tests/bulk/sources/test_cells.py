"""Cells: every value has one text, or invalidates its row, in every format."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk.sources import SourceRow, Unreadable, read_source
from routee_failover.bulk.sources.cells import CellExtractor, strip_zero_fraction, to_cell_text
from routee_failover.bulk.sources.mappings import AsyncMappingSource, MappingSource
from routee_failover.bulk.templates.row import Row

from .sample_files import ADA, BOB, read_csv_rows, read_rows, sms_template, sms_text, write_file, write_parquet

UNSENDABLE = [
    *"\x00\x01\x07\x08\x0b\x0c\x1b\x1f\x7f\x80\x85\x9b\u2028\u2029\u202d\u202e\u206a\ufff9\ufffd\ufdd0\uffff",
    "\U0001ffff",
]
SENDABLE = [
    "\U0001f469\u200d\U0001f4bb",  # a joined emoji: woman and computer
    "\u2764\ufe0f",  # a red heart with an emoji variation selector
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England: tag characters
    "\u05e9\u05dc\u05d5\u05dd\u200f!",
    "\u200e+30 690",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a zero-width non-joiner
    "\u2066Ada\u2069",
    "\u202aAda\u202c",
    "a\tb",
    "\ue000",
    "\U0001fae9",  # newer than some Pythons
    "\u00ad\u2060\u00a0\u3000e\u0301",
]


class LegacyStrEnum(str, Enum):  # noqa: UP042  # as in older programs
    """A text of a custom class, as in older programs."""

    ADA = "Ada"


class ModernStrEnum(StrEnum):
    """A text of a `StrEnum`."""

    ADA = "Ada"


class NumberEnum(IntEnum):
    """A number of a custom class."""

    SEVEN = 7


class NaTType(datetime):
    """Like pandas' missing value in a column of times."""


class NumpyScalar:
    """Like a numpy number, whose class is not a subclass of a Python class."""

    def __init__(self, value: Any, text: str) -> None:
        self.item = lambda: value
        self.text = text

    def __str__(self) -> str:
        return self.text


NumpyScalar.__module__ = "numpy"


@pytest.mark.parametrize("character", UNSENDABLE, ids=ascii)
@pytest.mark.parametrize("index", [1, 600])
def test_unsendable_character_invalidates_only_its_row(tmp_path: Path, character: str, index: int) -> None:
    """In the first 4 KiB or after them, in every format: its row is invalid, and no other."""
    rows = [{"phone": ADA, "name": "Ada"} for _ in range(700)]
    rows[index]["name"] = f"A{character}da"
    csv = "phone,name\n" + "".join(f"{row['phone']},{row['name']}\n" for row in rows)
    ascii_only, raw = (
        "".join(json.dumps(row, ensure_ascii=escaped) + "\n" for row in rows) for escaped in (True, False)
    )
    sources: list[Any] = [
        read_source(write_file(tmp_path / "p.csv", csv)),
        read_source(write_file(tmp_path / "e.jsonl", ascii_only)),
        read_source(write_file(tmp_path / "r.jsonl", raw)),
        read_source(
            write_parquet(tmp_path / "p.parquet", {name: [row[name] for row in rows] for name in ("phone", "name")})
        ),
        MappingSource(rows),
    ]
    for source in sources:
        invalid = [row.reason for _, row in source if isinstance(row, Unreadable)]
        assert len(invalid) == 1
        assert f"U+{ord(character):04X}" in invalid[0]
        assert "column name" in invalid[0]
        assert [sms_text(row) for row in sms_template("Hello").rows(source)] == [
            "Hello"
        ] * 700  # the column is not used


@pytest.mark.parametrize("text", SENDABLE, ids=ascii)
def test_joiners_marks_emoji_and_tabs_are_sent(tmp_path: Path, text: str) -> None:
    """Joiners, directional marks, emoji and tabs are part of a text."""
    assert read_csv_rows(tmp_path, f'phone,name\n{ADA},"{text}\n{text}"\n') == [
        (2, {"phone": ADA, "name": f"{text}\n{text}"})
    ]
    assert CellExtractor().extract({"name": text}) == {"name": text}


def test_lone_surrogates_and_other_encodings_invalidate_their_row(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 and lone surrogates are reported by column; in an unused column they do not matter."""
    content = f"phone,name\n{ADA},".encode() + b"\xc6\xe1\n" + f"{BOB},Bob\n".encode()
    assert read_csv_rows(tmp_path, content) == [(2, "is not UTF-8 in column name"), (3, {"phone": BOB, "name": "Bob"})]
    lines = (
        b'{"phone": "1", "name": "\\ud83d"}\n{"phone": "2", "name": "\xff"}\n{"phone": "3", "name": "\\ud83d\\ude00"}\n'
    )
    assert read_rows(read_source(write_file(tmp_path / "p.jsonl", lines))) == [
        (1, "has half of a surrogate pair (U+D83D) in column name"),
        (2, "is not UTF-8 in column name"),
        (3, {"phone": "3", "name": "\U0001f600"}),
    ]
    rows = sms_template("Hello").rows(read_source(tmp_path / "people.csv"))
    assert [sms_text(row) for row in rows] == ["Hello", "Hello"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("name", ["p.csv", "p.jsonl"])
def test_file_in_utf16_is_refused(tmp_path: Path, encoding: str, name: str) -> None:
    """With or without a byte order mark it is recognized, before a row is read."""
    content = 'phone,name\n"a","b"\n' if name == "p.csv" else '{"phone": "a"}\n'
    path = write_file(tmp_path / name, content.encode(encoding))
    with pytest.raises(InvalidSource, match=r"UTF-8.*nothing was sent"):
        read_source(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("482913.0", "482913"),
        ("436649990017.0", "436649990017"),
        ("+436649990017.0", "+436649990017"),
        ("123456.000000", "123456"),
        ("-5.0", "-5"),
        ("0.0", "0"),
        ("10.00", "10.00"),
        ("10.000", "10.000"),
        ("10.50", "10.50"),
        ("007.0", "007.0"),
        ("1.2.0", "1.2.0"),
        ("v2.0", "v2.0"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("\u0665.0", "\u0665.0"),
        ("5.0\n", "5.0\n"),
    ],
)
def test_whole_number_loses_its_zero_fraction(value: str, text: str) -> None:
    """A fraction that a table or a spreadsheet has added is removed; amounts and versions are unchanged."""
    assert (strip_zero_fraction(value), to_cell_text(value)) == (text, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LegacyStrEnum.ADA, "Ada"),
        (ModernStrEnum.ADA, "Ada"),
        (NumberEnum.SEVEN, "7"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"482913.0", "482913"),
        (memoryview("Ζωή".encode()), "Ζωή"),
        (Decimal("10.50"), "10.50"),
        (Decimal("123456.000000"), "123456"),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (-0.0, "-0"),
        (1e16, "1e+16"),
        (float("inf"), None),
        (time(9, 30), "09:30:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (NaTType(2026, 1, 2), None),
        (NumpyScalar(7, "7"), "7"),
        (NumpyScalar(0.10000000149011612, "0.1"), "0.1"),
        (NumpyScalar(True, "True"), "true"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_python_values_have_the_expected_text(value: object, text: str | None) -> None:
    """Texts and numbers of any class have their usual text; a missing value has none."""
    assert to_cell_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (timedelta(1), "has a value in column name that is not a text, number, boolean, date or time (timedelta)"),
        (object(), "has a value in column name that is not a text, number, boolean, date or time (object)"),
        (b"\xff", "has bytes in column name that are not UTF-8"),
        (10**5000, "has a number of more than 400 digits in column name"),
        (Decimal("1E+999999999"), "has a number of more than 400 digits in column name"),
        (Decimal("1E-999999999"), "has a number of more than 400 digits in column name"),
        ("x" * 131_073, "has a value longer than 131,072 characters in column name"),
    ],
    ids=["timedelta", "object", "bytes", "int", "large", "small", "text"],
)
def test_value_without_a_text_invalidates_its_row(value: object, reason: str) -> None:
    """The reason names its type and column; in an unused column it does not matter."""
    assert read_rows(MappingSource([{"phone": ADA, "name": value}])) == [(1, reason)]
    (row,) = sms_template("Hello").rows([{"phone": ADA, "name": value}])
    assert sms_text(row) == "Hello"


class CustomSource:
    """A custom source without `select`."""

    name = "custom"
    columns = ("phone ", "name")
    total = 3

    def __iter__(self) -> Iterator[SourceRow]:
        yield 1, {"phone ": ADA, "name": "A\x1bda"}
        yield 2, Unreadable("is gone")
        yield 3, {"phone ": BOB, "name": "5.0", "other": "\x00"}


def test_custom_source_is_validated_like_a_file(tmp_path: Path) -> None:
    """Names and cells of a custom source are read like those of a file."""
    rows: list[Row] = [*sms_template().rows(CustomSource())]
    assert [sms_text(row) for row in rows] == ["has a control character (U+001B) in column name", "is gone", "Dear 5"]


async def test_async_mappings_are_validated_like_a_file() -> None:
    """Rows that arrive during a run are read like those of a file."""

    class AsyncRows:
        async def __aiter__(self) -> AsyncIterator[Mapping[str, object]]:
            yield {"phone": ADA, "name": 5.0, 7: "x"}  # type: ignore[dict-item]
            yield {"phone": ADA, "name": "\x85"}
            yield ["phone"]  # type: ignore[misc]

    rows = [row async for row in sms_template().rows(AsyncRows())]
    assert sms_text(rows[0]) == "Dear 5"
    assert [len(row.problems) for row in rows] == [0, 1, 1]
    assert [line async for line, _ in AsyncMappingSource(AsyncRows())] == [1, 2, 3]
