"""Validators and converters of single values. A validator returns why a value is invalid, never the value itself."""

import functools
import math
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

from .._phone_number_parser import EXAMPLE_NUMBER, InvalidPhoneNumber, ParsedNumber, is_e164, parse_number
from ..errors import InvalidFlow, Problem
from ..secret import Secret, SecretMapping, mask_phone
from .model_validation import Invalid, ValidationResult, Validator, prefix_problems, type_name

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

SEQUENCE_TYPES = (list, tuple)
"""Types that represent a JSON array. A tuple of classes, because a union would be built again in each isinstance()."""

OBJECT_TYPES = (dict, Mapping)
"""Types that represent a JSON object; `dict` first, because the check of an abstract class is several times slower."""

NOT_UNICODE = "contains half of a surrogate pair, which is not text"


def is_unicode(value: str) -> bool:
    """Return whether JSON can represent the text: half of a surrogate pair has no UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def bounded_text(*, max_length: int | None = None, non_empty: bool = False) -> Validator:
    """Return the validator of a text whose length Routee documents, counted in characters."""
    shortest = 1 if non_empty else 0
    longest = sys.maxsize if max_length is None else max_length

    def validate(value: Any) -> ValidationResult:
        if not isinstance(value, str):
            return f"must be text, not {type_name(value)}"
        if shortest <= len(value) <= longest and (value.isascii() or is_unicode(value)):
            return None
        if len(value) < shortest:
            return "must not be empty"
        return f"must have at most {longest} characters, has {len(value)}" if len(value) > longest else NOT_UNICODE

    return validate


def matches_pattern(pattern: str, reason: str, *, cache_size: int = 0) -> Validator:
    """Return the validator of a text with a documented format.

    The last `cache_size` results are cached, for texts that a sender uses again and again.
    """
    match = re.compile(pattern).fullmatch
    if cache_size:
        match = functools.lru_cache(cache_size)(match)

    def validate(value: Any) -> ValidationResult:
        if not isinstance(value, str):
            return f"must be text, not {type_name(value)}"
        return None if match(value) else reason

    return validate


any_text: Validator = bounded_text()

Text = Annotated[str, any_text]
NonEmptyText = Annotated[str, bounded_text(non_empty=True)]
Label = Annotated[str, bounded_text(max_length=350)]


def e164_number(value: Any) -> ValidationResult:
    """Validate a recipient in E.164, on every endpoint: +, the country code, 7 to 15 digits in all.

    Routee's OTP guide and its Voice pages also write numbers without the +. They are invalid here, because one digit
    too few, or a number as it is dialled inside its country, would then be another country's number.
    """
    if not isinstance(value, str):
        return f"must be text, not {type_name(value)}"
    return None if is_e164(value) else _e164_problem(value)


def _e164_problem(text: str) -> str:
    """Return the reason why a text is not in E.164; the likely correct number in it is masked, as in all output."""
    try:
        fault = _describe_fault(parse_number(text))
    except InvalidPhoneNumber as error:
        fault = str(error)
    return f"must be an E.164 number, like {_EXAMPLE}: {fault}"


def _describe_fault(parsed: ParsedNumber) -> str:
    number = f"+{parsed.digits.removeprefix('00')}"
    if parsed.optional_zero is not None:
        return "has a 0 in parentheses, which is not dialled from abroad"
    if not is_e164(number):
        return (
            f"has {len(parsed.digits)} digits, not 7 to 15" if parsed.has_plus else "lacks its + and the country code"
        )
    if parsed.has_plus:
        return f"write only + and digits, {mask_phone(number)}"
    if len(number) < _MIN_LENGTH_WITH_COUNTRY_CODE:
        return "lacks its +, and probably its country code"
    return f"lacks its +, write {mask_phone(number)} if the country code is there already"


_EXAMPLE = EXAMPLE_NUMBER.replace(" ", "")
_MIN_LENGTH_WITH_COUNTRY_CODE = 12  # a + and 11 digits: with fewer, the country code is probably missing

uuid: Validator = matches_pattern(
    r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "must be a UUID, like 0aac888f-2ee2-4112-9659-1755a951966a",
    cache_size=64,
)


Recipient = Annotated[str, e164_number]
Uuid = Annotated[str, uuid]


def sms_sender(value: Any) -> ValidationResult:
    """Validate an SMS sender id (https://docs.routee.net/docs/other-messaging-concepts)."""
    if not isinstance(value, str):
        return f"must be text, not {type_name(value)}"
    if _is_sms_sender(value):
        return None
    if value.strip() and all(character.isalnum() or character == " " for character in value):
        return f"must have at most 16 digits, or at most 11 letters, digits and spaces; has {len(value)}"
    return "must be digits, or letters, digits and spaces (a rented number is written without +)"


_is_sms_sender = functools.lru_cache(64)(re.compile(r"[0-9]{1,16}|(?=.*[^ ])([^\W_]| ){1,11}").fullmatch)


def url(*schemes: str, max_length: int | None = None) -> Validator:
    """Return the validator of a URL; if schemes are given, it must have one of them."""

    def validate(value: Any) -> ValidationResult:
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

    return validate


WebUrl = Annotated[str, url("https", "http")]


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Validator:
    """Return the validator of a whole number within documented limits; without any, of at most a hundred digits."""
    lowest, highest = (1 - 10**100 if minimum is None else minimum), (10**100 - 1 if maximum is None else maximum)

    def validate(value: Any) -> ValidationResult:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"must be a whole number, not {type_name(value)}"
        if lowest <= value <= highest:
            return None
        return f"must be at least {lowest}" if value < lowest else f"must be at most {highest}"

    return validate


Integer = Annotated[int, integer()]


def positive(*, maximum: float) -> Validator:
    """Return the validator of a number over 0, whole or not."""

    def validate(value: Any) -> ValidationResult:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return f"must be a number, not {type_name(value)}"
        return None if 0 < value <= maximum else f"must be over 0 and at most {maximum}"

    return validate


def one_of(choices: Collection[str], prefix: str = "one of") -> Validator:
    """Return the validator of one of a documented list of words, spelled exactly as there."""
    allowed = frozenset(choices)
    choice_list = ", ".join(choices)

    def validate(value: Any) -> ValidationResult:
        if isinstance(value, str):
            return None if value in allowed else f"must be {prefix} {choice_list}"
        return f"must be {prefix} {choice_list}, not {type_name(value)}"

    return validate


def instance_of_any(*classes: type) -> Validator:
    """Return the validator of an object of one of these classes."""
    names = " or ".join(cls.__name__ for cls in classes)
    return lambda value: None if isinstance(value, classes) else f"must be {names}, not {type_name(value)}"


def pin(value: Any) -> ValidationResult:
    """Validate the code of a failover OTP, 4 to 10 characters.

    https://docs.routee.net/reference/send-a-failover-otp-message
    """
    if not isinstance(value, Secret):
        return f"must be text of 4 to 10 characters, not {type_name(value)}"
    code = value.reveal()
    if not 4 <= len(code) <= 10:
        return f"must have 4 to 10 characters, has {len(code)}"
    return None if code.isascii() or is_unicode(code) else NOT_UNICODE


def secret_text(value: Any) -> ValidationResult:
    """Validate a text that is a secret: it is not empty."""
    if not isinstance(value, Secret):
        return f"must be text, not {type_name(value)}"
    text = value.reveal()
    if not text:
        return "must not be empty"
    return None if text.isascii() or is_unicode(text) else NOT_UNICODE


def each_item(validate_item: Validator, *, min_length: int = 0, item_name: str = "item") -> Validator:
    """Return the validator of a sequence (stored as a tuple) whose items are all valid."""

    def validate_all(value: Any) -> ValidationResult:
        if not isinstance(value, tuple):
            return f"must be a list, not {type_name(value)}"
        items = cast("tuple[object, ...]", value)
        if len(items) < min_length:
            return f"must have at least one {item_name}"
        for item in items:
            if validate_item(item) is not None:
                return _item_problems(items, validate_item)
        return None

    return validate_all


def _item_problems(items: tuple[object, ...], validate_item: Validator) -> list[Problem]:
    """Return the problems of all items. Runs only once something is known to be wrong."""
    return [
        problem
        for index, item in enumerate(items)
        for problem in prefix_problems(index, item.problems if isinstance(item, Invalid) else validate_item(item))
    ]


MAX_DEPTH = 64
"""Maximum nesting of JSON that is passed through: more than a message needs, less than would break a reader."""


TOO_DEEP = object()
"""Placeholder for a value that is nested deeper, or contains itself."""


def json_problems(value: Any, path: tuple[str | int, ...] = ()) -> list[Problem]:
    """Return a problem for each part of a value that JSON cannot represent."""
    if value is TOO_DEEP or len(path) > MAX_DEPTH:
        return [Problem(path[:1], f"must not be nested more than {MAX_DEPTH} deep")]
    if isinstance(value, str):  # before the slower checks, because most values are texts
        return [] if is_unicode(value) else [Problem(path, NOT_UNICODE)]
    if isinstance(value, OBJECT_TYPES):
        items = cast("Mapping[object, Any]", value)
        if not all(isinstance(key, str) and is_unicode(key) for key in items):
            return [Problem(path, "must have text for keys")]
        return [problem for key, item in items.items() for problem in json_problems(item, (*path, str(key)))]
    if isinstance(value, SEQUENCE_TYPES):
        parts = cast("Sequence[Any]", value)
        return [problem for index, item in enumerate(parts) for problem in json_problems(item, (*path, index))]
    reason: ValidationResult = None
    if isinstance(value, float):
        reason = None if math.isfinite(value) else "must be a finite number"
    elif isinstance(value, int) and not isinstance(value, bool):
        reason = integer()(value)
    elif value is not None and not isinstance(value, bool):
        reason = f"is {type_name(value)}, which JSON cannot represent"
    return [Problem(path, reason)] if isinstance(reason, str) else []


def json_mapping(value: Any) -> ValidationResult:
    """Validate a mapping: its keys are text, and JSON can represent its values."""
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
SecretText = Annotated[Secret, secret_text]
JsonMapping = Annotated[SecretMapping, json_mapping]


def as_secret(value: str | Secret) -> Secret:
    """Convert text to a `Secret`; anything else is returned unchanged for the validator."""
    return Secret(value) if isinstance(value, str) else value


def as_secret_mapping(value: Mapping[str, Any]) -> SecretMapping:
    """Convert a mapping to a `SecretMapping`: a copy that later changes by the caller do not affect."""
    if isinstance(value, SecretMapping) or not isinstance(cast("object", value), OBJECT_TYPES):
        return cast("SecretMapping", value)
    return SecretMapping(_deep_copy(value)) if value else EMPTY_MAPPING


def _deep_copy(value: Any, ancestors: tuple[int, ...] = ()) -> Any:
    is_object = isinstance(value, OBJECT_TYPES)
    if not is_object and not isinstance(value, SEQUENCE_TYPES):
        return value
    if id(value) in ancestors or len(ancestors) > MAX_DEPTH:
        return TOO_DEEP
    ancestors = (*ancestors, id(value))
    if is_object:
        return {key: _deep_copy(item, ancestors) for key, item in cast("Mapping[object, Any]", value).items()}
    return [_deep_copy(item, ancestors) for item in cast("Sequence[Any]", value)]


def as_tuple(value: Sequence[_T]) -> tuple[_T, ...]:
    """Convert a list to a tuple; anything else, text included, is returned unchanged for the validator."""
    return tuple(value) if isinstance(value, SEQUENCE_TYPES) else cast("tuple[_T, ...]", value)


_MAX_EXACT_FLOAT = 2.0**53


def as_integer(value: Any) -> Any:
    """Convert a number such as 1.0 to the whole number that it is; anything else is returned unchanged.

    JSON does not distinguish the two. Above 2**53 a double no longer holds each whole number, and the digits that were
    meant are unknown.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_EXACT_FLOAT:
        return int(value)
    return value


# Converters of attrs have to be named functions, so that type checkers know what a constructor accepts. Those of
# enumerations and of texts that are short for objects are built from these three. What they cannot convert is returned
# unchanged for the validator.


def as_enum(enum: type[_E], value: _E | str | None) -> _E:
    """Convert text to the enumeration member with this value."""
    try:
        return enum(value) if isinstance(value, str) else cast("_E", value)
    except ValueError:
        return cast("_E", value)


def as_plain_text(value: str | None) -> str | None:
    """Convert a member of an enumeration to its text, for a field that takes other texts too."""
    return value.value if isinstance(value, StrEnum) else value


def canonical_spelling(choices: Collection[str], value: Sequence[str] | None) -> tuple[str, ...]:
    """Convert words in any letter case to their documented spelling, as a tuple."""
    if not isinstance(value, SEQUENCE_TYPES):
        return cast("tuple[str, ...]", value)
    spelling = {item.lower(): item for item in choices}
    items = cast("Sequence[Any]", value)
    return tuple(spelling.get(item.lower(), item) if isinstance(item, str) else item for item in items)


def build_from_text(build: Callable[[str], _T], value: _T | str) -> _T:
    """Build the object that a text is short for; its problems are left to the object that will hold it."""
    if not isinstance(value, str):
        return value
    try:
        return build(value)
    except InvalidFlow as error:
        return cast("_T", Invalid([Problem((), problem.reason) for problem in error.problems]))
