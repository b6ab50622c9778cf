"""Standard failover flow, `POST /failover`: Viber with free content, then SMS and Voice.

https://docs.routee.net/reference/send-a-failover-message
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..secret import mask_phone, mask_text, mask_url
from .callback import Callback
from .durations import ViberTtl
from .endpoint import Endpoint
from .extensible import ExtensibleModel, Step
from .flow import STEPS_METADATA, Flow, steps_validator
from .model_validation import Validator, validated
from .sms import SmsStep
from .validators import (
    Label,
    NonEmptyText,
    Recipient,
    WebUrl,
    as_plain_text,
    as_tuple,
    bounded_text,
    build_from_text,
    canonical_spelling,
    each_item,
    matches_pattern,
    one_of,
    positive,
    url,
)
from .voice import VoiceStep

VIBER_FAILOVER_STATUSES = ("Expired", "Failed", "Undelivered")
ViberFailoverStatuses = Annotated[tuple[str, ...], each_item(one_of(VIBER_FAILOVER_STATUSES))]


class ViberFileType(StrEnum):
    """File types that Routee names; "and others" are possible, so any extension is accepted.

    https://docs.routee.net/reference/send-a-failover-message
    """

    DOC = "doc"
    DOCX = "docx"
    RTF = "rtf"
    DOT = "dot"
    DOTX = "dotx"
    ODT = "odt"
    ODF = "odf"
    FODT = "fodt"
    TXT = "txt"
    INFO = "info"
    PDF = "pdf"
    XPS = "xps"
    PDAX = "pdax"
    EPS = "eps"
    XLS = "xls"
    XLSX = "xlsx"
    ODS = "ods"
    FODS = "fods"
    CSV = "csv"
    XLSM = "xlsm"
    XLTX = "xltx"


HttpsUrl = Annotated[str, url("https", max_length=1000)]
_TEMPLATE_KEY_REASON = (
    "belongs to a TransactionalFlow (POST /failover/transactional): a standard flow has no Viber templates"
)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberAction(ExtensibleModel):
    """Button of a Viber message: its caption, 1 to 30 characters, and its target."""

    caption: Annotated[str, bounded_text(non_empty=True, max_length=30)] | None = None
    target_url: Annotated[str, url(max_length=1000)] | None = None


def _as_file_type(value: str | None) -> str | None:
    """Convert a documented type in any letter case to its spelling; other extensions are left as they are."""
    return value.lower() if isinstance(value, str) and value.lower() in [*ViberFileType] else as_plain_text(value)


file_extension: Validator = matches_pattern(
    r"[A-Za-z0-9][A-Za-z0-9.+_-]*", "must be an extension such as pdf, without its dot; not a MIME type"
)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberFile(ExtensibleModel):
    """Document sent by Viber: an https URL, a name of at most 25 characters, and the extension without a dot.

    `file_type` is a `ViberFileType`, in any letter case, or another extension that Routee takes.
    """

    file_name: Annotated[str, bounded_text(max_length=25)] | None = None
    file_type: Annotated[str, file_extension] | None = attrs.field(default=None, converter=_as_file_type)
    file_url: HttpsUrl | None = None


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberVideo(ExtensibleModel):
    """Video sent by Viber: `file_size` in MB, at most 200, and `duration` in seconds, at most 600."""

    video_url: HttpsUrl
    video_thumbnail: HttpsUrl
    file_size: Annotated[float, positive(maximum=200)]
    duration: Annotated[float, positive(maximum=600)]


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberMessage(ExtensibleModel):
    """Free content of a Viber message. `message="text"` on a step is short for `ViberMessage(text="text")`.

    The text has at most 1000 characters; Routee personalises `[~{labelName}]` in it.
    """

    text: Annotated[str, bounded_text(max_length=1000)] | None = attrs.field(default=None, repr=mask_text)
    image_url: HttpsUrl | None = None
    action: ViberAction | None = None
    viber_file: ViberFile | None = None
    viber_video: ViberVideo | None = None


def _as_viber_message(value: ViberMessage | str) -> ViberMessage:
    return build_from_text(_message_with_text, value)


def _message_with_text(text: str) -> ViberMessage:
    return ViberMessage(text=text)


def as_viber_failover_statuses(value: Sequence[str] | None) -> tuple[str, ...] | None:
    """Convert a Viber step's failover statuses to their documented spelling."""
    return canonical_spelling(VIBER_FAILOVER_STATUSES, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberStep(Step):
    """A Viber message with free content.

    `ttl` is in minutes with one decimal, 0.5 to 1440; Routee's default is 10. With `expire_on_delivery` a delivered
    message counts as expired when the ttl passes before it is seen.
    """

    api_type: ClassVar[str] = "Viber"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("templateId", "templateLang", "templateParams", "deliveryScope", "seq"), _TEMPLATE_KEY_REASON)
    )

    sender_info_tracking_id: NonEmptyText
    """The Viber sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    message: ViberMessage = attrs.field(converter=_as_viber_message)
    ttl: ViberTtl | None = None
    expire_on_delivery: bool | None = None
    inbound_url: WebUrl | None = attrs.field(default=None, repr=mask_url)
    """URL to which the recipient's replies are posted."""
    label: Label | None = None
    failover_on_statuses: ViberFailoverStatuses | None = attrs.field(default=None, converter=as_viber_failover_statuses)
    """Statuses after which the next step is tried: `Expired`, `Failed`, `Undelivered`, all if omitted.

    They may be given in any letter case.
    """


def _as_steps(value: Sequence[ViberStep | SmsStep | VoiceStep]) -> tuple[ViberStep | SmsStep | VoiceStep, ...]:
    return as_tuple(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class StandardFlow(Flow):
    """Promotional or session message: `ViberStep`, `SmsStep` and `VoiceStep` in the order in which they are tried."""

    endpoint: ClassVar[Endpoint] = Endpoint.STANDARD

    steps: Annotated[
        tuple[ViberStep | SmsStep | VoiceStep, ...], steps_validator("StandardFlow", ViberStep, SmsStep, VoiceStep)
    ] = attrs.field(converter=_as_steps, metadata=STEPS_METADATA)
    callback: Callback | None = None
