"""Validator of one-time codes in cells: an empty cell, and what spreadsheets and databases write there, is no code."""

import re

_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u00ad\u202a\u202b\u202c\u202d\u202e"
_BLANK = (
    _INVISIBLE
    + "\x00\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)
_MAX_BLANK_LENGTH = 24
"""Characters; a longer cell is not looked at."""
_BLANK_WORDS = frozenset(
    (
        *("nan", "null", "none", "nil", "na", "n/a", "n.a.", "n.a", "n\\a", "nat", "nd", "n/d", "undefined", "missing"),
        *("empty", "blank", "unset", "no value", "no data", "not available", "not applicable", "object object"),
        *("nan(ind)", "nan(snan)", "1.#ind", "1.#qnan", "1.#nan", "1.#inf", "inf", "infinity"),  # C and Windows
        *("\\n", "\\\\n", "%!s(<nil>)", "%!s(nil)", "%!d(<nil>)"),  # COPY of PostgreSQL, mysqldump, Go
    )
)
_NO_CODE = frozenset(
    (
        *("true", "false", "unknown", "pending", "tbd", "tba", "todo", "not set", "not found", "none yet", "no code"),
        *("no pin", "leer", "vide", "vuoto", "vacío", "vacio", "nulo", "κενό", "пусто"),
    )
)
"""Words for no code, some of which are names of people and places."""
_is_error_of_spreadsheet = re.compile(
    r"\#+|\#(n/?[avd](\ n/a)?|nd|getting_data|¿?[^\W\d]{3,8}[!?]|div/0!|spill!|field!|busy!)", re.IGNORECASE
).fullmatch
_is_only_dashes = re.compile(r"[-\u2010-\u2015\u2212\ufe58\uff0d_.…?·/\\~|,;:'\"`]+").fullmatch

_whole_with_fraction = re.compile(r"([0-9]+)\.0+").fullmatch
_is_grouped = re.compile(r"[+-]?[0-9]{1,3}([.,'\u2019\u066c\xa0\u2009\u202f])[0-9]{3}(\1[0-9]{3})*").fullmatch
_is_fraction = re.compile(r"[+-]?[0-9]*[.,\u066b][0-9]*").fullmatch
_is_rounded = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?[eE][+-][0-9]{1,3}|[+-]?[0-9]+[.,][0-9]+[eE][0-9]{1,3}").fullmatch
_is_signed = re.compile(r"[+\-\u2212][0-9]+").fullmatch
_STAR = r"[*\u2022\u25cf\u2217\uff0a]"
_has_mask = re.compile(rf"{_STAR}{{2}}|[0-9]{_STAR}|{_STAR}[0-9]").search
_is_mask = re.compile(rf"(?:{_STAR}|[xX#_?.\-\s])+|[0-9]*[xX]{{2,}}[0-9]*").fullmatch
_is_placeholder = re.compile(
    r"\$?\{+[^{}]*[^\W\d][^{}]*\}+|\*\|.*\|\*|(%{1,2})[^\W\d][\w .-]*\1"
    r"|<{1,2}[^\W\d][^<>]*>{1,2}|\[{1,2}[^\W\d][^][]*\]{1,2}"
).fullmatch
_is_quoted = re.compile(r"['\u2019`=\"\u201c\u201d].*").fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?|[0-9]{1,2}([/.])[0-9]{1,2}\2[0-9]{2,4}( .*)?").fullmatch

AS_TEXT_HINT = "write the column as text"


class InvalidCell(ValueError):
    """A cell does not hold what stands in its place; the message says why and does not quote it."""


def is_blank(text: str) -> bool:
    """Return whether a cell is empty or blank, or holds a word for an empty one, as `nan`, `NULL`, `#N/A` and `-`."""
    if len(text) > _MAX_BLANK_LENGTH:
        return not text.strip(_BLANK)
    bare = text.strip(_BLANK)
    if not bare or _is_only_dashes(bare) or _is_error_of_spreadsheet(bare):
        return True
    word = bare.casefold()
    return word in _BLANK_WORDS or word.strip("()<>[]{}\"'`+-.").strip() in _BLANK_WORDS


def parse_code(text: str) -> str:
    """Return the code that a cell holds, without blanks around it and without the `.0` of a number; zeros stay.

    Raises `InvalidCell` for an empty cell, and for what is not the code any more: a number that was rounded, grouped,
    signed or cut into a date, a mask.
    """
    code = parse_possible_code(text).strip(_BLANK)
    if code.isdecimal():
        return code
    if not any(letter.isalnum() for letter in code) or code.casefold().strip("()<>[]") in _NO_CODE:
        raise InvalidCell("must not be empty: a code stands there")
    if _is_placeholder(code):
        raise InvalidCell("is a placeholder that nothing has filled, and no code")
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
    if any(letter in _BLANK and letter != " " for letter in code):
        raise InvalidCell("has an invisible mark or a blank that is no space in it")
    return code


def parse_possible_code(text: str) -> str:
    """Return what a cell holds that may be a code or another text: only what neither can be is refused.

    A number loses its `.0` and the blanks around it; all else stays as it is. Raises `InvalidCell`.
    """
    if text.isascii() and text.isdigit():
        return text
    if is_blank(text):
        raise InvalidCell("must not be empty: a code stands there")
    bare = text.strip(_BLANK)
    if bare.isdecimal():
        return bare
    whole = _whole_with_fraction(bare)
    if whole is not None and not _is_grouped(bare):
        return whole[1]
    if _is_rounded(bare):
        raise InvalidCell(f"is a number that a spreadsheet has rounded; {AS_TEXT_HINT}")
    if _has_mask(bare):
        raise InvalidCell("is masked")
    return text


def require_text(text: str) -> str:
    """Return a cell that is not empty; raises `InvalidCell` for one that is."""
    if is_blank(text):
        raise InvalidCell("must not be empty")
    return text
