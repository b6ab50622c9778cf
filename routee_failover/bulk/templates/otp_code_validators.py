"""Validators of cells that must hold a code or a text: empty cells and altered codes are invalid."""

import re

_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u00ad\u202a\u202b\u202c\u202d\u202e"
_BLANK_CHARACTERS = (
    _INVISIBLE
    + "\x00\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)
_MAX_BLANK_LENGTH = 24
"""Characters; a longer cell cannot be a word for an empty cell."""
_BLANK_WORDS = frozenset(
    (
        *("nan", "null", "none", "nil", "na", "n/a", "n.a.", "n.a", "n\\a", "nat", "nd", "n/d", "undefined", "missing"),
        *("empty", "blank", "unset", "no value", "no data", "not available", "not applicable", "object object"),
        *("nan(ind)", "nan(snan)", "1.#ind", "1.#qnan", "1.#nan", "1.#inf", "inf", "infinity"),  # C and Windows
        *("\\n", "\\\\n", "%!s(<nil>)", "%!s(nil)", "%!d(<nil>)"),  # COPY of PostgreSQL, mysqldump, Go
    )
)
_MISSING_CODE_WORDS = frozenset(
    (
        *("true", "false", "unknown", "pending", "tbd", "tba", "todo", "not set", "not found", "none yet", "no code"),
        *("no pin", "leer", "vide", "vuoto", "vacío", "vacio", "nulo", "κενό", "пусто"),
    )
)
"""Words for a missing code, some of which are names of people and places."""
_is_spreadsheet_error = re.compile(
    r"\#+|\#(n/?[avd](\ n/a)?|nd|getting_data|¿?[^\W\d]{3,8}[!?]|div/0!|spill!|field!|busy!)", re.IGNORECASE
).fullmatch
_is_only_dashes = re.compile(r"[-\u2010-\u2015\u2212\ufe58\uff0d_.…?·/\\~|,;:'\"`]+").fullmatch

_whole_with_fraction = re.compile(r"([0-9]+)\.0+").fullmatch
_is_grouped = re.compile(r"[+-]?[0-9]{1,3}([.,'\u2019\u066c\xa0\u2009\u202f])[0-9]{3}(\1[0-9]{3})*").fullmatch
_is_fraction = re.compile(r"[+-]?[0-9]*[.,\u066b][0-9]*").fullmatch
_is_rounded = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-][0-9]{1,3}|[+-]?[0-9]+[.,][0-9]+[eE][0-9]{1,3}").fullmatch
_is_signed = re.compile(r"[+\-\u2212][0-9]+").fullmatch
_MASK_CHARACTER = r"[*\u2022\u25cf\u2217\uff0a]"
_has_mask = re.compile(rf"{_MASK_CHARACTER}{{2}}|[0-9]{_MASK_CHARACTER}|{_MASK_CHARACTER}[0-9]").search
_is_mask = re.compile(rf"(?:{_MASK_CHARACTER}|[xX#_?.\-\s])+|[0-9]*[xX]{{2,}}[0-9]*").fullmatch
_is_placeholder = re.compile(
    r"\$?\{+[^{}]*[^\W\d][^{}]*\}+|\*\|.*\|\*|(%{1,2})[^\W\d][\w .-]*\1"
    r"|<{1,2}[^\W\d][^<>]*>{1,2}|\[{1,2}[^\W\d][^][]*\]{1,2}"
).fullmatch
_is_quoted = re.compile(r"['\u2019`=\"\u201c\u201d].*").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{1,2}([/.])[0-9]{1,2}\2[0-9]{2,4}( .*)?").fullmatch

AS_TEXT_HINT = "write the column as text"


class InvalidCell(ValueError):
    """A cell does not hold what its place requires; the message gives the reason without quoting the cell."""


def is_blank(text: str) -> bool:
    """Return whether a cell is empty or blank, or holds a word for an empty cell, such as `nan`, `NULL` or `#N/A`."""
    if len(text) > _MAX_BLANK_LENGTH:
        return not text.strip(_BLANK_CHARACTERS)
    stripped = text.strip(_BLANK_CHARACTERS)
    if not stripped or _is_only_dashes(stripped) or _is_spreadsheet_error(stripped):
        return True
    word = stripped.casefold()
    return word in _BLANK_WORDS or word.strip("()<>[]{}\"'`+-.").strip() in _BLANK_WORDS


def parse_code(text: str) -> str:
    """Return the code in a cell, without surrounding blanks and without the `.0` of a number; leading zeros stay.

    Raises `InvalidCell` for an empty cell, and for a code that was altered: a number that was rounded, grouped, signed
    or turned into a date, or a mask.
    """
    code = parse_possible_code(text).strip(_BLANK_CHARACTERS)
    if code.isdecimal():
        return code
    if not any(char.isalnum() for char in code) or code.casefold().strip("()<>[]") in _MISSING_CODE_WORDS:
        raise InvalidCell("must not be empty: a code is required")
    if _is_placeholder(code):
        raise InvalidCell("is an unfilled placeholder, and no code")
    if _is_date(code):
        raise InvalidCell(f"is a date, and no code; {AS_TEXT_HINT}")
    if _is_grouped(code) or _is_fraction(code):
        raise InvalidCell(f"is a number with a fraction or with separators, and no code; {AS_TEXT_HINT}")
    if _is_signed(code):
        raise InvalidCell(f"is a number with a sign, and no code; {AS_TEXT_HINT}")
    if _is_quoted(code):
        raise InvalidCell("begins with a quotation mark or an equals sign, which is no part of a code")
    if _is_mask(code):
        raise InvalidCell("is masked")
    if any(char in _BLANK_CHARACTERS and char != " " for char in code):
        raise InvalidCell("contains an invisible mark or a blank that is no space")
    return code


def parse_possible_code(text: str) -> str:
    """Return the content of a cell that may be a code or another text; only what can be neither is invalid.

    A number loses its `.0` and the blanks around it; all else is unchanged. Raises `InvalidCell`.
    """
    if text.isascii() and text.isdigit():
        return text
    if is_blank(text):
        raise InvalidCell("must not be empty: a code is required")
    stripped = text.strip(_BLANK_CHARACTERS)
    if stripped.isdecimal():
        return stripped
    whole = _whole_with_fraction(stripped)
    if whole is not None and not _is_grouped(stripped):
        return whole[1]
    if _is_rounded(stripped):
        raise InvalidCell(f"is a number that a spreadsheet has rounded; {AS_TEXT_HINT}")
    if _has_mask(stripped):
        raise InvalidCell("is masked")
    return text


def require_text(text: str) -> str:
    """Return the content of a cell; raise `InvalidCell` if it is empty."""
    if is_blank(text):
        raise InvalidCell("must not be empty")
    return text
