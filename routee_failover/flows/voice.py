"""The voice step: who is called, and what is said or played to them (https://docs.routee.net/docs/dialplan-verbs)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

import attrs

from ..errors import Problem
from ..secret import mask_phone, mask_text, mask_value
from .checks import (
    Filled,
    Recipient,
    WebUrl,
    any_of,
    as_tuple,
    built_from_text,
    each,
    free_text,
    integer,
    one_of,
    word_of,
    words_of,
)
from .model import Reason, checked, rule
from .open import Open, Step

VOICE_TRIGGERS = ("Completed", "Busy", "NoAnswer", "Failed", "Unsent", "Terminated")
VoiceTriggers = Annotated[tuple[str, ...], each(one_of(VOICE_TRIGGERS))]
SPOKEN_LANGUAGES = (
    *("en-US", "de-DE", "fr-FR", "it-IT", "pt-BR", "es-ES", "es-LA"),
    *("en-GB", "el-GR", "bg-BG", "pl-PL", "hu-HU", "sv-SE", "ru-RU"),
)
Repeat = Annotated[int, integer(least=-1)]


class Gender(StrEnum):
    """The voice that says a text."""

    MALE = "male"
    FEMALE = "female"


def _as_gender(value: Gender | str | None) -> Gender | None:
    return word_of(Gender, value)


class MachineDetectionStrategy(StrEnum):
    """What happens when an answering machine takes the call."""

    HANGUP = "Hangup"
    CONTINUE = "Continue"


def _as_detection(value: MachineDetectionStrategy | str) -> MachineDetectionStrategy:
    return word_of(MachineDetectionStrategy, value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Speech(Open):
    """What is said, in which language and with which voice."""

    text: Filled = attrs.field(repr=mask_text)
    language: Annotated[str, one_of(SPOKEN_LANGUAGES)]
    gender: Gender | None = attrs.field(default=None, converter=_as_gender)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Say(Open):
    """Say a text. `repeat` is how many times it is said again; -1 repeats it without end."""

    api_type: ClassVar[str] = "SAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    message: Speech
    repeat: Repeat | None = None
    barge_in: bool | None = None
    """Whether a key pressed ends the text early."""


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Play(Open):
    """Play a WAV file. `repeat` is how many times it is played again; -1 repeats it without end."""

    api_type: ClassVar[str] = "PLAY"
    implicit_keys: ClassVar[frozenset[str]] = frozenset({"type"})

    file_url: WebUrl = attrs.field(metadata={"api": "fileURL"})
    repeat: Repeat | None = None
    barge_in: bool | None = None
    """Whether a key pressed ends the sound early."""


def _as_verbs(value: Sequence[Say | Play]) -> tuple[Say | Play, ...]:
    return as_tuple(value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class DialPlan(Open):
    """What happens in a call: `Say` and `Play` in the order given. A failover flow knows no other verbs."""

    verbs: Annotated[tuple[Say | Play, ...], each(any_of(Say, Play), least=1, what="verb")] = attrs.field(
        converter=_as_verbs
    )


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class MachineDetection(Open):
    """What to do when a machine answers. With `Continue`, Routee asks `event_url` for another dial plan
    (https://docs.routee.net/docs/how-to-use-machine-detection-feature).
    """  # noqa: D205

    strategy: MachineDetectionStrategy = attrs.field(converter=_as_detection)
    event_url: WebUrl | None = None

    @rule(due="event_url")
    def _event_url_only_continues(self) -> Reason:
        if self.event_url is not None and self.strategy is not MachineDetectionStrategy.CONTINUE:
            return [Problem(("event_url",), "is only for the strategy Continue")]
        return None


def _sip_address(value: object) -> Reason:
    return "must not be blank" if isinstance(value, str) and not value.strip() else free_text(value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceRecipient(Open):
    """Who is called: a phone, a Viber number or a SIP address; at least one. A plain text on the step means `phone`."""

    phone: Recipient | None = attrs.field(default=None, repr=mask_phone)
    viber: Recipient | None = attrs.field(default=None, repr=mask_phone)
    sip: Annotated[str, _sip_address] | None = attrs.field(default=None, repr=mask_value)
    """Such as `1111@host:55080`."""

    @rule()
    def _names_someone(self) -> Reason:
        return (
            "needs a phone, a viber or a sip"
            if self.phone is None and self.viber is None and self.sip is None
            else None
        )


def _as_recipient(value: VoiceRecipient | str) -> VoiceRecipient:
    return built_from_text(lambda number: VoiceRecipient(phone=number), value)


def _as_triggers(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return words_of(VOICE_TRIGGERS, value)


@checked
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class VoiceStep(Step):
    """A call in a standard or transactional flow. Voice steps have no ttl (https://docs.routee.net/reference/send-a-failover-message)."""

    api_type: ClassVar[str] = "Voice"
    forbidden_keys: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("dialplan", "dialPlans"), "is spelled dialPlan in a request")
    )

    from_: Filled
    """The number or name that the call comes from; a name is not shown on every network."""
    to: VoiceRecipient = attrs.field(converter=_as_recipient)
    dial_plan: DialPlan
    machine_detection: MachineDetection | None = None
    failover_on_statuses: VoiceTriggers | None = attrs.field(default=None, converter=_as_triggers)
    """The statuses on which the next step is tried: any of `Completed`, `Busy`, `NoResponse`, `Failed`, `Unsent` and
    `Terminated`, in any letter case; `Busy` and `NoResponse` if omitted."""
