"""Failover OTP flow, `POST /failover-otp/otp/send-failover`: a one-time password by Viber OTP template, then by SMS.

https://docs.routee.net/reference/send-a-failover-otp-message
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import attrs

from ..errors import Problem
from ..secret import SecretMapping, mask_phone, mask_value
from .callback import Callback
from .durations import OtpTtl
from .endpoint import Endpoint
from .extensible import ALREADY_A_FIELD, FLATTENED, ExtensibleModel, Step
from .flow import STEPS_METADATA, Flow, steps_validator
from .model_validation import ValidationResult, type_name, validated, validator
from .otp_templates import OtpTemplateType
from .sms import SmsMessage, UrlShortener
from .validators import (
    EMPTY_MAPPING,
    Label,
    NonEmptyText,
    Pin,
    Recipient,
    SecretText,
    SmsSender,
    Text,
    Uuid,
    as_plain_text,
    as_secret,
    as_secret_mapping,
    as_tuple,
    build_from_text,
    json_mapping,
)

_TYPES_WITH_BUSINESS_NAME = frozenset(
    {
        OtpTemplateType.WITH_BUSINESS_NAME,
        OtpTemplateType.WITH_BUSINESS_AND_VALIDITY_HOURS,
        OtpTemplateType.WITH_REASON,
    }
)
_TYPES_WITH_VALIDITY = frozenset(
    {
        OtpTemplateType.WITH_VALIDITY,
        OtpTemplateType.WITH_TYPE_AND_VALIDITY,
        OtpTemplateType.WITH_BUSINESS_AND_VALIDITY_HOURS,
    }
)


_RESPONSE_ONLY_KEYS = MappingProxyType({"trackingId": "is set by Routee in its response; leave it out"})


def _validate_template_fields(value: object) -> ValidationResult:
    if value is EMPTY_MAPPING:
        return None
    if not isinstance(value, SecretMapping):
        return f"must be a mapping of names to texts, not {type_name(value)}"
    problems = [
        Problem((key,), f"must be text, true or false, not {type_name(item)}")
        for key, item in value.items()
        if not isinstance(item, str | bool)
    ]
    return problems or json_mapping(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpStep(Step):
    """A one-time password by Viber.

    `pin` has 4 to 10 characters and is stored as a `Secret`. `ttl` is in whole seconds: how long the message is valid,
    and after how long the next step is tried.

    Routee publishes no names for the parameters of most template types (only `businessName`), nor for the switch that
    tries the next step `ttl` seconds after a message was delivered: pass the names that its platform shows you in
    `template_fields`, with texts, true or false; they are written into the step unchanged.
    """

    api_type: ClassVar[str] = "ViberOtp"
    forbidden_keys: ClassVar[Mapping[str, str]] = _RESPONSE_ONLY_KEYS

    sender_info_tracking_id: NonEmptyText
    """The Viber OTP sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    template_id: Uuid
    """From `RouteeClient.otp_templates()`."""
    pin: Pin = attrs.field(converter=as_secret, repr=mask_value)
    ttl: OtpTtl
    language: NonEmptyText | None = attrs.field(
        default=None, converter=as_plain_text, metadata=MappingProxyType({"api": "templateLang"})
    )
    """Language of the template, an `OtpLanguage` or another code; `en` if omitted.

    Inferred: Routee's page shows the field without its name, which is `templateLang` on both other endpoints that have
    templates. If Routee's platform shows you another one, give that in `template_fields`.
    """
    template_type: NonEmptyText | None = attrs.field(default=None, converter=as_plain_text)
    """An `OtpTemplateType` or another type; required for every template that is not a basic one."""
    business_name: NonEmptyText | None = None
    """Required by `with_business_name`, `with_business_and_validity_hours` and `with_reason`."""
    label: Text | None = None
    template_fields: Annotated[SecretMapping, _validate_template_fields] = attrs.field(
        default=EMPTY_MAPPING, converter=as_secret_mapping, metadata=FLATTENED
    )

    @validator(when_given="template_type")
    def _template_type_has_required_fields(self) -> ValidationResult:
        if self.template_type in _TYPES_WITH_BUSINESS_NAME and self.business_name is None:
            return [Problem(("business_name",), f"required by the template type {self.template_type}")]
        # The validity parameter is documented but its name is not: any field that is given may be it.
        given = [*self.template_fields.values(), *self.extra.values()]
        if self.template_type in _TYPES_WITH_VALIDITY and all(isinstance(value, bool) for value in given):
            reason = f"must contain the validity that the template type {self.template_type} requires"
            return [Problem(("template_fields",), reason)]
        return None

    @validator(when_given="template_fields")
    def _template_fields_overwrite_no_field(self) -> ValidationResult:
        own_keys, forbidden = self.field_keys(), self.forbidden_keys
        conflicts = (own_keys | forbidden.keys() | self.extra.keys()) & self.template_fields.keys()
        return [
            Problem(
                ("template_fields", key), forbidden.get(key, ALREADY_A_FIELD if key in own_keys else "is given twice")
            )
            for key in sorted(conflicts)
        ] or None


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpSmsMessage(ExtensibleModel):
    """Content of the SMS of a one-time password: that of an `SmsMessage`, with a text that is a `Secret`.

    `message="text"` and `message=SmsMessage(body="text")` on an `OtpSmsStep` are converted to it.
    """

    body: SecretText = attrs.field(converter=as_secret, repr=mask_value)
    """The text, which contains the code; `body.reveal()` returns it."""
    flash: bool | None = None
    """Whether the text is shown at once and not stored on the phone."""
    label: Label | None = None
    transcode: bool | None = None
    """Whether letters are replaced by similar ones of the GSM alphabet; the application's setting if omitted."""
    url_shortener: UrlShortener | None = None


