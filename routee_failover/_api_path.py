"""Path and query of a read call that the caller writes; what is malformed or could leave the API is refused."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode

from .errors import InvalidSearch, Problem

ParamValue = str | int | float | bool
Params = Mapping[str, ParamValue | Sequence[ParamValue]]
"""Query parameters; a list or a tuple gives its name once for each value."""

_ESCAPE = "%[0-9A-Fa-f]{2}"
_is_path = re.compile(rf"/(?:[\w.~!$&'()*+,;=:@/-]|{_ESCAPE})*", re.ASCII).fullmatch
_PAIR = rf"(?:[\w.~!$'()*,;:@/-]|{_ESCAPE})+(?:=(?:[\w.~!$'()*,;:@/=-]|{_ESCAPE})*)?"
_is_query = re.compile(rf"{_PAIR}(?:&{_PAIR})*", re.ASCII).fullmatch
_MAX_DECODINGS = 5
"""A server or a proxy may decode a path more than once."""


def build_path(path: str, params: Params | None) -> str:
    """Return the path and query of a request below the API's base URL. Raises `InvalidSearch` with all problems."""
    reason = _path_problem(path)
    problems = [] if reason is None else [Problem(("path",), reason)]
    query = _encode_params(params, problems)
    if problems:
        raise InvalidSearch("get", problems)
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _path_problem(target: object) -> str | None:
    if not isinstance(target, str):
        return f"must be text, not {type(target).__name__}"
    path, question_mark, query = target.partition("?")
    if not path.startswith("/") or path.startswith("//"):
        return "must be a path of the API that begins with one /, without scheme and host"
    if _is_path(path) is None:
        return "has a character that a path cannot have, or half of an escape: percent-encode it, as quote() does"
    if _leaves(path):
        return "must not have a segment . or .., or a control character, encoded or not"
    if question_mark and _is_query(query) is None:
        return "has a malformed query: names and values are percent-encoded, + as %2B and a blank as %20; or use params"
    return None


def _leaves(path: str) -> bool:
    """Return whether a path has a segment that leads elsewhere, however often it is decoded."""
    for _ in range(_MAX_DECODINGS):
        segments = (segment.partition(";")[0] for segment in re.split(r"[/\\]", path))
        if not path.isprintable() or any(segment in {".", ".."} for segment in segments):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded
    return True


def _encode_params(params: object, problems: list[Problem]) -> str:
    if params is None:
        return ""
    if not isinstance(params, Mapping):
        problems.append(Problem(("params",), f"must be a mapping, not {type(params).__name__}"))
        return ""
    pairs: list[tuple[str, str]] = []
    for name, value in cast("Mapping[object, object]", params).items():
        if not isinstance(name, str) or _text(name) is None or not name:
            problems.append(Problem(("params",), "must have names that are text, and not empty"))
            continue
        texts = [*_texts(value)]
        if None in texts:
            problems.append(Problem(("params", name), "must be text, a number, true or false, or a list of them"))
        pairs += [(name, text) for text in texts if text is not None]
    return urlencode(pairs, quote_via=quote, safe="")


def _texts(value: Any) -> Iterator[str | None]:
    for item in value if isinstance(value, list | tuple) else (value,):
        yield _text(item)


def _text(value: object) -> str | None:
    """Return a value as the text of a query, or `None` if it has none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    return value if isinstance(value, str) and value.encode(errors="replace").decode() == value else None
