"""Standard output for data such as CSV: UTF-8 bytes, whatever encoding the locale sets for text."""

import codecs
import sys
from typing import NoReturn

from ..errors import InvalidSource
from .terminal import blank_unprintable


class DataOutput:
    """Writes data to standard output as UTF-8, for another program to read.

    A terminal shows only its own encoding. A character that it lacks raises `InvalidSource`: a replacement character
    would be copied as if it were the data. What is not printable is a blank there, because a terminal would obey it.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._encoding = (sys.stdout.encoding if self._terminal else None) or "utf-8"

    def write(self, text: str) -> None:
        """Write `text`. Raises `OSError` if the reader has closed the output."""
        if self._terminal:
            text = blank_unprintable(text)
        try:
            data = text.encode(self._encoding)
        except UnicodeEncodeError as error:
            self._raise_unencodable(text[error.start])
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def _raise_unencodable(self, character: str) -> NoReturn:
        name = codecs.lookup(self._encoding).name
        raise InvalidSource(
            f"this terminal's encoding is {name}, which has no U+{ord(character):04X}: write it to a file or a pipe, "
            "which get UTF-8; nothing was changed"
        ) from None
