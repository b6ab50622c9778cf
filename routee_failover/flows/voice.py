"""The voice step: who is called, and what is said or played to them (https://docs.routee.net/docs/dialplan-verbs)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..errors import Problem
from ..secret import mask_phone, mask_text, mask_value
from .extensible import ExtensibleModel, Step
from .model import ValidationResult, validated, validator
from .validators import (
    NonEmptyText,
    Recipient,
    WebUrl,
    any_text,
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
    """The voice that says a text."""

    MALE = "male"
    FEMALE = "female"


def _as_gender(value: Gender | str | None) -> Gender | None:
    return as_enum(Gender, value)


class MachineDetectionStrategy(StrEnum):
    """What happens when an answering machine takes the call."""

    HANGUP = "Hangup"
    CONTINUE = "Continue"


def _as_detection(value: MachineDetectionStrategy | str) -> MachineDetectionStrategy:
    return as_enum(MachineDetectionStrategy, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Speech(ExtensibleModel):
    """What is said, in which language and with which voice."""

    text: NonEmptyText = attrs.field(repr=mask_text)
    language: Annotated[str, one_of(SPOKEN_LANGUAGES)]
    gender: Gender | None = attrs.field(default=None, converter=_as_gender)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Say(ExtensibleModel):
    """Say a text. `repeat` is how many times it is said again; -1 repeats it without end."""

    api_type: ClassVar[str] = "SAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    message: Speech
    repeat: RepeatCount | None = None
    barge_in: bool | None = None
    """Whether a key pressed ends the text early."""


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Play(ExtensibleModel):
    """Play a WAV file. `repeat` is how many times it is played again; -1 repeats it without end."""

    api_type: ClassVar[str] = "PLAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    file_url: WebUrl = attrs.field(metadata={"api": "fileURL"})
    repeat: RepeatCount | None = None
    barge_in: bool | None = None
    """Whether a key pressed ends the sound early."""


def _as_verbs(value: Sequence[Say | Play]) -> tuple[Say | Play, ...]:
    return as_tuple(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class DialPlan(ExtensibleModel):
    """What happens in a call: `Say` and `Play` in the order given. A failover flow knows no other verbs."""

    verbs: Annotated[tuple[Say | Play, ...], each_item(instance_of_any(Say, Play), min_length=1, item_name="verb")] = (
        attrs.field(converter=_as_verbs)
    )


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MachineDetection(ExtensibleModel):
    """What to do when a machine answers. With `Continue`, Routee asks `event_url` for another dial plan
    (https://docs.routee.net/docs/how-to-use-machine-detection-feature).
    """  # noqa: D205

    strategy: MachineDetectionStrategy = attrs.field(converter=_as_detection)
    event_url: WebUrl | None = None

    @validator(when_given="event_url")
    def _event_url_only_continues(self) -> ValidationResult:
        if self.event_url is not None and self.strategy is not MachineDetectionStrategy.CONTINUE:
            return [Problem(("event_url",), "is only for the strategy Continue")]
        return None


def _sip_address(value: object) -> ValidationResult:
    return "must not be blank" if isinstance(value, str) and not value.strip() else any_text(value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceRecipient(ExtensibleModel):
    """Who is called: a phone, a Viber number or a SIP address; at least one. A plain text on the step means `phone`."""

    phone: Recipient | None = attrs.field(default=None, repr=mask_phone)
    viber: Recipient | None = attrs.field(default=None, repr=mask_phone)
    sip: Annotated[str, _sip_address] | None = attrs.field(default=None, repr=mask_value)
    """Such as `1111@host:55080`."""

    @validator()
    def _names_someone(self) -> ValidationResult:
        return (
            "needs a phone, a viber or a sip"
            if self.phone is None and self.viber is None and self.sip is None
            else None
        )


def _as_recipient(value: VoiceRecipient | str) -> VoiceRecipient:
    return build_from_text(lambda number: VoiceRecipient(phone=number), value)


def _as_triggers(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return canonical_spelling(VOICE_FAILOVER_STATUSES, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceStep(Step):
    """A call in a standard or transactional flow. Voice steps have no ttl (https://docs.routee.net/reference/send-a-failover-message)."""

    api_type: ClassVar[str] = "Voice"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("dialplan", "dialPlans"), "is spelled dialPlan in a request")
    )

    from_: NonEmptyText
    """The number or name that the call comes from; a name is not shown on every network."""
    to: VoiceRecipient = attrs.field(converter=_as_recipient)
    dial_plan: DialPlan
    machine_detection: MachineDetection | None = None
    failover_on_statuses: VoiceFailoverStatuses | None = attrs.field(default=None, converter=_as_triggers)
    """The statuses on which the next step is tried: any of `Completed`, `Busy`, `NoResponse`, `Failed`, `Unsent` and
    `Terminated`, in any letter case; `Busy` and `NoResponse` if omitted."""
