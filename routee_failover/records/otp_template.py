"""Template for failover OTP flows, as Routee's list has it."""

import uuid
from typing import Any, Self, cast

import attrs

from ._fields import get_str
from .record import JsonObject, Record


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpTemplate(Record):
    """Template that a `ViberOtpStep` may use (`GET /failover-otp/otp/templates`).

    No public page shows the response, so everything else that Routee says of a template is in `raw`. `OtpTemplateId`
    has the parameters of the nine templates that Routee documents.
    """

    template_id: str | None
    """The id for `ViberOtpStep.template_id`. Inferred: it is under `templateId`, as in a request, or it is the only
    UUID of the object."""
    template_type: str | None
    """The type for `ViberOtpStep.template_type`. Inferred: it is under `templateType`, as in a request."""

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read the template from a response; a missing value is `None`."""
        return cls(
            template_id=get_str(data, "templateId") or _only_uuid(data),
            template_type=get_str(data, "templateType"),
            data=data,
        )


def _only_uuid(data: JsonObject) -> str | None:
    found = {value for value in data.values() if _is_uuid(value)}
    return found.pop() if len(found) == 1 else None


def _is_uuid(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 36:
        return False
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def read_otp_templates(response: Any) -> tuple[OtpTemplate, ...]:
    """Return the templates in a response of any shape: a list, an object with a list in it, or one template.

    Raises `ValueError` for a response that is neither a list nor an object.
    """
    if isinstance(response, dict):
        entries = _entries_of(cast("dict[str, Any]", response))
    elif isinstance(response, list):
        entries = response
    else:
        raise ValueError("is neither a list nor an object")  # noqa: TRY004  # it is the content that is wrong
    objects = ({"templateId": entry} if _is_uuid(entry) else entry for entry in entries)
    return tuple(OtpTemplate.from_dict(entry) for entry in objects if isinstance(entry, dict))


def _entries_of(response: dict[str, Any]) -> list[Any]:
    if "templateId" in response:
        return [response]
    lists = [value for value in response.values() if isinstance(value, list)]
    entries = [entry for entries in lists for entry in entries if isinstance(entry, dict) or _is_uuid(entry)]
    # A list without templates is an empty list of them; an object without a list is a template itself.
    return entries if entries or not any(response.values()) or [] in lists else [response]
