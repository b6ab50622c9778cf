"""A flow as a person may see it before it is sent: its texts, with numbers masked and codes starred."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast, runtime_checkable

from ..flows import AnyFlow, Endpoint, OtpFlow, ViberOtpStep
from ..secret import HIDDEN, Secret, mask_phone, without_path
from ..wire import dump_flow
from .row import Row

_NUMBERS = frozenset({"to", "phone", "viber", "sip"})
_ADDRESSES = frozenset({"url", "inboundUrl", "eventUrl"})
_IDS = frozenset({"senderInfoTrackingId", "templateId"})
_DIGITS = re.compile(r"[0-9]")


@runtime_checkable
class HasCodes(Protocol):
    """What makes a row's flow and knows which of its values are codes."""

    def codes(self) -> tuple[str, ...]:
        """The codes."""
        ...


def shown_flow(row: Row, flow: AnyFlow) -> dict[str, Any]:
    """A row's flow in Routee's shape, as it may be shown: every code in stars, every number of the row's masked.

    An OTP's SMS has stars for all digits where nobody says which of them are the code.
    """
    codes = {*(row.make.codes() if isinstance(row.make, HasCodes) else ()), *_pins(flow)}
    numbers = {row.recipient, row.recipient.removeprefix("+")} - {""}
    veil = {code: "*" * len(code) for code in codes} | {number: mask_phone(number) for number in numbers}
    words = sorted(veil, key=len, reverse=True)
    hide = re.compile("|".join(map(re.escape, words))) if words else None
    stars = flow.endpoint is Endpoint.OTP and not codes

    def text(value: str, key: str) -> str:
        veiled = value if hide is None else hide.sub(lambda found: veil[found[0]], value)
        return _DIGITS.sub("*", veiled) if stars and key == "body" else veiled

    return {"endpoint": str(flow.endpoint), **cast("dict[str, Any]", _shown(dump_flow(flow), text, ""))}


def _pins(flow: AnyFlow) -> set[str]:
    """The codes that a flow itself knows to be some."""
    pins: set[str] = set()
    for part in flow.steps if isinstance(flow, OtpFlow) else ():
        if isinstance(part, ViberOtpStep):
            pins.add(part.pin.reveal())
    return pins


def _shown(value: Any, text: Callable[[str, str], str], key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _shown(item, text, name) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_shown(item, text, key) for item in value]
    if key == "pin" or isinstance(value, Secret):
        return HIDDEN
    if not isinstance(value, str) or key in _IDS:
        return value
    if key in _NUMBERS:
        return mask_phone(value)
    return without_path(value) if key in _ADDRESSES else text(value, key)
