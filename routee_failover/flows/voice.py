"""Voice step: recipient and dial plan of a call (https://docs.routee.net/docs/dialplan-verbs)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..errors import Problem
from ..secret import mask_phone, mask_text, mask_value
from .extensible import ExtensibleModel, Step
from .model_validation import ValidationResult, validated, validator
from .validators import (
    NonEmptyText,
    Recipient,
    Text,
    WebUrl,
    as_enum,
    as_tuple,
    build_from_text,
    canonical_spelling,
    each_item,
    instance_of_any,
    integer,
    one_of,
)

VOICE_FAILOVER_STATUSES = ("Completed", "Busy", "NoAnswer", "Failed", "Unsent", "Terminated")
VoiceFailoverStatuses = Annotated[tuple[str, ...], each_item(one_of(VOICE_FAILOVER_STATUSES))]
SPOKEN_LANGUAGES = (
    *("en-US", "de-DE", "fr-FR", "it-IT", "pt-BR", "es-ES", "es-LA"),
    *("en-GB", "el-GR", "bg-BG", "pl-PL", "hu-HU", "sv-SE", "ru-RU"),
)
RepeatCount = Annotated[int, integer(minimum=-1)]


class Gender(StrEnum):
    """Voice that speaks a text."""

    MALE = "male"
    FEMALE = "female"


def _as_gender(value: Gender | str | None) -> Gender | None:
    return as_enum(Gender, value)


class MachineDetectionStrategy(StrEnum):
    """What Routee does when an answering machine takes the call."""

    HANGUP = "Hangup"
    CONTINUE = "Continue"


def _as_detection_strategy(value: MachineDetectionStrategy | str) -> MachineDetectionStrategy:
    return as_enum(MachineDetectionStrategy, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Speech(ExtensibleModel):
    """Text to speak, with its language and voice."""

    text: NonEmptyText = attrs.field(repr=mask_text)
    language: Annotated[str, one_of(SPOKEN_LANGUAGES)]
    gender: Gender | None = attrs.field(default=None, converter=_as_gender)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Say(ExtensibleModel):
    """Speak a text. `repeat` is how many times it is repeated; -1 repeats it endlessly."""

    api_type: ClassVar[str] = "SAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    message: Speech
    repeat: RepeatCount | None = None
    barge_in: bool | None = None
    """Whether pressing a key ends the text early."""


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Play(ExtensibleModel):
    """Play a WAV file. `repeat` is how many times it is repeated; -1 repeats it endlessly."""

    api_type: ClassVar[str] = "PLAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    file_url: WebUrl = attrs.field(metadata={"api": "fileURL"})
    repeat: RepeatCount | None = None
    barge_in: bool | None = None
    """Whether pressing a key ends the sound early."""


def _as_verbs(value: Sequence[Say | Play]) -> tuple[Say | Play, ...]:
    return as_tuple(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class DialPlan(ExtensibleModel):
    """Verbs of a call: `Say` and `Play` in the order given. A failover flow has no other verbs."""

    verbs: Annotated[tuple[Say | Play, ...], each_item(instance_of_any(Say, Play), min_length=1, item_name="verb")] = (
        attrs.field(converter=_as_verbs)
    )


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MachineDetection(ExtensibleModel):
    """Answering machine detection. With `Continue`, Routee requests another dial plan from `event_url`
    (https://docs.routee.net/docs/how-to-use-machine-detection-feature).
    """  # noqa: D205

    strategy: MachineDetectionStrategy = attrs.field(converter=_as_detection_strategy)
    event_url: WebUrl | None = None

    @validator(when_given="event_url")
    def _event_url_requires_continue(self) -> ValidationResult:
        if self.event_url is not None and self.strategy is not MachineDetectionStrategy.CONTINUE:
            return [Problem(("event_url",), "is only for the strategy Continue")]
        return None


def _absent_if_blank(value: str | None) -> str | None:
    return None if isinstance(value, str) and not value.strip() else value


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceRecipient(ExtensibleModel):
    """Recipient of a call: at least one of phone, Viber number and SIP address. Text on the step means `phone`.

    A blank `viber` or `sip` counts as absent, as Routee's guide writes them
    (https://docs.routee.net/docs/how-to-send-a-failover-message).
    """

    phone: Recipient | None = attrs.field(default=None, repr=mask_phone)
    viber: Recipient | None = attrs.field(default=None, converter=_absent_if_blank, repr=mask_phone)
    sip: Text | None = attrs.field(default=None, converter=_absent_if_blank, repr=mask_value)
    """Such as `1111@host:55080`."""

    @validator()
    def _has_a_recipient(self) -> ValidationResult:
        return (
            "needs a phone, a viber or a sip"
            if self.phone is None and self.viber is None and self.sip is None
            else None
        )


def _as_recipient(value: VoiceRecipient | str) -> VoiceRecipient:
    return build_from_text(lambda number: VoiceRecipient(phone=number), value)


def _as_failover_statuses(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return canonical_spelling(VOICE_FAILOVER_STATUSES, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceStep(Step):
    """A call in a standard or transactional flow.

    Voice steps have no ttl (https://docs.routee.net/reference/send-a-failover-message).
    """

    api_type: ClassVar[str] = "Voice"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("dialplan", "dialPlans"), "is spelled dialPlan in a request")
    )

    from_: NonEmptyText
    """The number or name of the caller; a name is not shown on every network."""
    to: VoiceRecipient = attrs.field(converter=_as_recipient)
    dial_plan: DialPlan
    machine_detection: MachineDetection | None = None
    failover_on_statuses: VoiceFailoverStatuses | None = attrs.field(default=None, converter=_as_failover_statuses)
    """Statuses after which the next step is tried: any of `Completed`, `Busy`, `NoAnswer`, `Failed`, `Unsent` and
    `Terminated`, in any letter case; `Busy` and `NoAnswer` if omitted."""
