"""What a person sees of a message: text, picture, button, code. Pure functions of a step's body.

No public page shows the words of Viber's templates, so a template's bubble names the template and what fills it in.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..api.otp_responses import TEMPLATES
from ..api.pricing import sms_parts
from ..simulation.flow_store import AcceptedFlow
from ..simulation.outcomes import SimulatedChannel
from ..simulation.recipients import step_recipients
from ..simulation.step_plan import PlannedStep, SendEndpoint

_TEMPLATE_NAMES = {uuid: name for uuid, name, _ in TEMPLATES}

# What a ViberOtp step holds beside the values of its template: Routee names only some of those, so the rest are they.
_NO_PARAMS = frozenset(
    {"type", "order", "to", "ttl", "label", "trackingId", "senderInfoTrackingId", "pin"}
    | {"templateId", "templateType", "templateLang"}
)

# Digits that stand alone: no part of a longer number, a word, an address, a date or an amount.
_LONE_DIGITS = re.compile(r"(?<![\w+/])(?<![0-9][.,:-])[0-9]{4,10}(?![\w/]|[.,:-][0-9])")


def message_preview(flow: AcceptedFlow, step: PlannedStep) -> dict[str, Any]:
    """What the person sees of a step's message."""
    endpoint, body = SendEndpoint(flow.endpoint), step.body
    on_viber = step.step.channel is SimulatedChannel.VIBER
    seen: dict[str, Any] = {
        "from": body["senderInfoTrackingId"] if on_viber else body.get("from", ""),
        **dict.fromkeys(("text", "image", "button", "file", "video", "template", "speech")),
        "pin": find_pin(endpoint, body),
    }
    if step.step.channel is SimulatedChannel.SMS:
        return seen | {"text": "".join(sms_parts(flow, step))}  # as transcode may have changed it
    if step.step.channel is SimulatedChannel.VOICE:
        return seen | {"speech": _speech(body)}
    if endpoint is SendEndpoint.STANDARD:
        return seen | _viber(body["message"])
    template = _template(endpoint, body)
    return seen | {"template": template, "text": _in_words(seen["pin"], template)}


def contains_pin(flow: AcceptedFlow, to: str | None = None) -> bool:
    """Whether a one-time password is in one of a flow's messages: in one to this number, where one is named."""
    steps = (flow.body,) if flow.endpoint == SendEndpoint.VIBER_OTP else flow.body["flow"]
    return any(
        find_pin(SendEndpoint(flow.endpoint), step) is not None
        for step in steps
        if to is None or to in step_recipients(step["to"])
    )


def find_pin(endpoint: SendEndpoint, step: Mapping[str, Any]) -> str | None:
    """The one-time password in a step's message: the one its template is given; or, in the SMS of an OTP flow, its only
    run of four to ten digits. Digits in other messages may be anything, and are no PIN.
    """  # noqa: D205
    if endpoint is SendEndpoint.OTP:
        return _lone_digits(step["message"]["body"]) if step["type"] == "Sms" else str(step["pin"])
    if endpoint is SendEndpoint.VIBER_OTP or (endpoint is SendEndpoint.TRANSACTIONAL and step["type"] == "Viber"):
        given = step.get("templateParams", {}).get("pin")
        return None if given is None else str(given)
    return None


def _lone_digits(text: str) -> str | None:
    runs = set(_LONE_DIGITS.findall(text))
    return runs.pop() if len(runs) == 1 else None


def one_line_preview(preview: Mapping[str, Any]) -> str:
    """The bubble as a line of a list."""
    for words in (preview["text"], *(preview["speech"] or ())):
        if words:
            return str(words)
    for kind in ("file", "video", "image"):
        if preview[kind]:
            return f"[{kind}]"
    return ""


def _viber(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": message.get("text"),
        "image": message.get("imageUrl"),
        "button": _renamed(message.get("action"), caption="caption", url="targetUrl"),
        "file": _renamed(message.get("viberFile"), name="fileName", url="fileUrl"),
        "video": _renamed(message.get("viberVideo"), url="videoUrl", thumbnail="videoThumbnail"),
    }


def _renamed(part: Mapping[str, Any] | None, **names: str) -> dict[str, str] | None:
    return None if part is None else {ours: part.get(theirs, "") for ours, theirs in names.items()}


def _template(endpoint: SendEndpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    template_id = body.get("templateId")  # /viber/otp asks for a sender and a recipient alone
    if endpoint is SendEndpoint.OTP:
        params = {name: value for name, value in body.items() if name not in _NO_PARAMS}
    else:
        params = body.get("templateParams", {})
    return {
        "id": template_id,
        "name": _TEMPLATE_NAMES.get(str(template_id).lower()),
        "language": body.get("templateLang"),
        "params": {name: value for name, value in params.items() if name != "pin"},
    }


def _in_words(code: str | None, template: Mapping[str, Any]) -> str:
    known = template["name"] or template["id"] or "without an id"
    first = f"Template {known}" if code is None else f"{code} is your code"
    return "\n".join([first, *(f"{name}: {value}" for name, value in template["params"].items())])


def _speech(body: Mapping[str, Any]) -> list[str]:
    plan = next(body[name] for name in ("dialPlan", "dialplan", "dialPlans") if name in body)
    return [_verb(verb) for verb in plan["verbs"]]


def _verb(verb: Mapping[str, Any]) -> str:
    return str(verb["message"]["text"]) if verb["type"] == "SAY" else f"[plays {verb['fileURL']}]"
