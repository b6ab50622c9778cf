"""Lenient decoding: JSON with a slip of its writer is still read, and what is read can be encoded again."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover._wire.json_codec import as_json_value, decode, encode, encode_canonical

HALF, OTHER_HALF, REPLACEMENT = "\ud83d", "\ude00", "\ufffd"

LENIENT: dict[str, tuple[bytes, Any]] = {
    "half an emoji": (rb'{"a": "see you \ud83d"}', {"a": f"see you {REPLACEMENT}"}),
    "the other half": (rb'"\uDE00 there"', f"{REPLACEMENT} there"),
    "halves in the wrong order": (rb'"\ude00\ud83d"', REPLACEMENT * 2),
    "two first halves and a second": (rb'"\ud83d\ud83d\ude00"', f"{REPLACEMENT}\U0001f600"),
    "half an emoji in a key": (rb'{"\ud83d": 1}', {REPLACEMENT: 1}),
    "half an emoji beside a backslash": (
        rb'["\\ud83d", "\\\ud83d", "\ud83d\n"]',
        [r"\ud83d", f"\\{REPLACEMENT}", f"{REPLACEMENT}\n"],
    ),
    "half an emoji beside a whole one": (rb'["\ud83d\ude00", "\ud83d"]', ["\U0001f600", REPLACEMENT]),
    "half an emoji in UTF-8": (b'"a\xed\xa0\xbdb"', f"a{REPLACEMENT * 3}b"),
    "Latin-1": (b'{"name": "Ren\xe9"}', {"name": f"Ren{REPLACEMENT}"}),
    "Latin-1 in a key": (b'{"Ren\xe9": 1}', {f"Ren{REPLACEMENT}": 1}),
    "BOM": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "BOM and half an emoji": (b'\xef\xbb\xbf"\\ud83d"', REPLACEMENT),
    "UTF-16 with BOM": ('{"a": "κ"}'.encode("utf-16"), {"a": "κ"}),
    "UTF-16 big-endian with BOM": ('\ufeff{"a": "κ"}'.encode("utf-16-be"), {"a": "κ"}),
    "UTF-16 without BOM": ('{"a": "κ"}'.encode("utf-16-le"), {"a": "κ"}),
    "UTF-16 with half an emoji": ('\ufeff["\ud83d"]'.encode("utf-16-le", "surrogatepass"), [REPLACEMENT]),
    "UTF-32 with BOM": ('{"a": "κ"}'.encode("utf-32"), {"a": "κ"}),
    "not a number": (b'{"price": NaN, "a": [Infinity, -Infinity]}', {"price": None, "a": [None, None]}),
    "a number beyond a double": (b'{"a": 1e999, "b": 1.5}', {"a": None, "b": 1.5}),
    "a whole number beyond a double": (b'{"a": ' + b"1" * 400 + b', "b": 7}', {"a": None, "b": 7}),
    "a whole number of thousands of digits": (b'{"a": -' + b"1" * 9999 + b"}", {"a": None}),
    "more than 64 bits beside half an emoji": (
        rb'["\ud83d", 18446744073709551616, 18446744073709551615]',
        [REPLACEMENT, 2.0**64, 2**64 - 1],
    ),
    "a line break in a text": (b'{"a": "x\ny\tz"}', {"a": "x\ny\tz"}),
}


@pytest.mark.parametrize(("body", "value"), LENIENT.values(), ids=LENIENT)
def test_json_with_a_slip_is_read_and_can_be_encoded_again(body: bytes, value: Any) -> None:
    """What is no text or no number is replaced, everything else is kept, and the result can be encoded and stored."""
    read = decode(body)
    assert (read, type(read)) == (value, type(value))
    assert decode(encode(read)) == decode(encode_canonical(read)) == json.loads(encode(read)) == read


NOT_JSON = [
    b"",
    b"\xef\xbb\xbf",
    b"\xff",
    b"{",
    rb'{"a": "\ud83d"',
    rb'"\ud83',
    b"\xef\xbb\xbf<html>",
    b'{"a": 1}}',
    b"nan",
    b"\xff\xfe",
    b"\x00",
]


@pytest.mark.parametrize("body", [*NOT_JSON, b"[" * 100_000 + b"NaN" + b"]" * 100_000], ids=range(len(NOT_JSON) + 1))
def test_what_is_not_json_is_not_guessed(body: bytes) -> None:
    """A body that is cut off, empty, no JSON or nested without end is refused."""
    with pytest.raises(ValueError, match=r"^is not JSON$"):
        decode(body)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("\ud83d\ude00", "\U0001f600"),
        (f"a{HALF}", f"a{REPLACEMENT}"),
        (f"{OTHER_HALF}{HALF}", REPLACEMENT * 2),
        ("κ\U0001f600", "κ\U0001f600"),
        (math.nan, None),
        (-math.inf, None),
        (1.5, 1.5),
        (10**400, None),
        (2**80, 2.0**80),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (True, True),
        (None, None),
    ],
    ids=ascii,
)
def test_value_of_another_decoder_becomes_what_this_one_reads(value: object, expected: object) -> None:
    """A value that another decoder has read (a web framework, for example) becomes the value that `decode` returns."""
    read = as_json_value(value)
    assert (read, type(read)) == (expected, type(expected))
    assert decode(encode(read)) == read


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]), st.booleans())
def test_whatever_another_encoder_writes_is_read(value: Any, encoding: str, ascii_only: bool) -> None:
    """Whatever Python's encoder writes, in any Unicode encoding, is read, and can be encoded again."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    read = decode(body)
    assert decode(encode(read)) == decode(encode_canonical(read)) == read
    assert not re.search("[\ud800-\udfff]", str(read))
