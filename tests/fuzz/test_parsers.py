"""A short fuzzing run in every test session."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import csv_files, flow_files, phone_cells
from .inputs import BODIES, KEYS, RandomSource
from .targets import (
    check_callback,
    check_response,
    check_segment,
    execute,
    fuzz_callback_segment,
    fuzz_mutated_bytes,
    fuzz_mutated_json,
)

_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6),
    max_leaves=20,
)


@given(st.binary())
def test_bytes_raise_only_documented_errors(body: bytes) -> None:
    """Any bytes are parsed, or raise a documented error and no other."""
    check_callback(body)
    check_response(body)
    check_segment(body)


@given(st.text())
def test_text_raises_only_documented_errors(body: str) -> None:
    """Any text is parsed, or raises a documented error and no other."""
    check_callback(body)


@given(st.dictionaries(st.sampled_from(KEYS), _json, max_size=12))
def test_json_object_raises_only_documented_errors(document: dict[str, Any]) -> None:
    """Any JSON object is parsed, as bytes or as a mapping, or raises a documented error and no other."""
    check_callback(document)
    check_callback(json.dumps(document))
    check_response(json.dumps(document).encode())


@given(st.integers(0))
def test_mutated_document_raises_only_documented_errors(seed: int) -> None:
    """Any mutated document is parsed, or raises a documented error and no other."""
    for target in (fuzz_mutated_json, fuzz_mutated_bytes, fuzz_callback_segment):
        target(RandomSource(seed))
    execute(RandomSource(seed))


@given(st.integers(0))
def test_mutated_phone_cell_is_refused_or_read_correctly(seed: int) -> None:
    """A cell with a letter, a mask, a second number or a fraction is not a number, and no digit of another changes."""
    phone_cells.fuzz_phone_cell(RandomSource(seed))


@given(st.text("+0123456789 -./()xX*\u202f\u200b", max_size=25), st.sampled_from([None, *phone_cells.REGIONS]))
def test_number_like_text_is_refused_or_read_correctly(text: str, region: str | None) -> None:
    """A text that looks like a number is never read as another number."""
    phone_cells.check_phone_cell(text, region)


@given(st.integers(0))
def test_mutated_csv_file_loses_no_line(seed: int) -> None:
    """Each row of a file contains exactly its own lines or cannot be read, and no line is lost."""
    csv_files.fuzz_rows(RandomSource(seed))


@given(st.binary(min_size=1))
def test_bytes_after_a_header_lose_no_line(rows: bytes) -> None:
    """Each row contains exactly its own lines, for any bytes after a header."""
    csv_files.check_csv(b"phone,name\n" + rows)


@pytest.mark.parametrize("data", [b"phone,|\n+306900000001,a\n", b'phone,"""",;\n+306900000001,a,b\n'])
def test_csv_column_named_by_a_delimiter_or_quote_is_read(data: bytes) -> None:
    """A column may be named by another delimiter or by a quote."""
    csv_files.check_csv(data)


@given(st.integers(0))
def test_mutated_flow_file_is_read_correctly_or_refused(seed: int) -> None:
    """A mutated flow file is loaded as the flow it contains, or is refused with a documented error."""
    flow_files.fuzz_flow_file(RandomSource(seed))


@given(st.binary())
def test_bytes_as_flow_file_are_refused(data: bytes) -> None:
    """Bytes that are not a flow file are refused with a documented error."""
    flow_files.check_flow_file(data)
    flow_files.check_flow_file(data, is_toml=True)


def test_unmutated_documents_are_read() -> None:
    """The documents themselves are read."""
    for body in BODIES:
        check_response(body)
