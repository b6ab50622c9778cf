"""Raw flow: an endpoint and a mapping that is sent as it is, for a case that Routee's documents do not cover."""

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import attrs

from .._value_object import ValueObject
from ..errors import InvalidFlow, Problem
from ..secret import MASK, Secret, scrub_traceback
from .endpoint import Endpoint, endpoint_problem
from .model_validation import type_name
from .size_limits import MAX_SIZE, size_violation
from .validators import NOT_UNICODE, OBJECT_TYPES, SEQUENCE_TYPES, is_unicode

_Path = tuple[str | int, ...]


@attrs.frozen(init=False, slots=False, eq=False, repr=False)
class RawFlow(ValueObject):
    """A flow that is sent as it is: `RawFlow("standard", {"flow": [...]})`.

    It is what to use where Routee takes something that its documents, and so the other flows, do not describe. Every
    promise about the outcome holds, none about the content: nothing is added, removed, sorted or checked.

    - `endpoint`: the send API. Its receipt, its records and its place among the one-time passwords are those of any
      flow of this endpoint.
    - `mapping`: the JSON object. It is copied: later changes of it are not sent.

    All of its content counts as secret, because nothing is known about it: no repr, error or traceback shows a part of
    it, and what Routee quotes of it is masked. `dump_flow(flow)` returns the mapping. A deadline cannot shorten its
    times to live: it is sent unchanged before the deadline, or not at all.

    Raises `InvalidFlow` for an unknown endpoint, and for a mapping that is no JSON object or larger than any flow: 4
    MiB, 20,000 values, 200 entries of a list, 131,072 characters of a text, 50 levels.
    """

    endpoint: Endpoint
    json: Secret
    """The JSON that is sent."""

    @scrub_traceback
    def __init__(self, endpoint: Endpoint | str, mapping: Mapping[str, Any]) -> None:
        problems: list[Problem] = []
        if endpoint not in [*Endpoint]:
            problems.append(Problem(("endpoint",), endpoint_problem(endpoint)))
        text = _encode(mapping, problems)
        if problems:
            raise InvalidFlow("RawFlow", problems)
        self.__dict__.update(endpoint=Endpoint(endpoint), json=Secret(text))

    def __repr__(self) -> str:
        return f"RawFlow({self.endpoint}, <{len(self.json.reveal().encode())} bytes>)"


def _encode(mapping: object, problems: list[Problem]) -> str:
    """Return a mapping as JSON, or append a problem for each value that cannot be sent.

    The encoder is the standard library's: it writes whole numbers of any size.
    """
    if not isinstance(mapping, OBJECT_TYPES):
        problems.append(Problem((), f"must be an object, not {type_name(mapping)}"))
        return ""
    violation = size_violation(mapping)  # first: it ends also where an object contains itself
    if violation is not None:
        problems.append(Problem((), violation))
        return ""
    count = len(problems)
    value = _plain(mapping, (), problems)
    if len(problems) > count:
        return ""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(text.encode()) > MAX_SIZE:
        problems.append(Problem((), f"has more than {MAX_SIZE // 1024**2} MiB"))
    return text


def _plain(value: Any, path: _Path, problems: list[Problem]) -> Any:
    """Return a copy of a value that consists of what JSON represents, and append a problem for anything else."""
    reason = None
    if isinstance(value, str):
        reason = None if is_unicode(value) else NOT_UNICODE
    elif isinstance(value, OBJECT_TYPES):
        items = cast("Mapping[object, Any]", value)
        if all(isinstance(key, str) and is_unicode(key) for key in items):
            return {key: _plain(item, (*path, _shown_key(cast("str", key))), problems) for key, item in items.items()}
        reason = "must have text for keys"
    elif isinstance(value, SEQUENCE_TYPES):
        parts = cast("list[Any]", value)
        return [_plain(item, (*path, index), problems) for index, item in enumerate(parts)]
    elif isinstance(value, float):
        reason = None if math.isfinite(value) else "must be a finite number"
    elif value is not None and not isinstance(value, int):
        reason = f"is {type_name(value)}, which JSON cannot represent"
    if reason is not None:
        problems.append(Problem(path, reason))
    return value


def _shown_key(key: str) -> str:
    """Return a key as a path shows it: as it is if it looks like a name, which no number or code does."""
    return key if key.isidentifier() and len(key) <= 60 and not any(map(str.isdigit, key)) else MASK
