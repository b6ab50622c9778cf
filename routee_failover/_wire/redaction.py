"""Redaction: what was sent and no error may show, although a response may quote it."""

import base64
import functools
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from ..flows import AnyFlow, RawFlow
from ..secret import MASK
from .dump import dump_flow

_SECRET_KEYS = frozenset({"pin", "to", "phone", "viber", "sip", "body", "text"})
_MIN_SECRET_LENGTH = 4
"""Shorter texts are not masked, because that would garble Routee's messages; a PIN has at least four characters."""
_MIN_HEADER_LENGTH = 8
"""Shorter headers of the settings are ordinary words."""
_PUBLIC_HEADERS = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
_MAX_CODE_LENGTH = 32
"""Longer texts are no codes and no numbers, whose characters a response may separate."""
_SEPARATORS = frozenset(" \t\r\n\xa0\u2009\u200b\u202f\u2060\ufeff-\u2010\u2011\u2012\u2013\u2014._/()")

_has_digit = re.compile(r"\d").search
_find_words = re.compile(r"\w+").findall
_find_separated_digits = re.compile(r"\d(?:[\s.\-]?\d){3,}").findall
_find_numbers = re.compile(r"\d{6,}").findall
_MAX_SEARCHED_LENGTH = 10_000
"""Characters of a text that are searched, besides the length of the longest secret; errors show less."""


def collect_secrets(flow: AnyFlow) -> list[str]:
    """Return the texts of a flow that no error may show, although Routee may quote them: PIN, texts and recipients.

    Nothing is known about a raw flow, so that all of its texts and numbers count, and its keys with digits.
    """
    find_texts = _all_texts if isinstance(flow, RawFlow) else _secret_texts
    texts = {text for text in find_texts(dump_flow(flow)) if len(text) >= _MIN_SECRET_LENGTH}
    # A code is a separate word in a text, and Routee may quote any part of the text around it.
    codes = {
        word
        for text in texts
        for word in (*_find_words(text), *_find_separated_digits(text))
        if len(word) >= _MIN_SECRET_LENGTH and _has_digit(word)
    }
    return [*(texts | codes)]


def header_secrets(headers: Mapping[str, str] | None) -> list[str]:
    """Return the values of a request's headers that no error may show, and the credentials in them."""
    secrets: list[str] = []
    for name, value in (headers or {}).items():
        if name.lower() in _PUBLIC_HEADERS or len(value) < _MIN_HEADER_LENGTH:
            continue
        scheme, _, credentials = value.partition(" ")
        secrets += [value, credentials]
        if scheme.lower() == "basic":
            pair = _decode_base64(credentials)
            secrets += [pair, pair.partition(":")[2]]
    return [secret for secret in secrets if len(secret) >= _MIN_SECRET_LENGTH]


def numbers_in(text: str) -> list[str]:
    """Return what may be phone numbers in the query or the body of a request that reads."""
    return _find_numbers(unquote(text))


def make_redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks `secrets` in a text, in every form in which a response may quote them.

    These are, besides the text itself: a number without its +; the escapes of JSON, HTML and URLs; base64; and a code
    or a number whose characters are separated by other blanks and dashes. Of a long text only the beginning is
    returned.
    """
    texts = _longest_first(text for secret in secrets for text in (secret, secret.removeprefix("+")) if text)
    codes = _longest_first(code for text in texts if (code := _as_code(text)))
    margin = 12 * max(map(len, texts), default=0)  # a letter beyond 16 bits is escaped as 12 characters

    @functools.cache
    def forms(encodings: tuple[Callable[[str], Iterator[str]], ...]) -> list[str]:
        return _longest_first([*texts, *(form for encode in encodings for text in texts for form in encode(text))])

    def redact(text: str) -> str:
        is_cut = len(text) > _MAX_SEARCHED_LENGTH + margin
        if is_cut:
            text = text[: _MAX_SEARCHED_LENGTH + margin]
        # The whole of a text comes before the codes in it.
        for form in forms(tuple(encode for may_hold, encode in _ENCODINGS if may_hold(text))):
            text = text.replace(form, MASK)
        text = _mask_separated(text, codes)
        return text[: len(text) - margin] if is_cut else text  # a secret may be cut in two

    return redact


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts), key=len, reverse=True)


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        yield json.dumps(text, ensure_ascii=ascii_only)[1:-1]
    yield text.replace("/", "\\/")


def _html_forms(text: str) -> Iterator[str]:
    yield html.escape(text)


def _url_forms(text: str) -> Iterator[str]:
    for safe in ("/", ""):
        for quoted in (quote(text, safe, errors="replace"), quote_plus(text, safe, errors="replace")):
            yield quoted
            yield re.sub("%..", lambda match: match[0].lower(), quoted)


def _base64_forms(text: str) -> Iterator[str]:
    """Yield the characters that a text alone determines at each of its three positions in encoded data."""
    data = text.encode(errors="surrogatepass")
    for position in range(3):
        encoded = base64.b64encode(bytes(position) + data).decode()
        core = encoded[(position * 8 + 5) // 6 : (position + len(data)) * 8 // 6]
        if len(core) >= _MIN_SECRET_LENGTH:
            yield core
            yield core.replace("+", "-").replace("/", "_")


_find_runs = re.compile(r"[\w+/-]{6,}").findall
_has_letter = re.compile("[A-Za-z]").search
_has_capital_or_digit = re.compile("[A-Z0-9]").search


def _may_hold_base64(text: str) -> bool:
    # One expression for all of it would take a time that grows with the square of the text.
    return any(_has_letter(run) and _has_capital_or_digit(run, 1) for run in _find_runs(text))


_ENCODINGS: tuple[tuple[Callable[[str], object], Callable[[str], Iterator[str]]], ...] = (
    (re.compile(r"\\").search, _json_forms),
    (re.compile("&").search, _html_forms),
    (re.compile("[%+]").search, _url_forms),
    (_may_hold_base64, _base64_forms),
)
"""Encodings of a text, each with what every text that holds one has: most responses hold none."""


def _as_code(text: str) -> str | None:
    """Return a short text without its separators, `None` for one that is no code and no number."""
    if len(text) > 2 * _MAX_CODE_LENGTH:
        return None
    code = _without_separators(text)[1]
    return code if _MIN_SECRET_LENGTH <= len(code) <= _MAX_CODE_LENGTH else None


def _mask_separated(text: str, codes: Iterable[str]) -> str:
    """Mask codes in a text whatever separates their characters."""
    kept, compact = _without_separators(text)
    for code in codes:
        start = compact.rfind(code)
        if start < 0:
            continue
        while start >= 0:
            text = f"{text[: kept[start]]}{MASK}{text[kept[start + len(code) - 1] + 1 :]}"
            start = compact.rfind(code, 0, start)
        kept, compact = _without_separators(text)
    return text


def _without_separators(text: str) -> tuple[list[int], str]:
    """Return the positions of a text's characters that are no separators, and these characters."""
    kept = [index for index, character in enumerate(text) if character not in _SEPARATORS]
    return kept, "".join([text[index] for index in kept])


def _decode_base64(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""


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
