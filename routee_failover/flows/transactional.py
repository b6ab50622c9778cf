"""Transactional failover flow, `POST /failover/transactional`: Viber by approved template, then SMS and Voice.

https://docs.routee.net/reference/send-a-transactional-failover-message
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..errors import Problem
from ..secret import mask_phone, mask_url
from .callback import Callback
from .durations import ViberTtl
from .endpoint import Endpoint
from .extensible import Step
from .flow import STEPS_METADATA, Flow, steps_validator
from .model_validation import ValidationResult, validated, validator
from .otp_template_ids import find_otp_template
from .sms import SmsStep
from .standard import ViberFailoverStatuses, as_viber_failover_statuses
from .validators import (
    EMPTY_MAPPING,
    Integer,
    JsonMapping,
    NonEmptyText,
    Recipient,
    Uuid,
    WebUrl,
    as_enum,
    as_secret_mapping,
    as_tuple,
)
from .voice import VoiceStep


class DeliveryScope(StrEnum):
    """Which of the recipient's devices receive a Viber template message."""

    PRIMARY_DEVICE = "PRIMARY_DEVICE"
    ALL_DEVICES = "ALL_DEVICES"


def _as_delivery_scope(value: DeliveryScope | str | None) -> DeliveryScope | None:
    return as_enum(DeliveryScope, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberTemplateStep(Step):
    """A Viber message by an approved template; it has neither a free `message` nor a `label`.

    `ttl` is in minutes with one decimal, 0.5 to 1440; Routee's default is 10. `seq` is a number of your own; Routee
    generates one if it is omitted. The keys of `template_params` are the template's own placeholders; a Viber OTP
    template requires a `pin` among them.
    """

    api_type: ClassVar[str] = "Viber"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "message": "belongs to a StandardFlow (POST /failover): a transactional flow sends approved templates only",
            "label": "is rejected on a transactional Viber step; a StandardFlow takes it, and so does an SmsMessage",
        }
    )

    sender_info_tracking_id: NonEmptyText
    """The Viber sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    template_id: Uuid
    template_lang: NonEmptyText
    """Language of the template, such as `en`."""
    template_params: JsonMapping = attrs.field(default=EMPTY_MAPPING, converter=as_secret_mapping)
    delivery_scope: DeliveryScope | None = attrs.field(default=None, converter=_as_delivery_scope)
    seq: Integer | None = None
    ttl: ViberTtl | None = None
    inbound_url: WebUrl | None = attrs.field(default=None, repr=mask_url)
    """URL to which the recipient's replies are posted."""
    failover_on_statuses: ViberFailoverStatuses | None = attrs.field(default=None, converter=as_viber_failover_statuses)
    """Statuses after which the next step is tried: `Expired`, `Failed`, `Undelivered`, all if omitted.

    They may be given in any letter case.
    """

    @validator()
    def _otp_template_requires_pin(self) -> ValidationResult:
        if find_otp_template(self.template_id) is not None and self.template_params.get("pin") in (None, ""):
            return [
                Problem(("template_params", "pin"), "required by this template, which is one for one-time passwords")
            ]
        return None


def _as_steps(
    value: Sequence[ViberTemplateStep | SmsStep | VoiceStep],
) -> tuple[ViberTemplateStep | SmsStep | VoiceStep, ...]:
    return as_tuple(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class TransactionalFlow(Flow):
    """Notification by approved template: `ViberTemplateStep`, `SmsStep`, `VoiceStep` in the order they are tried in.

    Its body has only `flow` and `callback`, so that it takes no `extra`; its steps do.
    """

    endpoint: ClassVar[Endpoint] = Endpoint.TRANSACTIONAL
    closed_reason: ClassVar[str | None] = "is not taken here: the body has flow and callback; a raw flow sends more"

    steps: Annotated[
        tuple[ViberTemplateStep | SmsStep | VoiceStep, ...],
        steps_validator("TransactionalFlow", ViberTemplateStep, SmsStep, VoiceStep),
    ] = attrs.field(converter=_as_steps, metadata=STEPS_METADATA)
    callback: Callback | None = None
