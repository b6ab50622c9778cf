"""A row results in the same flow in every file format."""

import csv
import json
import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routee_failover.bulk.sources import read_source
from routee_failover.bulk.templates.row import Row

from .sample_files import ADA, BOB, sms_template, sms_text, write_parquet

Values = dict[str, Any]


def as_csv(folder: Path, row: Values, *, quoting: Any = csv.QUOTE_MINIMAL) -> Any:
    """Return the row in a CSV file, written by Python's csv module."""
    path = folder / f"p{quoting}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=quoting)
        writer.writerows([[*row], [_in_csv(value) for value in row.values()]])
    return read_source(path)


def as_quoted_csv(folder: Path, row: Values) -> Any:
    """Return the row in a CSV file, with quotes around each cell."""
    return as_csv(folder, row, quoting=csv.QUOTE_ALL)


def as_json(folder: Path, row: Values) -> Any:
    """Return the row as a line of JSON, numbers as numbers."""
    path = folder / "p.jsonl"
    literals = {name: _in_json(value) for name, value in row.items()}
    path.write_text(
        "{" + ", ".join(f"{json.dumps(name)}: {literal}" for name, literal in literals.items()) + "}\n", "utf-8"
    )
    return read_source(path)


def as_parquet(folder: Path, row: Values) -> Any:
    """Return the row in a table, each value in a column of its type."""
    return read_source(write_parquet(folder / "p.parquet", {name: [value] for name, value in row.items()}))


def as_untyped_parquet(folder: Path, row: Values) -> Any:
    """Return the row in a table, its texts as bytes or dictionary values."""
    pa = pytest.importorskip("pyarrow")
    columns = {
        name: pa.array([value]).dictionary_encode()
        if isinstance(value, str) and index % 2
        else [value.encode() if isinstance(value, str) else value]
        for index, (name, value) in enumerate(row.items())
    }
    return read_source(write_parquet(folder / "w.parquet", columns))


def as_mapping(_folder: Path, row: Values) -> Any:
    """Return the row as a mapping."""
    return [row]


FORMATS: list[Callable[[Path, Values], Any]] = [
    as_csv,
    as_quoted_csv,
    as_json,
    as_parquet,
    as_untyped_parquet,
    as_mapping,
]


def _in_csv(value: Any) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool)
        else format(value, "f")
        if isinstance(value, Decimal)
        else str(value)
    )


def _in_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    return json.dumps(value if isinstance(value, str | int | float) else value.isoformat())


def sent_rows(rows: Any) -> list[tuple[str, str, str]]:
    """Return the key, the recipient and the text of each row."""

    def sent_row(row: Row) -> tuple[str, str, str]:
        return (row.key, row.recipient, sms_text(row))

    return [sent_row(row) for row in rows]


def sent_in_all_formats(row: Values, body: str, **row_settings: Any) -> list[tuple[str, str, str]]:
    """Return the result of one format, after checking that all formats give the same."""
    with TemporaryDirectory() as folder:
        results = [sent_rows(sms_template(body).rows(write(Path(folder), row), **row_settings)) for write in FORMATS]
    assert all(one == results[0] for one in results), results
    return results[0]


# A line that starts with a number and a delimiter would count as a row.
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: not re.search(r"[\r\n]\W*(\d\W*){7}", text)
)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e6, 1e6).map(round).map(float),
    st.decimals(-(10**9), 10**9, places=2),
    st.decimals(-(10**9), 10**9, places=6),
    st.integers(-(10**9), 10**9).map(lambda number: Decimal(f"{number}.000000")),
)
VALUES = st.one_of(PLAIN, NUMBERS, st.booleans(), st.dates(), st.times().filter(lambda value: value.fold == 0))


@settings(max_examples=400, deadline=None)
@given(first=VALUES, second=VALUES)
def test_any_row_gives_the_same_flow_in_every_format(first: Any, second: Any) -> None:
    """Texts, numbers, booleans, dates and times give the same text or the same reason in every format."""
    ((_, recipient, _),) = sent_in_all_formats({"phone": ADA, "first": first, "second": second}, "{first}|{second}")
    assert recipient in {ADA, ""}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (482913.0, "482913"),
        ("482913.0", "482913"),
        (Decimal("123456.000000"), "123456"),
        (Decimal("10.50"), "10.50"),
        ("10.50", "10.50"),
        (Decimal("10.00"), "10.00"),
        (5, "5"),
        (True, "true"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(9, 30), "09:30:00"),
        ("a\nb, \"c\"; 'd'\t", "a\nb, \"c\"; 'd'\t"),
        (" Ada ", " Ada "),
        ("", ""),
    ],
    ids=repr,
)
def test_value_has_the_expected_text_in_every_format(value: Any, text: str) -> None:
    """The text is the one that a reader expects, from every format."""
    assert sent_in_all_formats({"phone": ADA, "x": value}, "<{x}>") == [(ADA, ADA, f"<{text}>")]


@pytest.mark.parametrize("number", [306900000011.0, "306900000011.0", Decimal("306900000011.0"), 306900000011])
def test_number_with_a_zero_fraction_is_the_same_recipient_and_key(number: Any) -> None:
    """A recipient or a key that a table stores with a fraction is the whole number, from every format."""
    row = {"phone": "+306900000011", "order": number}
    assert sent_in_all_formats(row, "{order}", key="order") == [("306900000011", ADA, "306900000011")]
    ((key, recipient, text),) = sent_in_all_formats({"phone": number}, "Hello", region="GR")
    assert (key, recipient, text) == (ADA, ADA, "Hello") or (not recipient and "phone" in text)


@pytest.mark.parametrize("value", ["A\x1bda", "\ufffd", "x" * 131_073, "\u202eAda"], ids=ascii)
def test_unsendable_value_has_the_same_reason_in_every_format(value: str) -> None:
    """Each format refuses it by its column, for the same reason."""
    ((_, recipient, reason),) = sent_in_all_formats({"phone": BOB, "name": value}, "{name}")
    assert recipient == ""
    assert "in column name" in reason
