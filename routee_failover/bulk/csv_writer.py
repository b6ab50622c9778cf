"""CSV lines of which no spreadsheet computes a cell, whichever delimiter it splits them at.

A spreadsheet of a country that writes 1,5 splits a file at `;`, and others at a tab or `|`: a text that holds such a
delimiter falls apart there, quoted or not, so that what follows it may begin a cell.
See https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re
from collections.abc import Iterable

from ..secret import MASK

CsvValue = str | int | float | None

_DELIMITERS = r",;|\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
# All that is =, +, -, @ or the minus sign to a reader that normalises what it reads (NFKC).
FORMULA_SIGNS = "=+-@⁺⁻⁼₊₋₌\u2212⩵⩶﬩﹢﹣﹦﹫\uff0b\uff0d\uff1d\uff20"
"""Letters that a formula begins with."""
# Blanks that count as letters, though nothing is seen of them.
_FILLERS = "\u115f\u1160\u3164\uffa0"
_SIGN = re.escape(FORMULA_SIGNS)
# Our own masked numbers, and whole ones, may begin with their plus: neither can be computed to anything else.
_NUMBER = rf"[ ]*(?:\+\d*{re.escape(MASK)}\d*|\+\d{{1,15}})[ ]*(?:[{_DELIMITERS}]|\Z)"
# Where a cell may begin, what is no letter and so may be skipped as a blank or a quote, and a sign. An apostrophe ends
# it: a cell that begins with one is text.
_FORMULA = re.compile(rf"(\A|[{_DELIMITERS}])(?!{_NUMBER})(?=(?:[^\w'{_SIGN}{_DELIMITERS}]|[{_FILLERS}])*[{_SIGN}])")
# Nearly all texts are ids, times, words and masked numbers, and this is a tenth of what the search costs.
_harmless = re.compile(rf"(?:[A-Za-z0-9][A-Za-z0-9 .:_/-]*|\+\d*{re.escape(MASK)}\d*)?").fullmatch


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe before whatever a spreadsheet would take for a formula.

    That is what begins with `=`, `+`, `-` or `@` in any width, also after blanks, quotes and invisible letters, at the
    beginning or after a comma, a semicolon, a tab or a bar. So does a text that begins with a tab or a line end.
    """
    safe = _FORMULA.sub(r"\1'", text)
    return f"'{safe}" if safe[:1] in {"\t", "\r", "\n"} else safe


def format_csv_line(cells: Iterable[CsvValue]) -> str:
    """Return a line of CSV with its line feed: texts are safe and quoted, numbers are bare, and `None` is nothing."""
    return ",".join(map(_written, cells)) + "\n"


def _written(cell: CsvValue) -> str:
    if isinstance(cell, str):
        if _harmless(cell):
            return f'"{cell}"'
        return f'"{escape_formula(cell).replace(chr(34), chr(34) * 2)}"'
    return "" if cell is None else str(cell)
