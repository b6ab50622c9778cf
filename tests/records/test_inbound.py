"""Inbound messages, read from callbacks of every shape."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.records import InboundMessage

from .sample_responses import PHONE

INBOUND = {"from": PHONE, "to": "s-1", "message": "Who is that?", "media": "https://example.test/me.jpg", "label": "a"}


def test_repr_masks_text_number_and_media() -> None:
    """`repr` shows the length of the text only, and masks the number."""
    shown = repr(InboundMessage.from_dict(INBOUND))
    assert "message=<12 characters>" in shown
    assert "+3069****5678" in shown
    assert "example.test" not in shown


def test_inbound_message_survives_pickling() -> None:
    """An inbound message equals its pickle, and `raw` has every key."""
    message = InboundMessage.from_dict(INBOUND | {"tomorrow": [1]})
    assert pickle.loads(pickle.dumps(message)) == message
    assert message.raw == INBOUND | {"tomorrow": [1]}


@given(st.dictionaries(st.sampled_from([*INBOUND, "sentDate", "fileName", "direction"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)))  # fmt: skip
def test_any_callback_is_read_as_an_inbound_message(data: dict[str, object]) -> None:
    """Reading and showing an inbound message raises nothing, whatever the callback contains."""
    message = InboundMessage.from_dict(data)
    assert isinstance(repr(message), str)
    assert isinstance(message.raw, dict)
