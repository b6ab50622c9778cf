"""A file holds a flow in the API's own JSON, or the words that say why it cannot: nothing is guessed from a broken one.

The command line sends such a file, and a bulk run takes one for its template.
"""

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, cast

from ..errors import InvalidSource
from ..flows import Endpoint

ENDPOINT_NAMES = f"{', '.join([*Endpoint][:-1])} or {[*Endpoint][-1]}"
"""Their names, as people write a list."""
STDIN = "-"
MAX_FILE_SIZE = 4 * 1024 * 1024
"""Bytes. No flow comes near it; /dev/zero does."""
MAX_TEXT_LENGTH = 131_072
"""Characters. No text of a message may have as many."""
MAX_LIST_LENGTH = 200
"""Entries. No flow has as many steps; a check of each against each stays quick."""
MAX_VALUES = 20_000
MAX_DEPTH = 50
MAX_DIGITS = 400
"""Of a number. Doubles end at 309."""
_TOO_MANY_DIGITS = f"holds a number of more than {MAX_DIGITS} digits"


def read_json_object(file: str, name: str) -> dict[str, Any]:
    """The JSON object in a file, or on stdin for `-`; raises `InvalidSource`, which calls the file by `name`."""
    text = read_text(file, name)
    try:
        value: object = _DECODER.decode(text)
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
    return check_size(cast("dict[str, Any]", value), name)


def read_toml(file: str, name: str) -> dict[str, Any]:
    """The table in a TOML file; raises `InvalidSource`, which calls the file by `name`."""
    text = read_text(file, name)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSource(f"{name} is not TOML ({error}); nothing was sent") from None
    except RecursionError:
        raise InvalidSource(f"{name} is nested too deeply; nothing was sent") from None
    except ValueError:  # of a whole number that is longer than Python turns into one
        raise InvalidSource(f"{name} {_TOO_MANY_DIGITS}; nothing was sent") from None
    return check_size(value, name)


def check_size(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The same object; raises `InvalidSource` where it is larger than any flow."""
    why = size_violation(value)
    if why is not None:
        raise InvalidSource(f"{name} {why}; nothing was sent")
    return value


def size_violation(flow: object) -> str | None:
    """What is too much in a flow for it to be one, found in one pass that ends early; `None` for what is none."""
    level, values = [flow], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                below += value.values()
            elif isinstance(value, list | tuple):
                if len(value) > MAX_LIST_LENGTH:
                    return f"holds a list of more than {MAX_LIST_LENGTH:,} entries"
                below += value
            elif isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
                return f"holds a text of more than {MAX_TEXT_LENGTH:,} characters"
            elif isinstance(value, int) and value.bit_length() > 3 * MAX_DIGITS:
                return _TOO_MANY_DIGITS
            values += 1
        if values + len(below) > MAX_VALUES:
            return f"holds more than {MAX_VALUES:,} values"
        if not below:
            return None
        level = below
    return "is nested too deeply"


def read_text(file: str, name: str) -> str:
    """The UTF-8 text of a file that a flow stands in; raises `InvalidSource`."""
    try:
        data = _read_bytes(file)
        if len(data) <= MAX_FILE_SIZE:
            return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidSource(f"{name} cannot be read: {error.strerror}; nothing was sent") from None
    except UnicodeDecodeError as error:
        raise InvalidSource(f"{name} is not UTF-8 (byte {error.start}); nothing was sent") from None
    raise InvalidSource(
        f"{name} is not JSON that can be sent (more than {MAX_FILE_SIZE // 1024**2} MiB); nothing was sent"
    )


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_FILE_SIZE + 1)
    with Path(file).open("rb") as opened:
        return opened.read(MAX_FILE_SIZE + 1)


def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key stand twice and Python would keep the last one: another message than the one that was read."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice[:100]} stands twice in one object")
    return mapping


def _whole_number(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"it {_TOO_MANY_DIGITS}")
    return int(text)


def _fraction(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("it holds a number that is larger than any")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")


_DECODER = json.JSONDecoder(
    object_pairs_hook=reject_duplicate_keys, parse_int=_whole_number, parse_float=_fraction, parse_constant=_no_constant
)
