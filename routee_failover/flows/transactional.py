"""`POST /failover/transactional`: Viber by approved template, then SMS and Voice.

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
from .checks import (
    NOTHING,
    Filled,
    Integer,
    JsonMapping,
    Recipient,
    Uuid,
    WebUrl,
    as_private,
    as_tuple,
    word_of,
)
from .durations import ViberMinutes
from .endpoint import Endpoint
from .flow import FLOW, Flow, steps_of
from .model import Reason, checked, rule
from .open import Step
from .sms import SmsStep
from .standard import ViberTriggers, as_viber_triggers
from .templates import OTP_TEMPLATES
from .voice import VoiceStep


class DeliveryScope(StrEnum):
    """Which of the recipient's devices get a Viber template."""

    PRIMARY_DEVICE = "PRIMARY_DEVICE"
    ALL_DEVICES = "ALL_DEVICES"


def _as_scope(value: DeliveryScope | str | None) -> DeliveryScope | None:
    return word_of(DeliveryScope, value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberTemplateStep(Step):
    """A Viber message by an approved template; it has neither a free `message` nor a `label`.

    `ttl` counts in minutes with one decimal, 0.5 to 1440; Routee takes 10 if it is omitted. `seq` is a number of your
    own; Routee makes one up if it is omitted. The keys of `template_params` are the template's own placeholders; one
    of the Viber OTP templates needs a `pin` among them.
    """

    api_type: ClassVar[str] = "Viber"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "message": "belongs to a StandardFlow (POST /failover): a transactional flow sends approved templates only",
            "label": "is refused on a transactional Viber step; a StandardFlow takes it, and so does an SmsMessage",
        }
    )

    sender_info_tracking_id: Filled
    """The Viber sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    template_id: Uuid
    template_lang: Filled
    """Such as `en`."""
    template_params: JsonMapping = attrs.field(default=NOTHING, converter=as_private)
    delivery_scope: DeliveryScope | None = attrs.field(default=None, converter=_as_scope)
    seq: Integer | None = None
    ttl: ViberMinutes | None = None
    inbound_url: WebUrl | None = attrs.field(default=None, repr=mask_url)
    """Where the recipient's answers are posted."""
    failover_on_statuses: ViberTriggers | None = attrs.field(default=None, converter=as_viber_triggers)
    """The statuses on which the next step is tried: `Expired`, `Failed`, `Undelivered`, all if omitted; in any case."""

    @rule()
    def _otp_templates_need_a_pin(self) -> Reason:
        if self.template_id.lower() in OTP_TEMPLATES and self.template_params.get("pin") in (None, ""):
            return [
                Problem(("template_params", "pin"), "required by this template, which is one for one-time passwords")
            ]
        return None


def _as_steps(
    value: Sequence[ViberTemplateStep | SmsStep | VoiceStep],
) -> tuple[ViberTemplateStep | SmsStep | VoiceStep, ...]:
    return as_tuple(value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class TransactionalFlow(Flow):
    """Notifications by approved template: `ViberTemplateStep`, `SmsStep`, `VoiceStep` in the order of their turns."""

    endpoint: ClassVar[Endpoint] = Endpoint.TRANSACTIONAL

    steps: Annotated[
        tuple[ViberTemplateStep | SmsStep | VoiceStep, ...],
        steps_of("TransactionalFlow", ViberTemplateStep, SmsStep, VoiceStep),
    ] = attrs.field(converter=_as_steps, metadata=FLOW)
    callback: Callback | None = None
