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

GSM_ALONE, GSM_JOINED = 160, 153
"""How many letters of the GSM alphabet one part holds: alone, and as one of several."""
UNICODE_ALONE, UNICODE_JOINED = 70, 67
"""The same for Unicode, in units of UTF-16: what lies beyond the basic plane, as most emoji do, counts as two."""

# Greek capitals that GSM lacks look like Latin ones; the others (Γ, Δ, Θ, ...) it has.
_LOOK_ALIKES = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX")  # noqa: RUF001  # that they look alike is the point


def split(text: str, *, transcode: bool = False) -> tuple[str, ...]:
    """The parts of a text as they are sent; one if it fits. No part ends in the middle of a letter.

    With `transcode`, Greek letters are replaced by capitals of the GSM alphabet, if that spares Unicode and the text
    does not fit in one Unicode part as it is.
    """
    if _GSM.issuperset(text):
        return _cut(text, _gsm_size, GSM_ALONE, GSM_JOINED)
    if transcode and sum(map(_unicode_size, text)) > UNICODE_ALONE:
        replaced = "".join(map(_look_alike, unicodedata.normalize("NFC", text)))
        if _GSM.issuperset(replaced):  # INF: where Unicode is needed all the same, nothing is replaced
            return _cut(replaced, _gsm_size, GSM_ALONE, GSM_JOINED)
    return _cut(text, _unicode_size, UNICODE_ALONE, UNICODE_JOINED)


def _gsm_size(letter: str) -> int:
    return 2 if letter in _EXTENSION else 1


def _unicode_size(letter: str) -> int:
    return 2 if ord(letter) > 0xFFFF else 1


def _look_alike(letter: str) -> str:
    """A GSM capital for a Greek letter, its accents dropped; other letters stay (INF: the page names only Greek)."""
    if letter in _GSM:
        return letter
    bare = "".join(sign for sign in unicodedata.normalize("NFD", letter) if not unicodedata.combining(sign))
    replaced = bare.upper().translate(_LOOK_ALIKES)
    return replaced if _is_greek(letter) and _GSM.issuperset(replaced) else letter


def _is_greek(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("GREEK ")


def _cut(text: str, size: Callable[[str], int], alone: int, joined: int) -> tuple[str, ...]:
    return (text,) if sum(map(size, text)) <= alone else tuple(_filled(text, size, joined))


def _filled(text: str, size: Callable[[str], int], room: int) -> Iterator[str]:
    start = used = 0
    for place, letter in enumerate(text):
        needed = size(letter)
        if used + needed > room:
            yield text[start:place]
            start, used = place, 0
        used += needed
    yield text[start:]
