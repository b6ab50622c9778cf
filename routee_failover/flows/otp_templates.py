"""Parameters, languages and types of the Viber OTP templates.

https://docs.routee.net/docs/templates-inventory
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ..errors import Problem
from ..secret import SecretMapping
from .model_validation import ValidationResult, type_name
from .otp_template_ids import find_otp_template
from .validators import NOT_UNICODE, as_integer, as_secret_mapping, is_unicode, json_mapping


class OtpLanguage(StrEnum):
    """Languages of the Viber OTP templates that Routee lists (https://docs.routee.net/docs/localization).

    The reference gives its codes as examples, so any other text is accepted.
    """

    AR = "ar"
    BE = "be"
    BG = "bg"
    BR = "br"
    """The Portuguese of Brazil."""
    CS = "cs"
    DA = "da"
    DE = "de"
    EL = "el"
    EN = "en"
    ES = "es"
    FA = "fa"
    FI = "fi"
    FR = "fr"
    HE = "he"
    HI = "hi"
    HR = "hr"
    ID = "id"
    IT = "it"
    JA = "ja"
    KO = "ko"
    MY = "my"
    NL = "nl"
    PL = "pl"
    PT = "pt"
    """The Portuguese of Portugal."""
    RU = "ru"
    SK = "sk"
    SR = "sr"
    SV = "sv"
    TH = "th"
    TR = "tr"
    UK = "uk"
    VI = "vi"


class OtpTemplateType(StrEnum):
    """Template types of a failover OTP that Routee names; they are examples, so any other text is accepted.

    https://docs.routee.net/docs/sending-an-otp
    """

    BASIC = "basic"
    BASIC_5MIN = "basic_5min"
    WITH_BUSINESS_NAME = "with_business_name"
    WITH_VALIDITY = "with_validity"
    WITH_TYPE = "with_type"
    WITH_ACTION = "with_action"
    WITH_REASON = "with_reason"
    WITH_TYPE_AND_VALIDITY = "with_type_and_validity"
    WITH_BUSINESS_AND_VALIDITY_HOURS = "with_business_and_validity_hours"


TEXT_PARAMS = ("pin", "businessPlatformName", "pinType", "businessPlatformActionName", "codeReason")

_has_link = re.compile(r"https?://|www\.", re.IGNORECASE).search


def _validate_text_param(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be text, not {type_name(value)}"
    if not value or len(value) > 50:
        return f"must have 1 to 50 characters, has {len(value)}"
    if _has_link(value):
        return "must not contain a link"
    return None if is_unicode(value) else NOT_UNICODE


def _validate_validity_time(value: object) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return f"must be a whole number of minutes, not {type_name(value)}"
    return None if 0 <= value < 10**50 else "must be a whole number of at most 50 digits"


def otp_params(value: Any) -> ValidationResult:
    """Validate the values of Viber OTP parameters by Routee's rules.

    https://docs.routee.net/docs/template-variables-validations
    """
    if not isinstance(value, SecretMapping):
        return f"must be a mapping of parameter names to values, not {type_name(value)}"
    json_problem = json_mapping(value)
    if json_problem is not None:
        return json_problem
    problems: list[Problem] = []
    for key, item in value.items():
        reason = (
            _validate_text_param(item)
            if key in TEXT_PARAMS
            else _validate_validity_time(item)
            if key == "codeValidityTime"
            else None
        )
        if reason is not None:
            problems.append(Problem((key,), reason))
    return problems or None


def as_otp_params(value: Mapping[str, Any]) -> SecretMapping:
    """Convert a mapping to a `SecretMapping`, and a validity such as 5.0 to the whole number that it is."""
    params = as_secret_mapping(value)
    if isinstance(params, SecretMapping) and isinstance(params.get("codeValidityTime"), float):
        return as_secret_mapping({**params, "codeValidityTime": as_integer(params["codeValidityTime"])})
    return params


def missing_params(template_id: str | None, params: Mapping[str, object] | None) -> list[Problem]:
    """Return a problem for each parameter that a template requires and `params` lacks; unknown templates have none."""
    template = find_otp_template(template_id)
    required = () if template is None else template.parameters
    return [
        Problem(("template_params", name), "required by this template")
        for name in required
        if name not in (params or ())
    ]
