"""Validator of the columns of a row that must not be empty: those that hold a code, and those that are a whole text."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import attrs

from ...errors import Problem
from .code_cells import InvalidCell, parse_code, parse_possible_code, require_text
from .field_roles import FieldPath, FieldRole
from .template_fields import TemplateField

_CODE = (
    r"(?:pin|otp|tan|code|passcode|password|passwort|token|kode?|codigo|código|codice|κωδικός|κωδικο[ςσύυ]|код|пароль)"
)
_KIND = r"(?:one[\s_-]?time|otp|pin|sms|pass|access|auth|login|security|verification|verify|activation|tan)"
_names_a_code = re.compile(rf"(?<![^\W\d_])(?:{_KIND}[\s_-]?)*{_CODE}(?![^\W\d_])").search
_names_a_place = re.compile(
    r"(?<![^\W\d_])(?:post|postal|zip|country|area|region|state|city|currency|lang|language)[\s_-]?code(?![^\W\d_])"
).search
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_is_ahead_of_a_code = re.compile(
    rf"(?<![^\W\d_]){_CODE}(?:\s+(?:is|ist|est|es|είναι))?[\s:=\"'«“(*-]*$", re.IGNORECASE
).search
_is_behind_a_code = re.compile(
    rf"[\s\"'»”)*]*(?:is|as|ist|est|es|είναι)\s+(?:your|the|ihr|dein|votre|tu|su|o|\u03bf|το)\s[^.,;:!?\n]{{0,40}}?"
    rf"(?<![^\W\d_]){_CODE}(?![^\W\d_])",
    re.IGNORECASE,
).match
_is_of_commerce = re.compile(
    r"(?:order|booking|reservation|discount|promo|promotion|voucher|coupon|gift|referral|reference|tracking|product"
    r"|customer|parcel)[\s_-]+code",
    re.IGNORECASE,
).search
_WHOLE_TEXTS = frozenset({"body", "text"})

CellParser = Callable[[str], str]
"""Return what a cell says; raises `InvalidCell`."""


def is_code_name(name: str) -> bool:
    """Return whether a column or a key is called a code: `pin`, `otpCode`, `Verification code`; not `postal_code`."""
    words = _CAMEL.sub(" ", name).lower()
    return _names_a_code(words) is not None and _names_a_place(words) is None


@attrs.frozen
class RequiredColumns:
    """Columns of a template whose cells are checked in every row, before its flow is made."""

    code_columns: frozenset[str]
    """They hold a code."""
    secret_columns: frozenset[str]
    """They, and those that may hold the code of an OTP's SMS, where nothing says which of its columns does."""
    _checks: tuple[tuple[str, FieldPath, CellParser], ...]
    """Each column with the place where it stands first, and what its cell must be."""

    @classmethod
    def from_fields(cls, fields: Sequence[TemplateField]) -> Self:
        """Return those of a template."""
        recipients = {column for leaf in fields if leaf.role is FieldRole.RECIPIENT for column in leaf.columns}
        codes = {column for leaf in fields for column in _codes_in(leaf)} - recipients
        possible: set[str] = set()
        for leaf in fields:
            # An OTP's SMS holds the code: where nothing tells which of its columns that is, it may be any.
            if leaf.role is FieldRole.OTP_TEXT and codes.isdisjoint(leaf.columns):
                possible.update(leaf.columns)
        possible -= recipients
        checks: dict[str, tuple[str, FieldPath, CellParser]] = {}
        for leaf in fields:
            whole = leaf.text.is_single_column and leaf.path[-1] in _WHOLE_TEXTS
            for column in leaf.columns:
                check = parse_code if column in codes else parse_possible_code if column in possible else require_text
                if check is not require_text or (whole and column not in recipients):
                    checks.setdefault(column, (column, leaf.path, check))
        return cls(frozenset(codes), frozenset(codes | possible), tuple(checks.values()))

    def normalize(self, values: Mapping[str, str], problems: list[Problem]) -> Mapping[str, str]:
        """Return the values of a row with each code as it is sent, and add a problem for each cell that is none.

        A column that the row lacks is left to what makes its flow.
        """
        for column, path, check in self._checks:
            text = values.get(column)
            if text is None or (text.isdigit() and text.isascii()):
                continue  # nearly every code
            try:
                cell = check(text)
            except InvalidCell as error:
                problems.append(Problem(path, f"{error} (column {column})"))
                continue
            if cell is not text:
                values = {**values, column: cell}
        return values


def _codes_in(leaf: TemplateField) -> Iterator[str]:
    """Yield the columns of a text that hold a code: by the place, by their names, or by the words around them."""
    key = leaf.path[-1]
    if leaf.role is FieldRole.PIN or (leaf.role is FieldRole.TEXT and isinstance(key, str) and is_code_name(key)):
        yield from leaf.columns
        return
    is_text = leaf.role in {FieldRole.TEXT, FieldRole.OTP_TEXT} and key in _WHOLE_TEXTS
    for column, ahead, behind in zip(leaf.columns, leaf.text.literals, leaf.text.literals[1:], strict=False):
        if is_code_name(column) or (is_text and _is_beside_a_code(ahead, behind)):
            yield column


def _is_beside_a_code(ahead: str, behind: str) -> bool:
    found = _is_ahead_of_a_code(ahead) or _is_behind_a_code(behind)
    return found is not None and _is_of_commerce(f"{ahead} {found[0]}") is None
