"""The texts of a flow that no error may show."""

import json
import re
from collections.abc import Iterator
from typing import Any

from ..flows import AnyFlow
from .dump import dump_flow

_SECRET_KEYS = frozenset({"pin", "to", "phone", "viber", "sip", "body", "text"})
_SHORTEST_SECRET = 4
"""Shorter texts are no secrets worth garbling Routee's words for; a PIN has at least four characters."""


def collect_secrets(flow: AnyFlow) -> list[str]:
    """The texts of a flow that no error may show, though Routee may quote them: PIN, texts and recipients.

    Each in every form in which an answer may quote it: a number without its +, a text as JSON spells it.
    """
    texts = {text for text in _secret_texts(dump_flow(flow)) if len(text) >= _SHORTEST_SECRET}
    spelled = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in texts for ascii_only in (True, False)}
    # A code stands in a text as a word of its own, and Routee may quote any part of the text around it.
    codes = {
        word
        for text in texts
        for word in re.findall(r"\w+", text)
        if len(word) >= _SHORTEST_SECRET and _has_digit(word)
    }
    return [*(texts | spelled | codes | {text.removeprefix("+") for text in texts})]


_has_digit = re.compile(r"\d").search


def _secret_texts(value: Any, key: str = "", *, secret: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secret_texts(item, name, secret=secret or name == "templateParams")
    elif isinstance(value, list):
        for item in value:
            yield from _secret_texts(item, key, secret=secret)
    elif secret or key in _SECRET_KEYS:
        yield str(value)
