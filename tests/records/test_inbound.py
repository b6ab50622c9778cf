"""What a person wrote back, out of every shape of callback."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.records import InboundMessage

from .sample_responses import PHONE

WRITTEN = {"from": PHONE, "to": "s-1", "message": "Who is that?", "media": "https://example.test/me.jpg", "label": "a"}


def test_nothing_of_it_is_shown() -> None:
    """`repr` says how long the words are, and masks the number."""
    shown = repr(InboundMessage.from_dict(WRITTEN))
    assert "message=<12 characters>" in shown
    assert "+3069****5678" in shown
    assert "example.test" not in shown


def test_it_is_a_value() -> None:
    """A message equals its pickle, and shows everything in `raw`."""
    message = InboundMessage.from_dict(WRITTEN | {"tomorrow": [1]})
    assert pickle.loads(pickle.dumps(message)) == message
    assert message.raw == WRITTEN | {"tomorrow": [1]}


@given(st.dictionaries(st.sampled_from([*WRITTEN, "sentDate", "fileName", "direction"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)))  # fmt: skip
def test_any_shape(answer: dict[str, object]) -> None:
    """Whatever a callback says or leaves out, reading and showing it raises nothing."""
    message = InboundMessage.from_dict(answer)
    assert isinstance(repr(message), str)
    assert isinstance(message.raw, dict)
