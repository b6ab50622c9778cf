"""The rules that one value can keep or break. Each check says why a value does not fit, and never what the value is."""

import functools
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

from .._phone_numbers import EXAMPLE_NUMBER, InvalidPhoneNumber, ParsedNumber, is_e164, parse_number
from ..errors import InvalidFlow, Problem
from ..secret import Secret, SecretMapping, mask_phone
from .model import Invalid, ValidationResult, Validator, prefix_problems, type_name

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

SEQUENCE_TYPES = (list, tuple)
"""What stands for a JSON array. A tuple of classes, since a union would be made anew each time that it is asked."""

NOT_UNICODE = "holds half of a surrogate pair, which is no text"


def is_unicode(value: str) -> bool:
    """Whether JSON can carry the text: half of a surrogate pair has no UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def bounded_text(*, max_length: int | None = None, non_empty: bool = False) -> Validator:
    """Text of a length that Routee documents, counted in characters."""
    shortest = 1 if non_empty else 0
    most = sys.maxsize if max_length is None else max_length

    def check(value: Any) -> ValidationResult:
        if not isinstance(value, str):
            return f"must be text, not {type_name(value)}"
        if shortest <= len(value) <= most and (value.isascii() or is_unicode(value)):
            return None
        if len(value) < shortest:
            return "must not be empty"
        return f"must have at most {most} characters, has {len(value)}" if len(value) > most else NOT_UNICODE

    return check


def matches_pattern(pattern: str, reason: str, *, cache_size: int = 0) -> Validator:
    """Text of a documented form; the last `cache_size` answers are kept, for texts that a sender uses over and over."""
    match = re.compile(pattern).fullmatch
    if cache_size:
        match = functools.lru_cache(cache_size)(match)

    def check(value: Any) -> ValidationResult:
        if not isinstance(value, str):
            return f"must be text, not {type_name(value)}"
        return None if match(value) else reason

    return check


any_text: Validator = bounded_text()

Text = Annotated[str, any_text]
NonEmptyText = Annotated[str, bounded_text(non_empty=True)]
Label = Annotated[str, bounded_text(max_length=350)]


def e164_number(value: Any) -> ValidationResult:
    """A recipient in E.164 on every endpoint: +, the country code, 7 to 15 digits in all.

    Routee's OTP guide and its Voice pages also write numbers without the +; one digit too few or a number as it is
    dialled inside its country is then another country's number, so they are refused.
    """
    if not isinstance(value, str):
        return f"must be text, not {type_name(value)}"
    return None if is_e164(value) else _why_not_e164(value)


def _why_not_e164(text: str) -> str:
    """Return why a text is not in E.164; the number as it should probably be written is masked, as in all output."""
    try:
        fault = _fault(parse_number(text))
    except InvalidPhoneNumber as error:
        fault = str(error)
    return f"must be an E.164 number, like {_EXAMPLE}: {fault}"


def _fault(cell: ParsedNumber) -> str:
    number = f"+{cell.digits.removeprefix('00')}"
    if cell.optional_zero is not None:
        return "has a 0 in parentheses, which is not dialled from abroad"
    if not is_e164(number):
        return f"has {len(cell.digits)} digits of 7 to 15" if cell.has_plus else "lacks its + and the country code"
    if cell.has_plus:
        return f"write + and digits alone, {mask_phone(number)}"
    if len(number) < _LIKELY_WITH_CODE:
        return "lacks its +, and probably its country code"
    return f"lacks its +, write {mask_phone(number)} if the country code is there already"


_EXAMPLE = EXAMPLE_NUMBER.replace(" ", "")
_LIKELY_WITH_CODE = 12  # a + and 11 digits: with fewer, the country code is more likely to be missing than not

uuid: Validator = matches_pattern(
    r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "must be a UUID, like 0aac888f-2ee2-4112-9659-1755a951966a",
    cache_size=64,
)


Recipient = Annotated[str, e164_number]
Uuid = Annotated[str, uuid]


def sms_sender(value: Any) -> ValidationResult:
    """An SMS sender id (https://docs.routee.net/docs/other-messaging-concepts)."""
    if not isinstance(value, str):
        return f"must be text, not {type_name(value)}"
    if _is_sms_sender(value):
        return None
    if value.strip() and all(letter.isalnum() or letter == " " for letter in value):
        return f"must have at most 16 digits, or at most 11 letters, digits and blanks; has {len(value)}"
    return "must be digits, or letters, digits and blanks (a rented number is written without +)"


_is_sms_sender = functools.lru_cache(64)(re.compile(r"[0-9]{1,16}|(?=.*[^ ])([^\W_]| ){1,11}").fullmatch)


def url(*schemes: str, max_length: int | None = None) -> Validator:
    """An address, of one of the schemes where any are given."""

    def check(value: Any) -> ValidationResult:
        if not isinstance(value, str):
            return f"must be text, not {type_name(value)}"
        if max_length is not None and len(value) > max_length:
            return f"must have at most {max_length} characters, has {len(value)}"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f\x7f]+", value) or not is_unicode(value):
            return f"must be a URL, like {schemes[0] if schemes else 'https'}://example.com/"
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            return "must be a valid URL"
        if schemes and parts.scheme not in schemes:
            return f"must be {' or '.join(schemes)}"
        return "must name a host" if (schemes or parts.scheme in {"http", "https"}) and not parts.hostname else None

    return check


