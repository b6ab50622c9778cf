"""JSON encoding and decoding; the only module that imports orjson."""

import json
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
    """Decode JSON, numbers of more than 64 bits as floats.

    Raises `ValueError` if the bytes are not JSON, with a text that quotes none of them.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        # orjson's error holds the bytes, and so would this frame: neither may be in a traceback that shows locals.
        del body
    raise ValueError("is not JSON")


def encode_canonical(value: Any) -> bytes:
    """Encode a value with sorted keys, so that equal values have equal bytes; for comparison, not for sending."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
