"""Roles of the texts in a flow's JSON: recipient, code, number, boolean or plain text."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, cast, get_args

from ..._wire.fields import ApiField, api_fields, unwrap_annotated
from ...flows import (
    Endpoint,
    OtpFlow,
    OtpSmsStep,
    StandardFlow,
    TransactionalFlow,
    ValidatedFlow,
    ViberOtpMessage,
    VoiceRecipient,
)
from ...flows.extensible import ExtensibleModel
from ...secret import Secret

FieldPath = tuple[str | int, ...]

FLOW_CLASSES: Mapping[Endpoint, type[ValidatedFlow]] = {
    cls.endpoint: cls for cls in (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
}


class FieldRole(Enum):
    """Role of a text in a flow."""

    TEXT = "text"
    NUMBER = "number"
    """A number in JSON."""
    BOOLEAN = "boolean"
    """True or false in JSON."""
    RECIPIENT = "recipient"
    """A phone number."""
    PIN = "pin"
    """A code that only the recipient may see."""
    OTP_TEXT = "otp_text"
    """The text of an OTP's SMS, which contains the code."""
    FIXED = "fixed"
    """It determines the structure of the flow, and must be the same for every row."""


def iter_texts(endpoint: Endpoint, mapping: Mapping[str, Any]) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    """Yield every text in a flow with its path and role; keys that no class of this package knows are plain text."""
    yield from _iter_object(mapping, FLOW_CLASSES[endpoint], ())


def _iter_object(
    mapping: Mapping[str, Any], cls: type[ExtensibleModel], path: FieldPath
) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    fields = {field.api_name: field for field in api_fields(cls) if not field.flattened}
    for key, value in mapping.items():
        key_path = (*path, key)
        if key in {"type", "order"} and key in cls.implicit_keys:
            yield from _iter_plain(value, key_path, FieldRole.FIXED)
        elif key in fields:
            yield from _iter_field(value, fields[key], cls, key_path)
        else:
            yield from _iter_plain(value, key_path, FieldRole.TEXT)


def _iter_field(
    value: Any, field: ApiField, owner: type[ExtensibleModel], path: FieldPath
) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    cls = unwrap_annotated(field.annotation)
    items = get_args(cls)
    if isinstance(value, Mapping) and isinstance(cls, type) and issubclass(cls, ExtensibleModel):
        for text_path, text, role in _iter_object(cast("Mapping[str, Any]", value), cls, path):
            # The text of an OTP contains the code, whatever its column is named.
            yield text_path, text, FieldRole.OTP_TEXT if owner is OtpSmsStep and text_path[-1] == "body" else role
    elif isinstance(value, list) and items and items[0] is not str:
        classes = {member.api_type: member for member in get_args(items[0])}
        for index, item in enumerate(value):
            name = item.get("type") if isinstance(item, Mapping) else None
            member = classes.get(name) if isinstance(name, str) else None
            yield from (
                _iter_object(item, member, (*path, index)) if member else _iter_unknown_step(item, (*path, index))
            )
    elif field.api_name == "templateParams" and isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            number = key == "codeValidityTime" and owner is ViberOtpMessage
            yield from _iter_plain(
                item, (*path, key), FieldRole.PIN if key == "pin" else FieldRole.NUMBER if number else FieldRole.TEXT
            )
    else:
        yield from _iter_plain(value, path, _role_of(field, cls, owner))


def _iter_unknown_step(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    """Yield the texts of a step of unknown type, which may be meant to come from a row."""
    for text_path, text, role in _iter_plain(value, path, FieldRole.TEXT):
        yield text_path, text, FieldRole.FIXED if text_path[len(path) :] in {("type",), ("order",)} else role


def _role_of(field: ApiField, cls: Any, owner: type[ExtensibleModel]) -> FieldRole:
    if field.api_name == "to" or (owner is VoiceRecipient and field.api_name in {"phone", "viber"}):
        return FieldRole.RECIPIENT
    if cls is bool:
        return FieldRole.BOOLEAN
    if cls in {int, float, timedelta}:
        return FieldRole.NUMBER
    return FieldRole.PIN if cls is Secret else FieldRole.TEXT


def _iter_plain(value: Any, path: FieldPath, role: FieldRole) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    if isinstance(value, str):
        yield path, value, role
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _iter_plain(item, (*path, key), role)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _iter_plain(item, (*path, index), role)
