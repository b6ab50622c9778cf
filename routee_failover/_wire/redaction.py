"""Redaction: the texts of a flow that no error may show."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ..flows import AnyFlow, RawFlow
from .dump import dump_flow

_SECRET_KEYS = frozenset({"pin", "to", "phone", "viber", "sip", "body", "text"})
_MIN_SECRET_LENGTH = 4
"""Shorter texts are not masked, because that would garble Routee's messages; a PIN has at least four characters."""


def collect_secrets(flow: AnyFlow) -> list[str]:
    """Return the texts of a flow that no error may show, although Routee may quote them: PIN, texts and recipients.

    Nothing is known about a raw flow, so that all of its texts and numbers count, and its keys with digits. Each comes
    in every form in which a response may quote it: a number without its +, a text with JSON's escapes.
    """
    find_texts = _all_texts if isinstance(flow, RawFlow) else _secret_texts
    texts = {text for text in find_texts(dump_flow(flow)) if len(text) >= _MIN_SECRET_LENGTH}
    escaped = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts for ascii_only in (True, False)}
    # A code is a separate word in a text, and Routee may quote any part of the text around it.
    codes = {
        word
        for text in texts
        for word in re.findall(r"\w+", text)
        if len(word) >= _MIN_SECRET_LENGTH and _has_digit(word)
    }
    return [*(texts | escaped | codes | {text.removeprefix("+") for text in texts})]


_has_digit = re.compile(r"\d").search


def _all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from filter(_has_digit, value)
        value = [*value.values()]
    if isinstance(value, list):
        for item in value:
            yield from _all_texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _secret_texts(value: Any, key: str = "", *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secret_texts(item, name, secret=secret or name == "templateParams")
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, key, secret=secret)
    elif secret or key in _SECRET_KEYS:
        yield str(value)