WebUrl = Annotated[str, url("https", "http")]


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Validator:
    """A whole number within documented limits; where none is documented, one of at most a hundred digits."""
    lowest, highest = (1 - 10**100 if minimum is None else minimum), (10**100 - 1 if maximum is None else maximum)

    def check(value: Any) -> ValidationResult:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be a whole number, not {type_name(value)}"
        if lowest <= value <= highest:
            return None
        return f"must be at least {lowest}" if value < lowest else f"must be at most {highest}"

    return check


Integer = Annotated[int, integer()]


def positive(*, maximum: float) -> Validator:
    """A number over 0, whole or not."""

    def check(value: Any) -> ValidationResult:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return f"must be a number, not {type_name(value)}"
        return None if 0 < value <= maximum else f"must be over 0 and at most {maximum}"

    return check


def one_of(choices: Collection[str], prefix: str = "one of") -> Validator:
    """One of a documented list of words, exactly as written there."""
    known = frozenset(choices)
    listing = ", ".join(choices)

    def check(value: Any) -> ValidationResult:
        if isinstance(value, str):
            return None if value in known else f"must be {prefix} {listing}"
        return f"must be {prefix} {listing}, not {type_name(value)}"

    return check


def instance_of_any(*classes: type) -> Validator:
    """An object of one of these classes."""
    names = " or ".join(cls.__name__ for cls in classes)
    return lambda value: None if isinstance(value, classes) else f"must be {names}, not {type_name(value)}"


def pin(value: Any) -> ValidationResult:
    """The code of a failover OTP: 4 to 10 characters (https://docs.routee.net/reference/send-a-failover-otp-message)."""
    if not isinstance(value, Secret):
        return f"must be text of 4 to 10 characters, not {type_name(value)}"
    code = value.reveal()
    if not 4 <= len(code) <= 10:
        return f"must have 4 to 10 characters, has {len(code)}"
    return None if is_unicode(code) else NOT_UNICODE


def each_item(validate_item: Validator, *, min_length: int = 0, item_name: str = "item") -> Validator:
    """A sequence (held as a tuple) of which every item passes."""

    def check_all(value: Any) -> ValidationResult:
        if not isinstance(value, tuple):
            return f"must be a list, not {type_name(value)}"
        items = cast("tuple[object, ...]", value)
        if len(items) < min_length:
            return f"must have at least one {item_name}"
        problems: list[Problem] | None = None
        for index, item in enumerate(items):
            reason = item.problems if isinstance(item, Invalid) else validate_item(item)
            if reason is not None:
                problems = (problems or []) + prefix_problems(index, reason)
        return problems

    return check_all


MAX_DEPTH = 64
"""How deep JSON may be nested in what is passed through: more than a message needs, less than would break a reader."""


TOO_DEEP = object()
"""Stands for what is nested deeper, or holds itself."""


