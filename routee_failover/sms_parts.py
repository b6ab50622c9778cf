"""Split an SMS text into the parts that are sent and priced (https://docs.routee.net/docs/encoding-characters).

Pure functions on texts, independent of flows.
"""

import unicodedata
from collections.abc import Callable, Iterator

# The default alphabet of GSM 03.38, and its extension table, whose characters count as two.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION

GSM_SINGLE_PART, GSM_MULTI_PART = 160, 153
"""Maximum length of one part in GSM characters: of a single part, and of each of several parts."""
UNICODE_SINGLE_PART, UNICODE_MULTI_PART = 70, 67
"""The same for Unicode, in UTF-16 code units: a character beyond the basic plane, such as most emoji, counts as two."""

# Greek capitals that GSM lacks look like Latin ones; the others (Γ, Δ, Θ, ...) it has.
_LOOKALIKES = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")  # noqa: RUF001  # that they look alike is the point


def split_sms(text: str, *, transcode: bool = False) -> tuple[str, ...]:
    """Return the parts of a text as they are sent; one if it fits. No character is split between two parts.

    With `transcode`, Greek letters are replaced by capitals of the GSM alphabet, if that avoids Unicode and the text
    does not fit in one Unicode part as it is.
    """
    if _GSM.issuperset(text):
        return _split(text, _gsm_length, GSM_SINGLE_PART, GSM_MULTI_PART)
    if transcode and _unicode_length(text) > UNICODE_SINGLE_PART:
        composed = unicodedata.normalize("NFC", text)
        replaced = composed.translate({ord(character): _lookalike(character) for character in set(composed)})
        if _GSM.issuperset(replaced):  # INF: if Unicode is needed all the same, nothing is replaced
            return _split(replaced, _gsm_length, GSM_SINGLE_PART, GSM_MULTI_PART)
    return _split(text, _unicode_length, UNICODE_SINGLE_PART, UNICODE_MULTI_PART)


def is_gsm(text: str) -> bool:
    """Return whether every character of a text is in the GSM alphabet."""
    return _GSM.issuperset(text)


def _gsm_length(text: str) -> int:
    return len(text) + sum(map(text.count, _EXTENSION))


def _unicode_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _lookalike(character: str) -> str:
    """Return the GSM capital for a Greek letter without its accents; others stay (INF: the page names only Greek)."""
    if character in _GSM or not unicodedata.name(character, "").startswith("GREEK "):
        return character
    bare = "".join(part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part))
    return bare.upper().translate(_LOOKALIKES)


def _split(text: str, length: Callable[[str], int], single: int, multi: int) -> tuple[str, ...]:
    return (text,) if length(text) <= single else tuple(_parts(text, length, multi))


def _parts(text: str, length: Callable[[str], int], limit: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        part = text[start : start + limit]
        while (excess := length(part) - limit) > 0:
            part = part[: len(part) - (excess + 1) // 2]  # a character takes two at most: drop at least half the excess
        yield part
        start += len(part)
