"""What the texts of a flow in the API's JSON are for: a recipient, a code, a number that is still a text."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, cast, get_args

from ..._wire.fields import ApiField, api_fields, unwrap_annotated
from ...flows import (
    AnyFlow,
    Endpoint,
    OtpFlow,
    OtpSmsStep,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    VoiceRecipient,
)
from ...flows.extensible import ExtensibleModel
from ...secret import Secret

FieldPath = tuple[str | int, ...]

FLOW_CLASSES: Mapping[Endpoint, type[AnyFlow]] = {
    cls.endpoint: cls for cls in (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
}


class FieldRole(Enum):
    """What a text is for."""

    TEXT = "text"
    NUMBER = "number"
    """It stands where JSON has a number."""
    BOOLEAN = "truth"
    """It stands where JSON has true or false."""
    RECIPIENT = "recipient"
    """A phone number."""
    PIN = "pin"
    """A code that nobody but the recipient may see."""
    OTP_TEXT = "coded"
    """The text of an OTP's SMS, which holds the code."""
    FIXED = "fixed"
    """It says what shape the rest has, and is the same for every row."""


def iter_texts(endpoint: Endpoint, mapping: Mapping[str, Any]) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    """Every text in a flow, with its path and what it is for; what no class of ours knows is plain text."""
    yield from _object(mapping, FLOW_CLASSES[endpoint], ())


def _object(
    mapping: Mapping[str, Any], cls: type[ExtensibleModel], path: FieldPath
) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    fields = {field.api_name: field for field in api_fields(cls) if not field.flattened}
    for key, value in mapping.items():
        here = (*path, key)
        if key in {"type", "order"} and key in cls.implicit_keys:
            yield from _free(value, here, FieldRole.FIXED)
        elif key in fields:
            yield from _field(value, fields[key], cls, here)
        else:
            yield from _free(value, here, FieldRole.TEXT)


def _field(
    value: Any, field: ApiField, owner: type[ExtensibleModel], path: FieldPath
) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    cls = unwrap_annotated(field.annotation)
    items = get_args(cls)
    if isinstance(value, Mapping) and isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        for place, text, use in _object(cast("Mapping[str, Any]", value), cls, path):
            # The code of an OTP stands in its text, under whatever name its column has.
            yield place, text, FieldRole.OTP_TEXT if owner is OtpSmsStep and place[-1] == "body" else use
    elif isinstance(value, list) and items and items[0] is not str:
        classes = {member.api_type: member for member in get_args(items[0])}
        for index, item in enumerate(value):
            name = item.get("type") if isinstance(item, Mapping) else None
            member = classes.get(name) if isinstance(name, str) else None
            yield from _object(item, member, (*path, index)) if member else _unknown(item, (*path, index))
    elif field.api_name == "templateParams" and isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            number = key == "codeValidityTime" and owner is ViberOtpMessage
            yield from _free(
                item, (*path, key), FieldRole.PIN if key == "pin" else FieldRole.NUMBER if number else FieldRole.TEXT
            )
    else:
        yield from _free(value, path, _role(field, cls, owner))


def _unknown(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    """A step of a type that is none; it may be one that a row was to give."""
    for place, text, use in _free(value, path, FieldRole.TEXT):
        yield place, text, FieldRole.FIXED if place[len(path) :] in {("type",), ("order",)} else use


def _role(field: ApiField, cls: Any, owner: type[ExtensibleModel]) -> FieldRole:
    if field.api_name == "to" or (owner is VoiceRecipient and field.api_name in {"phone", "viber"}):
        return FieldRole.RECIPIENT
    if cls is bool:
        return FieldRole.BOOLEAN
    if cls in {int, float, timedelta}:
        return FieldRole.NUMBER
    return FieldRole.PIN if cls is Secret else FieldRole.TEXT


def _free(value: Any, path: FieldPath, use: FieldRole) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    if isinstance(value, str):
        yield path, value, use
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _free(item, (*path, key), use)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _free(item, (*path, index), use)
