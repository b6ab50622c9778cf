"""How an SMS text is cut into the parts that are sent and priced (https://docs.routee.net/docs/encoding-characters).

Pure, and it knows no flow: a text goes in, the texts of its parts come out.
"""

import unicodedata
from collections.abc import Callable, Iterator

# The default alphabet of GSM 03.38, and the extension table, each of whose letters goes out as two.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM = _BASIC | _EXTENSION

GSM_SINGLE_PART, GSM_MULTI_PART = 160, 153
"""How many letters of the GSM alphabet one part holds: alone, and as one of several."""
UNICODE_SINGLE_PART, UNICODE_MULTI_PART = 70, 67
"""The same for Unicode, in units of UTF-16: what lies beyond the basic plane, as most emoji do, counts as two."""

# Greek capitals that GSM lacks look like Latin ones; the others (Γ, Δ, Θ, ...) it has.
_LOOK_ALIKES = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")  # noqa: RUF001  # that they look alike is the point


def split_sms(text: str, *, transcode: bool = False) -> tuple[str, ...]:
    """The parts of a text as they are sent; one if it fits. No part ends in the middle of a letter.

    With `transcode`, Greek letters are replaced by capitals of the GSM alphabet, if that spares Unicode and the text
    does not fit in one Unicode part as it is.
    """
    if _GSM.issuperset(text):
        return _cut(text, _gsm_length, GSM_SINGLE_PART, GSM_MULTI_PART)
    if transcode and _unicode_length(text) > UNICODE_SINGLE_PART:
        composed = unicodedata.normalize("NFC", text)
        replaced = composed.translate({ord(letter): _look_alike(letter) for letter in set(composed)})
        if _GSM.issuperset(replaced):  # INF: where Unicode is needed all the same, nothing is replaced
            return _cut(replaced, _gsm_length, GSM_SINGLE_PART, GSM_MULTI_PART)
    return _cut(text, _unicode_length, UNICODE_SINGLE_PART, UNICODE_MULTI_PART)


def is_gsm(text: str) -> bool:
    """Whether the GSM alphabet has every letter of a text."""
    return _GSM.issuperset(text)


def _gsm_length(text: str) -> int:
    return len(text) + sum(map(text.count, _EXTENSION))


def _unicode_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _look_alike(letter: str) -> str:
    """A GSM capital for a Greek letter, its accents dropped; other letters stay (INF: the page names only Greek)."""
    if letter in _GSM or not unicodedata.name(letter, "").startswith("GREEK "):
        return letter
    bare = "".join(sign for sign in unicodedata.normalize("NFD", letter) if not unicodedata.combining(sign))
    return bare.upper().translate(_LOOK_ALIKES)


def _cut(text: str, length: Callable[[str], int], alone: int, joined: int) -> tuple[str, ...]:
    return (text,) if length(text) <= alone else tuple(_filled(text, length, joined))


def _filled(text: str, length: Callable[[str], int], room: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        part = text[start : start + room]
        while (excess := length(part) - room) > 0:
            part = part[: len(part) - (excess + 1) // 2]  # no letter takes more than two: at least so many have no room
        yield part
        start += len(part)