def json_problems(value: Any, path: tuple[str | int, ...] = ()) -> list[Problem]:
    """Where a value is not what JSON can say."""
    if value is TOO_DEEP or len(path) > MAX_DEPTH:
        return [Problem(path[:1], f"must not be nested more than {MAX_DEPTH} deep")]
    if isinstance(value, Mapping):
        items = cast("Mapping[object, Any]", value)
        if not all(isinstance(key, str) and is_unicode(key) for key in items):
            return [Problem(path, "must have text for keys")]
        return [problem for key, item in items.items() for problem in json_problems(item, (*path, str(key)))]
    if isinstance(value, SEQUENCE_TYPES):
        parts = cast("Sequence[Any]", value)
        return [problem for index, item in enumerate(parts) for problem in json_problems(item, (*path, index))]
    reason: ValidationResult = None
    if isinstance(value, str):
        reason = any_text(value)
    elif isinstance(value, float):
        reason = None if math.isfinite(value) else "must be a finite number"
    elif isinstance(value, int) and not isinstance(value, bool):
        reason = integer()(value)
    elif value is not None and not isinstance(value, bool):
        reason = f"is {type_name(value)}, which JSON cannot say"
    return [Problem(path, reason)] if isinstance(reason, str) else []


def json_mapping(value: Any) -> ValidationResult:
    """A mapping whose keys are text and whose values JSON can say."""
    if value is EMPTY_MAPPING:
        return None
    return (
        (json_problems(value) or None)
        if isinstance(value, SecretMapping)
        else f"must be a mapping, not {type_name(value)}"
    )


EMPTY_MAPPING = SecretMapping()


SmsSender = Annotated[str, sms_sender]
Pin = Annotated[Secret, pin]
JsonMapping = Annotated[SecretMapping, json_mapping]


def as_secret(value: str | Secret) -> Secret:
    """Text becomes a `Secret`; anything else is left for the check to refuse."""
    return Secret(value) if isinstance(value, str) else value


def as_secret_mapping(value: Mapping[str, Any]) -> SecretMapping:
    """A copy that the caller's later changes do not reach, with its values out of sight."""
    if value is EMPTY_MAPPING or isinstance(value, SecretMapping) or not isinstance(cast("object", value), Mapping):
        return cast("SecretMapping", value)
    return SecretMapping(_copied(value)) if value else EMPTY_MAPPING


def _copied(value: Any, above: tuple[int, ...] = ()) -> Any:
    if not isinstance(value, Mapping | list | tuple):
        return value
    if id(value) in above or len(above) > MAX_DEPTH:
        return TOO_DEEP
    above = (*above, id(value))
    if isinstance(value, Mapping):
        return {key: _copied(item, above) for key, item in cast("Mapping[object, Any]", value).items()}
    return [_copied(item, above) for item in cast("Sequence[Any]", value)]


def as_tuple(value: Sequence[_T]) -> tuple[_T, ...]:
    """A list becomes a tuple; text, which is a sequence too, and anything else is left for the check to refuse."""
    return tuple(value) if isinstance(value, SEQUENCE_TYPES) else cast("tuple[_T, ...]", value)


# attrs' converters have to be named functions, for type checkers to know what a constructor takes; those of words and
# of texts that stand for objects are made of these three. What they cannot convert is left for the check to refuse.


def as_enum(enum: type[_E], value: _E | str | None) -> _E:
    """The member of a documented list of words that a text names."""
    try:
        return enum(value) if isinstance(value, str) else cast("_E", value)
    except ValueError:
        return cast("_E", value)


def canonical_spelling(choices: Collection[str], value: Sequence[str] | None) -> tuple[str, ...]:
    """The documented spelling of words in any letter case, as a tuple."""
    if not isinstance(value, SEQUENCE_TYPES):
        return cast("tuple[str, ...]", value)
    spelling = {item.lower(): item for item in choices}
    items = cast("Sequence[Any]", value)
    return tuple(spelling.get(item.lower(), item) if isinstance(item, str) else item for item in items)


def build_from_text(build: Callable[[str], _T], value: _T | str) -> _T:
    """The object that a text stands for, because it is its main part; what is wrong with it, its holder tells."""
    if not isinstance(value, str):
        return value
    try:
        return build(value)
    except InvalidFlow as error:
        return cast("_T", Invalid([Problem((), problem.reason) for problem in error.problems]))
