"""Validator of the columns of a row that must not be empty: those that hold a code, and those that are a whole text."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import attrs

from ...errors import Problem
from .field_roles import FieldPath, FieldRole
from .otp_code_validators import InvalidCell, parse_code, parse_possible_code, require_text
from .template_fields import TemplateField

_CODE = (
    r"(?:pin|otp|tan|code|passcode|password|passwort|token|kode?|codigo|código|codice|κωδικός|κωδικο[ςσύυ]|код|пароль)"
)
_CODE_PREFIX = r"(?:one[\s_-]?time|otp|pin|sms|pass|access|auth|login|security|verification|verify|activation|tan)"
_has_code_word = re.compile(rf"(?<![^\W\d_])(?:{_CODE_PREFIX}[\s_-]?)*{_CODE}(?![^\W\d_])").search
_has_region_code_word = re.compile(
    r"(?<![^\W\d_])(?:post|postal|zip|country|area|region|state|city|currency|lang|language)[\s_-]?code(?![^\W\d_])"
).search
_CAMEL_CASE_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ends_with_code_word = re.compile(
    rf"(?<![^\W\d_]){_CODE}(?:\s+(?:is|ist|est|es|είναι))?[\s:=\"'«“(*-]*$", re.IGNORECASE
).search
_continues_with_code_word = re.compile(
    rf"[\s\"'»”)*]*(?:is|as|ist|est|es|είναι)\s+(?:your|the|ihr|dein|votre|tu|su|o|\u03bf|το)\s[^.,;:!?\n]{{0,40}}?"
    rf"(?<![^\W\d_]){_CODE}(?![^\W\d_])",
    re.IGNORECASE,
).match
_has_commercial_code_word = re.compile(
    r"(?:order|booking|reservation|discount|promo|promotion|voucher|coupon|gift|referral|reference|tracking|product"
    r"|customer|parcel)[\s_-]+code",
    re.IGNORECASE,
).search
_BODY_KEYS = frozenset({"body", "text"})

CellParser = Callable[[str], str]
"""Returns the content of a cell; raises `InvalidCell`."""


def is_code_name(name: str) -> bool:
    """Return whether a column or key is named like a code: `pin`, `otpCode`, `Verification code`; not `postal_code`."""
    words = _CAMEL_CASE_BOUNDARY.sub(" ", name).lower()
    return _has_code_word(words) is not None and _has_region_code_word(words) is None


@attrs.frozen
class RequiredColumns:
    """Columns of a template whose cells are checked in every row, before its flow is built."""

    code_columns: frozenset[str]
    """Columns that hold a code."""
    secret_columns: frozenset[str]
    """These, and the columns that may hold the code of an OTP's SMS if it is not known which of them does."""
    _parsers: tuple[tuple[str, FieldPath, CellParser], ...]
    """Each column with its first path and the parser of its cells."""

    @classmethod
    def from_fields(cls, fields: Sequence[TemplateField]) -> Self:
        """Return the required columns of a template."""
        recipients = {column for field in fields if field.role is FieldRole.RECIPIENT for column in field.columns}
        codes = {column for field in fields for column in _code_columns_of(field)} - recipients
        possible: set[str] = set()
        for field in fields:
            # An OTP's SMS contains the code: if it is not known in which of its columns, it may be in any.
            if field.role is FieldRole.OTP_TEXT and codes.isdisjoint(field.columns):
                possible.update(field.columns)
        possible -= recipients
        parsers: dict[str, tuple[str, FieldPath, CellParser]] = {}
        for field in fields:
            is_whole_text = field.text.is_single_column and field.path[-1] in _BODY_KEYS
            for column in field.columns:
                parser = parse_code if column in codes else parse_possible_code if column in possible else require_text
                if parser is not require_text or (is_whole_text and column not in recipients):
                    parsers.setdefault(column, (column, field.path, parser))
        return cls(frozenset(codes), frozenset(codes | possible), tuple(parsers.values()))

    def normalize(self, values: Mapping[str, str], problems: list[Problem]) -> Mapping[str, str]:
        """Return the values of a row with each code as it is sent, and append a problem for each invalid cell.

        A column that the row lacks is reported when the flow is built.
        """
        for column, path, parser in self._parsers:
            text = values.get(column)
            if text is None or (text.isdigit() and text.isascii()):
                continue  # fast path for nearly every code
            try:
                cell = parser(text)
            except InvalidCell as error:
                problems.append(Problem(path, f"{error} (column {column})"))
                continue
            if cell is not text:
                values = {**values, column: cell}
        return values


def _code_columns_of(field: TemplateField) -> Iterator[str]:
    """Yield the columns of a text that hold a code, by the field's role, their names, or the adjacent words."""
    key = field.path[-1]
    if field.role is FieldRole.PIN or (field.role is FieldRole.TEXT and isinstance(key, str) and is_code_name(key)):
        yield from field.columns
        return
    is_text = field.role in {FieldRole.TEXT, FieldRole.OTP_TEXT} and key in _BODY_KEYS
    for column, before, after in zip(field.columns, field.text.literals, field.text.literals[1:], strict=False):
        if is_code_name(column) or (is_text and _is_next_to_code_word(before, after)):
            yield column


def _is_next_to_code_word(before: str, after: str) -> bool:
    found = _ends_with_code_word(before) or _continues_with_code_word(after)
    return found is not None and _has_commercial_code_word(f"{before} {found[0]}") is None
