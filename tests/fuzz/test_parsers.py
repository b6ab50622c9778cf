"""A little of the fuzzing, in every run."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import csv_files, flow_files, phone_cells
from .inputs import BODIES, KEYS, Randomly
from .targets import address, answer, callback, execute, raw, segment, shaped

_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=20,
)


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    """No bytes raise anything but our own error."""
    callback(body)
    answer(body)
    segment(body)


@given(st.text())
def test_any_text(body: str) -> None:
    """No text does either."""
    callback(body)


@given(st.dictionaries(st.sampled_from(KEYS), _json, max_size=12))
def test_any_object(shape: dict[str, Any]) -> None:
    """No JSON object does either, as bytes or as a mapping."""
    callback(shape)
    callback(json.dumps(shape))
    answer(json.dumps(shape).encode())


@given(st.integers(0))
def test_bent_shapes(seed: int) -> None:
    """No shape that differs from a documented one does either."""
    for target in (shaped, raw, address):
        target(Randomly(seed))
    execute(Randomly(seed))


@given(st.integers(0))
def test_spoiled_phone_cells(seed: int) -> None:
    """No cell with a letter, a mask, a second number or a fraction is a number, and no digit of another changes."""
    phone_cells.cell(Randomly(seed))


@given(st.text("+0123456789 -./()xX*\u202f\u200b", max_size=25), st.sampled_from([None, *phone_cells.REGIONS]))
def test_any_phone_cell(text: str, region: str | None) -> None:
    """No text that looks like a number becomes one that it does not say."""
    phone_cells.judge(text, region)


@given(st.integers(0))
def test_spoiled_csv_files(seed: int) -> None:
    """Each row of a file is what stands in its own lines, or cannot be read; and no line is lost."""
    csv_files.fuzz_rows(Randomly(seed))


@given(st.binary(min_size=1))
def test_any_csv_file(rows: bytes) -> None:
    """The same for bytes behind a header."""
    csv_files.check(b"phone,name\n" + rows)


@pytest.mark.parametrize("data", [b"phone,|\n+306900000001,a\n", b'phone,"""",;\n+306900000001,a,b\n'])
def test_a_csv_column_that_is_called_by_a_sign(data: bytes) -> None:
    """Another delimiter, or a quote, is a name of a column like any other."""
    csv_files.check(data)


@given(st.integers(0))
def test_spoiled_flow_files(seed: int) -> None:
    """A bent file of a flow says what it says, or is refused with an error of ours."""
    flow_files.file(Randomly(seed))


@given(st.binary())
def test_any_flow_file(data: bytes) -> None:
    """Any bytes are refused with an error of ours."""
    flow_files.judge(data)
    flow_files.judge(data, is_toml=True)


def test_seeds() -> None:
    """The shapes themselves are read."""
    for body in BODIES:
        answer(body)
