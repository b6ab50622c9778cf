"""JSON encoding and decoding; the only module that imports orjson."""

import json
import math
import re
from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """Encode a value, which JSON can represent because flows are validated when they are built."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson encodes integers of at most 64 bits, and a codeValidityTime may have 50 digits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def decode(body: bytes) -> Any:
    """Decode JSON leniently, numbers of more than 64 bits as floats.

    A byte order mark is skipped, and UTF-16 and UTF-32 are recognized. What is no text, an invalid byte or half of a
    surrogate pair, becomes U+FFFD, and what is no finite number becomes `None`: one slip of the sender in one text must
    not hide the id of a message that was accepted. What is returned can be encoded again, as UTF-8 too.

    Raises `ValueError` if the bytes are not JSON, with a text that quotes none of them.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        # orjson's error holds the bytes, and so would this frame: neither may be in a traceback that shows locals.
        value = _decode_leniently(body)
        del body
    if value is not _INVALID:
        return value
    raise ValueError("is not JSON")


_INVALID = object()


def _decode_leniently(body: bytes) -> Any:
    """Return the value of JSON that orjson refuses, or `_INVALID`."""
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return _lenient_decoder.decode(_escape.sub(lambda match: match[1] or r"\ufffd", text))
    except (ValueError, RecursionError):
        return _INVALID


_escape = re.compile(
    r"(\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""An escape sequence that is kept (group 1; what follows a backslash is no escape sequence), or half a pair."""


def _finite_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _bounded_int(text: str) -> int | float | None:
    # Python does not convert more than 4,300 digits.
    return as_json_value(int(text)) if len(text) <= _MAX_INT_LENGTH else _finite_float(text)


_MAX_INT_LENGTH = 20
"""Characters of the longest integer of 64 bits."""
_lenient_decoder = json.JSONDecoder(
    parse_float=_finite_float, parse_int=_bounded_int, parse_constant=lambda _name: None, strict=False
)


def as_json_value(value: Any) -> Any:
    """Return a text, number, flag or `None` that another decoder has read, as `decode` would have read it."""
    if isinstance(value, str):
        return value if value.isascii() else _well_formed(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        try:
            return float(value)
        except OverflowError:
            return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _well_formed(text: str) -> str:
    """Return a text with each half of a surrogate pair replaced by U+FFFD, and each whole pair by its character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def encode_canonical(value: Any) -> bytes:
    """Encode a value with sorted keys, so that equal values have equal bytes; for comparison, not for sending."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
