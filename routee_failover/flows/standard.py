"""`POST /failover`: Viber with free content, then SMS and Voice (https://docs.routee.net/reference/send-a-failover-message)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..secret import mask_phone, mask_text, mask_url
from .callback import Callback
from .checks import (
    Filled,
    Label,
    Recipient,
    WebUrl,
    as_tuple,
    built_from_text,
    each,
    one_of,
    positive,
    text_of,
    url,
    words_of,
)
from .durations import ViberMinutes
from .endpoint import Endpoint
from .flow import FLOW, Flow, steps_of
from .model import checked
from .open import Open, Step
from .sms import SmsStep
from .voice import VoiceStep

VIBER_TRIGGERS = ("Expired", "Failed", "Undelivered")
ViberTriggers = Annotated[tuple[str, ...], each(one_of(VIBER_TRIGGERS))]
FILE_TYPES = (
    *("doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info"),
    *("pdf", "xps", "pdax", "eps"),
    *("xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx"),
)

SecureUrl = Annotated[str, url("https", longest=1000)]
_TEMPLATE_KEY = "belongs to a TransactionalFlow (POST /failover/transactional): a standard flow has no Viber templates"


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberAction(Open):
    """The button under a Viber message: its caption, 1 to 30 characters, and where it leads."""

    caption: Annotated[str, text_of(filled=True, longest=30)] | None = None
    target_url: Annotated[str, url(longest=1000)] | None = None


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberFile(Open):
    """A document sent by Viber: an https address, a name of at most 25 characters, the bare extension."""

    file_name: Annotated[str, text_of(longest=25)] | None = None
    file_type: Annotated[str, one_of(FILE_TYPES)] | None = None
    file_url: SecureUrl | None = None


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberVideo(Open):
    """A film sent by Viber: `file_size` in MB, at most 200, and `duration` in seconds, at most 600."""

    video_url: SecureUrl
    video_thumbnail: SecureUrl
    file_size: Annotated[float, positive(most=200)]
    duration: Annotated[float, positive(most=600)]


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberMessage(Open):
    """The free content of a Viber message. `message="text"` on a step stands for `ViberMessage(text="text")`.

    The text has at most 1000 characters; `[~{labelName}]` in it is personalised by Routee.
    """

    text: Annotated[str, text_of(longest=1000)] | None = attrs.field(default=None, repr=mask_text)
    image_url: SecureUrl | None = None
    action: ViberAction | None = None
    viber_file: ViberFile | None = None
    viber_video: ViberVideo | None = None


def _as_viber_message(value: ViberMessage | str) -> ViberMessage:
    return built_from_text(lambda words: ViberMessage(text=words), value)


def as_viber_triggers(value: Sequence[str] | None) -> tuple[str, ...] | None:
    """The documented spelling of a Viber step's trigger statuses."""
    return words_of(VIBER_TRIGGERS, value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class ViberStep(Step):
    """A Viber message with free content.

    `ttl` counts in minutes with one decimal, 0.5 to 1440; Routee takes 10 if it is omitted. With `expire_on_delivery`
    a delivered message counts as expired when the ttl passes before it was seen.
    """

    api_type: ClassVar[str] = "Viber"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("templateId", "templateLang", "templateParams"), _TEMPLATE_KEY)
    )

    sender_info_tracking_id: Filled
    """The Viber sender's id, from Routee's platform."""
    to: Recipient = attrs.field(repr=mask_phone)
    message: ViberMessage = attrs.field(converter=_as_viber_message)
    ttl: ViberMinutes | None = None
    expire_on_delivery: bool | None = None
    inbound_url: WebUrl | None = attrs.field(default=None, repr=mask_url)
    """Where the recipient's answers are posted."""
    label: Label | None = None
    failover_on_statuses: ViberTriggers | None = attrs.field(default=None, converter=as_viber_triggers)
    """The statuses on which the next step is tried: `Expired`, `Failed`, `Undelivered`, all if omitted; in any case."""


def _as_steps(value: Sequence[ViberStep | SmsStep | VoiceStep]) -> tuple[ViberStep | SmsStep | VoiceStep, ...]:
    return as_tuple(value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class StandardFlow(Flow):
    """Promotional or session messages: `ViberStep`, `SmsStep` and `VoiceStep` in the order in which they are tried."""

    endpoint: ClassVar[Endpoint] = Endpoint.STANDARD

    steps: Annotated[
        tuple[ViberStep | SmsStep | VoiceStep, ...], steps_of("StandardFlow", ViberStep, SmsStep, VoiceStep)
    ] = attrs.field(converter=_as_steps, metadata=FLOW)
    callback: Callback | None = None
