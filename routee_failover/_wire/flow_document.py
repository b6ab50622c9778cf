"""Read a flow file, which holds the API's own JSON or the same as TOML; nothing is guessed from a malformed one.

The command line sends such a file, and a bulk run uses one as its template.
"""

import json
import sys
import tomllib
from collections import Counter
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn, cast

from ..errors import InvalidFlow, InvalidSource, Problem
from ..flows import Endpoint
from ..flows.size_limits import MAX_DIGITS, MAX_SIZE, TOO_MANY_DIGITS, size_violation

ENDPOINT_NAMES = f"{', '.join([*Endpoint][:-1])} or {[*Endpoint][-1]}"
"""The names of the endpoints as part of a sentence."""
STDIN = "-"


def read_json_object(file: str, name: str) -> dict[str, Any]:
    """Return the JSON object in a file, or on stdin for `-`; raises `InvalidSource`, which calls the file `name`."""
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
        raise InvalidSource(f"{name} must contain one JSON object, such as {shape}; nothing was sent")
    return check_size(cast("dict[str, Any]", value), name)


def pop_raw(mapping: dict[str, Any], name: str) -> bool:
    """Remove `raw` from a flow file's object, and return whether the rest of it is sent as it is.

    Raises `InvalidFlow`, which calls the file `name`.
    """
    raw = mapping.pop("raw", False)
    if not isinstance(raw, bool):
        raise InvalidFlow(name, [Problem(("raw",), "must be true or false: whether the flow is sent as it is")])
    return raw


def read_toml(file: str, name: str) -> dict[str, Any]:
    """Return the table in a TOML file; raises `InvalidSource`, which calls the file `name`."""
    text = read_text(file, name)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSource(f"{name} is not TOML ({error}); nothing was sent") from None
    except RecursionError:
        raise InvalidSource(f"{name} is nested too deeply; nothing was sent") from None
    except ValueError:  # a whole number with more digits than Python converts
        raise InvalidSource(f"{name} {TOO_MANY_DIGITS}; nothing was sent") from None
    return check_size(value, name)


def check_size(value: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the same object; raises `InvalidSource` if it is larger than any flow."""
    violation = size_violation(value)
    if violation is not None:
        raise InvalidSource(f"{name} {violation}; nothing was sent")
    return value


def read_text(file: str, name: str) -> str:
    """Return the UTF-8 text of a flow file; raises `InvalidSource`."""
    try:
        data = _read_bytes(file)
        if len(data) <= MAX_SIZE:
            return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidSource(f"{name} cannot be read: {error.strerror}; nothing was sent") from None
    except UnicodeDecodeError as error:
        raise InvalidSource(f"{name} is not UTF-8 (byte {error.start}); nothing was sent") from None
    raise InvalidSource(f"{name} is not JSON that can be sent (more than {MAX_SIZE // 1024**2} MiB); nothing was sent")


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(MAX_SIZE + 1)
    with Path(file).open("rb") as opened:
        return opened.read(MAX_SIZE + 1)


def reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object from its members; raises `ValueError` if a key occurs twice.

    JSON permits that, and Python keeps the last value: not the message that a reader of the file expects.
    """
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        duplicate, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {duplicate[:100]} occurs twice in one object")
    return mapping


def _parse_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"it {TOO_MANY_DIGITS}")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("it contains a number beyond the range of a double")
    return number


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=reject_duplicate_keys,
    parse_int=_parse_int,
    parse_float=_parse_float,
    parse_constant=_reject_constant,
)
