"""SMS step and its message, shared by the standard and the transactional endpoint."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

import attrs

from ..secret import mask_phone, mask_text
from .durations import SECONDS, DurationRange, SmsTtl
from .extensible import ExtensibleModel, Step
from .model_validation import validated
from .validators import (
    Label,
    NonEmptyText,
    Recipient,
    SmsSender,
    build_from_text,
    canonical_spelling,
    each_item,
    one_of,
)

SMS_FAILOVER_STATUSES = ("Undelivered", "Failed")
SmsFailoverStatuses = Annotated[tuple[str, ...], each_item(one_of(SMS_FAILOVER_STATUSES))]


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class UrlShortener(ExtensibleModel):
    """Shorten the links of an SMS; `url_validity` is how long they work: 1 hour to 30 days, 30 days if omitted."""

    url_validity: Annotated[timedelta, DurationRange(SECONDS, 3600, 2_592_000)] | None = None


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class SmsMessage(ExtensibleModel):
    """Content of an SMS. `message="text"` on a step is short for `SmsMessage(body="text")`.

    Routee splits a text of more than 160 GSM or 70 other characters and charges for each part
    (https://docs.routee.net/docs/encoding-characters).
    """

    body: NonEmptyText = attrs.field(repr=mask_text)
    flash: bool | None = None
    """Whether the text is shown at once and not stored on the phone."""
    label: Label | None = None
    transcode: bool | None = None
    """Whether letters are replaced by similar ones of the GSM alphabet; the application's setting if omitted."""
    url_shortener: UrlShortener | None = None


def as_sms_message(value: SmsMessage | str) -> SmsMessage:
    """Convert a text to the message with this body."""
    return build_from_text(_message_with_body, value)


def _message_with_body(body: str) -> SmsMessage:
    return SmsMessage(body=body)


def _as_failover_statuses(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return canonical_spelling(SMS_FAILOVER_STATUSES, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class SmsStep(Step):
    """An SMS in a standard or transactional flow.

    `ttl` is in whole minutes, 1 to 1440; Routee's default is 1200
    (https://docs.routee.net/reference/send-a-failover-message).
    """

    api_type: ClassVar[str] = "Sms"

    from_: SmsSender
    """The sender id: up to 16 digits, or up to 11 letters, digits and spaces."""
    to: Recipient = attrs.field(repr=mask_phone)
    message: SmsMessage = attrs.field(converter=as_sms_message)
    ttl: SmsTtl | None = None
    failover_on_statuses: SmsFailoverStatuses | None = attrs.field(default=None, converter=_as_failover_statuses)
    """Statuses after which the next step is tried: `Undelivered` and `Failed`, both if omitted; in any letter case."""
