"""One row gives one flow, whichever format it is written in."""

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
    """The row in a CSV file, as Python's own writer writes it."""
    path = folder / f"p{quoting}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=quoting)
        writer.writerows([[*row], [_in_csv(value) for value in row.values()]])
    return read_source(path)


def as_quoted_csv(folder: Path, row: Values) -> Any:
    """The row with quotes around each cell."""
    return as_csv(folder, row, quoting=csv.QUOTE_ALL)


def as_json(folder: Path, row: Values) -> Any:
    """The row as a line of JSON, numbers as numbers."""
    path = folder / "p.jsonl"
    words = {name: _in_json(value) for name, value in row.items()}
    path.write_text("{" + ", ".join(f"{json.dumps(name)}: {word}" for name, word in words.items()) + "}\n", "utf-8")
    return read_source(path)


def as_parquet(folder: Path, row: Values) -> Any:
    """The row in a table, each value in a column of its type."""
    return read_source(write_parquet(folder / "p.parquet", {name: [value] for name, value in row.items()}))


def as_untyped_parquet(folder: Path, row: Values) -> Any:
    """The row in a table, its texts as bytes and words of a dictionary."""
    pa = pytest.importorskip("pyarrow")
    columns = {
        name: pa.array([value]).dictionary_encode()
        if isinstance(value, str) and place % 2
        else [value.encode() if isinstance(value, str) else value]
        for place, (name, value) in enumerate(row.items())
    }
    return read_source(write_parquet(folder / "w.parquet", columns))


def as_mapping(_folder: Path, row: Values) -> Any:
    """The row as a program has it."""
    return [row]


WAYS: list[Callable[[Path, Values], Any]] = [as_csv, as_quoted_csv, as_json, as_parquet, as_untyped_parquet, as_mapping]


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


def row_texts(rows: Any) -> list[tuple[str, str, str]]:
    """What is sent, to whom, and what it is known by."""

    def of(row: Row) -> tuple[str, str, str]:
        return (row.key, row.recipient, sms_text(row))

    return [of(row) for row in rows]


def in_all_formats(row: Values, body: str, **settings_of_rows: Any) -> list[tuple[str, str, str]]:
    """What each format gives, once, because all give the same."""
    with TemporaryDirectory() as folder:
        found = [row_texts(sms_template(body).rows(way(Path(folder), row), **settings_of_rows)) for way in WAYS]
    assert all(one == found[0] for one in found), found
    return found[0]


# A line that begins with a number, and then a delimiter, would be taken for a row.
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
VALUES = st.one_of(PLAIN, NUMBERS, st.booleans(), st.dates(), st.times().filter(lambda moment: moment.fold == 0))


@settings(max_examples=400, deadline=None)
@given(first=VALUES, second=VALUES)
def test_one_row_gives_one_flow(first: Any, second: Any) -> None:
    """Texts, numbers, truths, dates and times give one text and one refusal in every format."""
    ((_, recipient, _),) = in_all_formats({"phone": ADA, "first": first, "second": second}, "{first}|{second}")
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
def test_value_has_one_text(value: Any, text: str) -> None:
    """The text is the one that a person should read, from every format."""
    assert in_all_formats({"phone": ADA, "x": value}, "<{x}>") == [(ADA, ADA, f"<{text}>")]


@pytest.mark.parametrize("number", [306900000011.0, "306900000011.0", Decimal("306900000011.0"), 306900000011])
def test_number_with_a_fraction_is_one_person_with_one_key(number: Any) -> None:
    """A recipient and a key that a table has written with a fraction are the whole number, from every format."""
    row = {"phone": "+306900000011", "order": number}
    assert in_all_formats(row, "{order}", key="order") == [("306900000011", ADA, "306900000011")]
    ((key, recipient, text),) = in_all_formats({"phone": number}, "Hello", region="GR")
    assert (key, recipient, text) == (ADA, ADA, "Hello") or (not recipient and "phone" in text)


@pytest.mark.parametrize("value", ["A\x1bda", "\ufffd", "x" * 131_073, "\u202eAda"], ids=ascii)
def test_value_that_cannot_be_sent_is_refused_in_the_same_words(value: str) -> None:
    """Each format refuses it by its column, and for the same reason."""
    ((_, recipient, why),) = in_all_formats({"phone": BOB, "name": value}, "{name}")
    assert recipient == ""
    assert "in column name" in why
