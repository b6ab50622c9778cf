"""What a person sees of a message: text, picture, button, code. Pure functions of a step's body.

No public page shows the words of Viber's templates, so a template's bubble names the template and what fills it in.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..life.plan import Endpoint, PlannedStep
from ..life.scripts import Channel
from ..routee.otp_answers import TEMPLATES

_TEMPLATE_NAMES = {uuid: name for uuid, name, _ in TEMPLATES}

# What a ViberOtp step holds beside the values of its template: Routee names only some of those, so the rest are they.
_NO_PARAMS = frozenset(
    {"type", "order", "to", "ttl", "label", "trackingId", "senderInfoTrackingId", "pin"}
    | {"templateId", "templateType", "templateLang"}
)

# Digits that stand alone: no part of a longer number, a word, an address, a date or an amount.
_LONE_DIGITS = re.compile(r"(?<![\w+/])(?<![0-9][.,:-])[0-9]{4,10}(?![\w/]|[.,:-][0-9])")


def bubble(endpoint: Endpoint, step: PlannedStep) -> dict[str, Any]:
    """What the person sees of a step's message."""
    body = step.body
    on_viber = step.step.channel is Channel.VIBER
    seen: dict[str, Any] = {
        "from": body["senderInfoTrackingId"] if on_viber else body.get("from", ""),
        **dict.fromkeys(("text", "image", "button", "file", "video", "template", "speech")),
        "pin": pin(endpoint, step),
    }
    if step.step.channel is Channel.SMS:
        return seen | {"text": body["message"]["body"]}
    if step.step.channel is Channel.VOICE:
        return seen | {"speech": _speech(body)}
    if endpoint is Endpoint.STANDARD:
        return seen | _viber(body["message"])
    template = _template(endpoint, body)
    return seen | {"template": template, "text": _in_words(seen["pin"], template)}


def pin(endpoint: Endpoint, step: PlannedStep) -> str | None:
    """The one-time password in a message: the one its template is given; or, in the SMS of an OTP flow, its only run of
    four to ten digits. Digits in other messages may be anything, and are no PIN.
    """  # noqa: D205
    body = step.body
    match endpoint, step.step.channel:
        case Endpoint.OTP, Channel.SMS:
            runs = set(_LONE_DIGITS.findall(body["message"]["body"]))
            return runs.pop() if len(runs) == 1 else None
        case Endpoint.OTP, Channel.VIBER:
            return str(body["pin"])
        case ((Endpoint.TRANSACTIONAL | Endpoint.VIBER_OTP), Channel.VIBER):
            given = body.get("templateParams", {}).get("pin")
            return None if given is None else str(given)
        case _:
            return None


def in_one_line(seen: Mapping[str, Any]) -> str:
    """The bubble as a line of a list."""
    for words in (seen["text"], *(seen["speech"] or ())):
        if words:
            return str(words)
    for kind in ("file", "video", "image"):
        if seen[kind]:
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


def _template(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    template_id = body.get("templateId")  # /viber/otp asks for a sender and a recipient alone
    if endpoint is Endpoint.OTP:
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
