"""Callback settings of a flow (https://docs.routee.net/docs/failover-callbacks)."""

from enum import StrEnum

import attrs

from ..secret import mask_url
from .extensible import ExtensibleModel
from .model_validation import validated
from .validators import WebUrl, as_enum


class CallbackStrategy(StrEnum):
    """When a standard or transactional flow calls back: on every status change, or once when it has ended."""

    ON_STEP = "OnStep"
    ON_COMPLETION = "OnCompletion"


def _as_strategy(value: CallbackStrategy | str | None) -> CallbackStrategy | None:
    return as_enum(CallbackStrategy, value)


@validated
@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Callback(ExtensibleModel):
    """URL to which Routee posts the state of a flow. A failover OTP flow has no `strategy`: it reports each step."""

    url: WebUrl = attrs.field(repr=mask_url)
    strategy: CallbackStrategy | None = attrs.field(default=None, converter=_as_strategy)
