"""A little of the fuzzing, in every run."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from .inputs import BODIES, KEYS, Randomly
from .targets import TARGETS, address, answer, callback, execute, raw, segment, shaped

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
    assert len(TARGETS) == 3


def test_seeds() -> None:
    """The shapes themselves are read."""
    for body in BODIES:
        answer(body)
