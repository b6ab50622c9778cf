"""Standard output for data, as CSV: UTF-8 bytes, whatever the locale says that texts for people are."""

import codecs
import sys
from typing import NoReturn

from ..errors import InvalidSource


class DataOutput:
    """Writes text to standard output as it is meant: another program reads it as UTF-8.

    A terminal shows its own encoding alone. A letter that it does not have raises `InvalidSource`, which says so: what
    is shown in its place would be copied as if it were the data.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._encoding = (sys.stdout.encoding if self._terminal else None) or "utf-8"

    def write(self, text: str) -> None:
        """Write more of it. Raises `OSError` where nobody reads it."""
        try:
            data = text.encode(self._encoding)
        except UnicodeEncodeError as error:
            self._raise_unencodable(text[error.start])
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def _raise_unencodable(self, letter: str) -> NoReturn:
        name = codecs.lookup(self._encoding).name
        raise InvalidSource(
            f"this terminal shows {name}, which has no U+{ord(letter):04X}: write it to a file or to a pipe, "
            "which get UTF-8; nothing was changed"
        ) from None
