"""JSON text and bytes; the one module that imports orjson."""

import json
from typing import Any

import orjson

from ..secret import scrub_traceback


def encode(value: Any) -> bytes:
    """The bytes that say a value. It holds only what JSON can say, because flows are checked when they are built."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson's integers end at 64 bits, and a codeValidityTime may have 50 digits.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@scrub_traceback
def decode(body: bytes) -> Any:
    """What the bytes say, numbers of more than 64 bits as floats.

    Raises `ValueError` where they are no JSON, with a text that quotes none of them.
    """
    try:
        return orjson.loads(body)
    except ValueError:
        raise ValueError("is not JSON") from None


def encode_canonical(value: Any) -> bytes:
    """The same bytes for the same JSON value, in whatever order its keys came; they are compared, not sent."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
