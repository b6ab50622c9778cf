"""A file becomes a flow: the API's own JSON with the endpoint beside it, or every problem of it at once."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

from ..errors import InvalidFlow, Problem
from ..flows import AnyFlow, Endpoint
from ..wire import load_flow
from .status import WrongFile
from .terminal import clean

ENDPOINTS = f"{', '.join([*Endpoint][:-1])} or {[*Endpoint][-1]}"
"""Their names, as people write a list."""
STDIN = "-"
LARGEST_FILE = 4 * 1024 * 1024
"""Bytes. No flow comes near it; /dev/zero does."""


def read_flow(file: str, endpoint: Endpoint | None, *, keep_unknown: bool) -> AnyFlow:
    """The flow in a file, or on stdin for `-`; `endpoint` goes before the one that the file names.

    Raises `WrongFile` for what is no JSON object, and `InvalidFlow` with all problems of the flow in it.
    """
    name = "stdin" if file == STDIN else clean(file)
    mapping = _read_object(file, name)
    named = mapping.pop("endpoint", None)
    if endpoint is None and named not in [*Endpoint]:
        reason = f"must be {ENDPOINTS}" if named is not None else f"required: {ENDPOINTS}; or give --endpoint"
        raise InvalidFlow(name, [Problem(("endpoint",), reason)])
    try:
        return load_flow(endpoint or cast("str", named), mapping, extra="keep" if keep_unknown else "refuse")
    except InvalidFlow as error:
        # The library names its own argument where it knows no better key; here it has another name.
        problems = [
            Problem(problem.path, problem.reason.replace('extra="keep" sends', "--keep-unknown sends"))
            for problem in error.problems
        ]
    raise InvalidFlow(f"{name} ({endpoint or named})", problems)


def _read_object(file: str, name: str) -> dict[str, Any]:
    try:
        text = _read_bytes(file).decode("utf-8-sig")
        value: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except OSError as error:
        raise WrongFile(f"{name} cannot be read: {error.strerror}; nothing was sent") from None
    except UnicodeDecodeError as error:
        raise WrongFile(f"{name} is not UTF-8 (byte {error.start}); nothing was sent") from None
    except RecursionError:
        raise WrongFile(f"{name} is nested too deeply; nothing was sent") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise WrongFile(f"{name} is not JSON ({error.msg} at {where}); nothing was sent") from None
    except ValueError as error:
        raise WrongFile(f"{name} is not JSON that can be sent ({error}); nothing was sent") from None
    if not isinstance(value, dict):
        shape = '{"endpoint": "otp", "flow": [...]}'
        raise WrongFile(f"{name} must hold one JSON object, such as {shape}; nothing was sent")
    return cast("dict[str, Any]", value)


def _read_bytes(file: str) -> bytes:
    if file == STDIN:
        data = sys.stdin.buffer.read(LARGEST_FILE + 1)
    else:
        with Path(file).open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ValueError(f"more than {LARGEST_FILE // 1024**2} MiB")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key stand twice and Python would keep the last one: another message than the one that was read."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)} stands twice in one object")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON's")
