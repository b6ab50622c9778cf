"""Preview of a message as its recipient sees it: text, image, button, PIN. Pure functions of a step's body.

No public page shows the texts of Viber's templates, so the preview of a template names it and lists its parameters.
"""

import re
from collections.abc import Mapping
from typing import Any

from ..api.otp_responses import TEMPLATES
from ..api.pricing import sms_parts
from ..simulation.flow_plan import PlannedStep, SendEndpoint
from ..simulation.flow_store import AcceptedFlow
from ..simulation.number_normalization import step_recipients
from ..simulation.scripted_outcomes import SimulatedChannel

_TEMPLATE_NAMES = {uuid: name for uuid, name, _ in TEMPLATES}

# Members of a ViberOtp step that are not template parameters. Routee documents only some parameters, so every other
# member counts as one.
_NO_PARAMS = frozenset(
    {"type", "order", "to", "ttl", "label", "trackingId", "senderInfoTrackingId", "pin"}
    | {"templateId", "templateType", "templateLang"}
)

# A run of digits that is not part of a longer number, a word, a URL, a date or an amount.
_DIGIT_RUN = re.compile(r"(?<![\w+/])(?<![0-9][.,:-])[0-9]{4,10}(?![\w/]|[.,:-][0-9])")


def message_preview(flow: AcceptedFlow, step: PlannedStep) -> dict[str, Any]:
    """Return what the recipient sees of a step's message."""
    endpoint, body = SendEndpoint(flow.endpoint), step.body
    on_viber = step.step.channel is SimulatedChannel.VIBER
    preview: dict[str, Any] = {
        "from": body["senderInfoTrackingId"] if on_viber else body.get("from", ""),
        **dict.fromkeys(("text", "image", "button", "file", "video", "template", "speech")),
        "pin": find_pin(endpoint, body),
    }
    if step.step.channel is SimulatedChannel.SMS:
        return preview | {"text": "".join(sms_parts(flow, step))}  # `transcode` may have changed the text
    if step.step.channel is SimulatedChannel.VOICE:
        return preview | {"speech": _call_texts(body)}
    if endpoint is SendEndpoint.STANDARD:
        return preview | _viber_content(body["message"])
    template = _template(endpoint, body)
    return preview | {"template": template, "text": _template_text(preview["pin"], template)}


def contains_pin(flow: AcceptedFlow, to: str | None = None) -> bool:
    """Return whether a message of the flow contains a one-time password, or one to this number if `to` is given."""
    steps = (flow.body,) if flow.endpoint == SendEndpoint.VIBER_OTP else flow.body["flow"]
    return any(
        find_pin(SendEndpoint(flow.endpoint), step) is not None
        for step in steps
        if to is None or to in step_recipients(step["to"])
    )


def find_pin(endpoint: SendEndpoint, step: Mapping[str, Any]) -> str | None:
    """Return the one-time password in a step's message, or None.

    It is the `pin` of a template; or, in the SMS of an OTP flow, the only run of four to ten digits. Digits in other
    messages may be anything, and do not count as a PIN.
    """
    if endpoint is SendEndpoint.OTP:
        return _only_digit_run(step["message"]["body"]) if step["type"] == "Sms" else str(step["pin"])
    if endpoint is SendEndpoint.VIBER_OTP or (endpoint is SendEndpoint.TRANSACTIONAL and step["type"] == "Viber"):
        pin = step.get("templateParams", {}).get("pin")
        return None if pin is None else str(pin)
    return None


def _only_digit_run(text: str) -> str | None:
    runs = set(_DIGIT_RUN.findall(text))
    return runs.pop() if len(runs) == 1 else None


def one_line_preview(preview: Mapping[str, Any]) -> str:
    """Return the preview as one line for a list."""
    for text in (preview["text"], *(preview["speech"] or ())):
        if text:
            return str(text)
    for kind in ("file", "video", "image"):
        if preview[kind]:
            return f"[{kind}]"
    return ""


def _viber_content(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": message.get("text"),
        "image": message.get("imageUrl"),
        "button": _select(message.get("action"), caption="caption", url="targetUrl"),
        "file": _select(message.get("viberFile"), name="fileName", url="fileUrl"),
        "video": _select(message.get("viberVideo"), url="videoUrl", thumbnail="videoThumbnail"),
    }


def _select(part: Mapping[str, Any] | None, **names: str) -> dict[str, str] | None:
    return None if part is None else {name: part.get(source, "") for name, source in names.items()}


def _template(endpoint: SendEndpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    template_id = body.get("templateId")  # /viber/otp requires only a sender and a recipient
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


def _template_text(pin: str | None, template: Mapping[str, Any]) -> str:
    name = template["name"] or template["id"] or "without an id"
    title = f"Template {name}" if pin is None else f"{pin} is your code"
    return "\n".join([title, *(f"{name}: {value}" for name, value in template["params"].items())])


def _call_texts(body: Mapping[str, Any]) -> list[str]:
    dial_plan = next(body[name] for name in ("dialPlan", "dialplan", "dialPlans") if name in body)
    return [_verb_text(verb) for verb in dial_plan["verbs"]]


def _verb_text(verb: Mapping[str, Any]) -> str:
    return str(verb["message"]["text"]) if verb["type"] == "SAY" else f"[plays {verb['fileURL']}]"