def _as_otp_sms_message(value: OtpSmsMessage | SmsMessage | str) -> OtpSmsMessage:
    if isinstance(value, SmsMessage):
        fields: dict[str, Any] = vars(value)
        return OtpSmsMessage(**fields)
    return build_from_text(_message_with_body, value)


def _message_with_body(body: str) -> OtpSmsMessage:
    return OtpSmsMessage(body=body)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpSmsStep(Step):
    """A one-time password by SMS; its text contains the code, so it is a `Secret`. `ttl` is in whole seconds."""

    api_type: ClassVar[str] = "Sms"
    forbidden_keys: ClassVar[Mapping[str, str]] = _RESPONSE_ONLY_KEYS

    to: Recipient = attrs.field(repr=mask_phone)
    message: OtpSmsMessage = attrs.field(converter=_as_otp_sms_message)
    ttl: OtpTtl
    from_: SmsSender | None = None
    """The sender id: up to 16 digits, or up to 11 letters, digits and spaces."""
    label: Text | None = None


def _as_steps(value: Sequence[ViberOtpStep | OtpSmsStep]) -> tuple[ViberOtpStep | OtpSmsStep, ...]:
    return as_tuple(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class OtpFlow(Flow):
    """A one-time password: `ViberOtpStep` and `OtpSmsStep` in the order in which they are tried; no Voice."""

    endpoint: ClassVar[Endpoint] = Endpoint.OTP

    steps: Annotated[tuple[ViberOtpStep | OtpSmsStep, ...], steps_validator("OtpFlow", ViberOtpStep, OtpSmsStep)] = (
        attrs.field(converter=_as_steps, metadata=STEPS_METADATA)
    )
    callback: Callback | None = None

    @validator(when_given="callback")
    def _callback_has_no_strategy(self) -> ValidationResult:
        if self.callback is not None and self.callback.strategy is not None:
            return [
                Problem(
                    ("callback", "strategy"),
                    "belongs to standard and transactional flows; an OtpFlow reports every step",
                )
            ]
        return None
