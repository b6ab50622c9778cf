"""Viber OTP, `POST /viber/otp`: one message with a one-time password.

https://docs.routee.net/reference/viber-otp-request
"""

from enum import StrEnum
from typing import Annotated, ClassVar

import attrs

from ..secret import SecretMapping, mask_phone
from .durations import OtpTtl
from .endpoint import Endpoint
from .extensible import ExtensibleModel
from .model_validation import ValidationResult, validated, validator
from .otp_templates import as_otp_params, missing_params, otp_params
from .validators import EMPTY_MAPPING, Integer, NonEmptyText, Recipient, Text, as_enum, as_plain_text


class ViberOtpLabel(StrEnum):
    """Kind of message that a Viber OTP is billed as."""

    TRANSACTIONAL = "transactional"
    PROMOTIONAL = "promotional"


class ViberOtpType(StrEnum):
    """Which of the recipient's devices receive a Viber OTP."""

    PRIMARY_ONLY = "PRIMARY_ONLY"
    ALL_DEVICE = "ALL_DEVICE"


def _as_label(value: ViberOtpLabel | str | None) -> ViberOtpLabel | None:
    return as_enum(ViberOtpLabel, value)


def _as_type(value: ViberOtpType | str | None) -> ViberOtpType | None:
    return as_enum(ViberOtpType, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberOtpMessage(ExtensibleModel):
    """A one-time password by Viber alone, without failover.

    `ttl` is in whole seconds. `template_params` has Routee's names for keys (`pin`, `businessPlatformName`,
    `codeValidityTime`, ...). The parameters that each template of the inventory requires are validated, and so is the
    documented form of each value: texts of at most 50 characters without links, `codeValidityTime` a whole number of
    minutes.
    """

    endpoint: ClassVar[Endpoint] = Endpoint.VIBER_OTP

    sender_info_tracking_id: NonEmptyText
    """The Viber sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    ttl: OtpTtl | None = None
    seq: Integer | None = None
    """A number of your own, echoed by Routee."""
    label: ViberOtpLabel | None = attrs.field(default=None, converter=_as_label)
    type: ViberOtpType | None = attrs.field(default=None, converter=_as_type)
    template_id: Text | None = None
    template_params: Annotated[SecretMapping, otp_params] = attrs.field(default=EMPTY_MAPPING, converter=as_otp_params)
    template_lang: NonEmptyText | None = attrs.field(default=None, converter=as_plain_text)
    """An `OtpLanguage`, or the code of another language that Routee takes."""

    @validator(when_given="template_id")
    def _template_has_required_params(self) -> ValidationResult:
        return missing_params(self.template_id, self.template_params) or None
