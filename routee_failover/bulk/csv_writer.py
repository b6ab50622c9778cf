"""CSV lines that are safe against formula injection, whichever delimiter a spreadsheet splits them at.

A spreadsheet of a country that writes 1,5 splits a file at `;`, others at a tab or `|`: a text that holds such a
delimiter is split there, quoted or not, so that what follows it may begin a cell. See
https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re
from collections.abc import Iterable

from ..secret import MASK

CsvValue = str | int | float | None

_DELIMITERS = r",;|\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
# All characters that NFKC normalization turns into =, +, -, @ or the minus sign.
FORMULA_SIGNS = "=+-@⁺⁻⁼₊₋₌\u2212⩵⩶﬩﹢﹣﹦﹫\uff0b\uff0d\uff1d\uff20"
"""Characters that a formula begins with."""
# Invisible characters that count as letters.
_INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"
_SIGN = re.escape(FORMULA_SIGNS)
# Phone numbers, masked or not, may begin with a plus: neither evaluates to anything else.
_NUMBER = rf"[ ]*(?:\+\d*{re.escape(MASK)}\d*|\+\d{{1,15}})[ ]*(?:[{_DELIMITERS}]|\Z)"
# The start of a cell, then characters that are no letters and so may be skipped as blanks or quotes, then a sign. An
# apostrophe ends the match: a cell that begins with one is text.
_FORMULA = re.compile(
    rf"(\A|[{_DELIMITERS}])(?!{_NUMBER})(?=(?:[^\w'{_SIGN}{_DELIMITERS}]|[{_INVISIBLE_LETTERS}])*[{_SIGN}])"
)
# Fast path for ids, times, words and masked numbers, which are nearly all texts: a tenth of the cost of the search.
_is_harmless = re.compile(rf"(?:[A-Za-z0-9][A-Za-z0-9 .:_/-]*|\+\d*{re.escape(MASK)}\d*)?").fullmatch


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe before each part that a spreadsheet would evaluate as a formula.

    Such a part begins with `=`, `+`, `-` or `@` in any width, also after blanks, quotes and invisible characters, at
    the beginning or after a comma, a semicolon, a tab or a bar. A text that begins with a tab or a line end gets an
    apostrophe too.
    """
    safe = _FORMULA.sub(r"\1'", text)
    return f"'{safe}" if safe[:1] in {"\t", "\r", "\n"} else safe


def format_csv_line(cells: Iterable[CsvValue]) -> str:
    """Return one line of CSV with its line feed: texts are escaped and quoted, numbers are bare, `None` is empty."""
    return ",".join(map(_format_cell, cells)) + "\n"


def _format_cell(cell: CsvValue) -> str:
    if isinstance(cell, str):
        if _is_harmless(cell):
            return f'"{cell}"'
        return f'"{escape_formula(cell).replace(chr(34), chr(34) * 2)}"'
    return "" if cell is None else str(cell)
