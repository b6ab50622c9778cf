"""Column names as they are compared: what looks the same to a reader of two files is the same name.

A header out of a spreadsheet holds line ends, non-breaking blanks, invisible marks and letters in another Unicode form
than the template, none of which a person can see. Every source, the placeholders of a template and its key go by this.
"""

import re
import unicodedata
from collections.abc import Iterable

_invisible = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def column_name(written: str) -> str:
    """The name in NFC, without signs that nobody sees, its blanks and line ends each folded into one blank."""
    if not written.isascii():
        written = unicodedata.normalize("NFC", _invisible.sub("", written))
    return " ".join(written.split())


def without_invisible(text: str) -> str:
    """A text without the signs that no name is told apart by."""
    return text if text.isascii() else _invisible.sub("", text)


def repeated(names: Iterable[str]) -> str | None:
    """The first name that is there a second time; columns without a name do not count."""
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            return name
        seen.add(name)
    return None
