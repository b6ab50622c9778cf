"""A file holds a flow in the API's own JSON, or the words that say why it cannot: nothing is guessed from a broken one.

The command line sends such a file, and a bulk run takes one for its template.
"""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

from ..errors import InvalidSource
from ..flows import Endpoint

ENDPOINTS = f"{', '.join([*Endpoint][:-1])} or {[*Endpoint][-1]}"
"""Their names, as people write a list."""
STDIN = "-"
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes. No flow comes near it; /dev/zero does."""


def read_object(file: str, name: str) -> dict[str, Any]:
    """The JSON object in a file, or on stdin for `-`; raises `InvalidSource`, which calls the file by `name`."""
    text = read_text(file, name)
    try:
        value: object = json.loads(text, object_pairs_hook=unique, parse_constant=_no_constant)
    except RecursionError:
        raise InvalidSource(f"{name} is nested too deeply; nothing was sent") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InvalidSource(f"{name} is not JSON ({error.msg} at {where}); nothing was sent") from None
    except ValueError as error:
        raise InvalidSource(f"{name} is not JSON that can be sent ({error}); nothing was sent") from None
    if not isinstance(value, dict):
        shape = '{"endpoint": "otp", "flow": [...]}'
        raise InvalidSource(f"{name} must hold one JSON object, such as {shape}; nothing was sent")
    return cast("dict[str, Any]", value)


def read_text(file: str, name: str) -> str:
    """The UTF-8 text of a file that a flow stands in; raises `InvalidSource`."""
    try:
        data = _read_bytes(file)
        if len(data) <= LARGEST_FILE:
            return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidSource(f"{name} cannot be read: {error.strerror}; nothing was sent") from None
    except UnicodeDecodeError as error:
        raise InvalidSource(f"{name} is not UTF-8 (byte {error.start}); nothing was sent") from None
    raise InvalidSource(
        f"{name} is not JSON that can be sent (more than {LARGEST_FILE // 1024**2} MiB); nothing was sent"
    )


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(LARGEST_FILE + 1)
    with Path(file).open("rb") as opened:
        return opened.read(LARGEST_FILE + 1)


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key stand twice and Python would keep the last one: another message than the one that was read."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)} stands twice in one object")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")
