"""A flow gets what it can be found by again: the run's label wherever Routee takes one, and an address to call back."""

from typing import Any, cast

import attrs

from ...flows import (
    AnyFlow,
    Callback,
    Endpoint,
    OtpFlow,
    OtpSmsStep,
    SmsMessage,
    SmsStep,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceRecipient,
    VoiceStep,
)
from .row import Correlation

AnyStep = ViberStep | ViberTemplateStep | SmsStep | VoiceStep | ViberOtpStep | OtpSmsStep


def add_correlation(flow: AnyFlow, correlation: Correlation) -> AnyFlow:
    """The flow with the stamp on it; a label of its own stays in front, a callback of its own is left as it is.

    Labelled are a standard Viber step, an SMS message and both steps of an OTP; nothing else has room for one.
    Raises `InvalidFlow` where the two labels together are longer than Routee allows.
    """
    if isinstance(flow, ViberOtpMessage):
        return flow
    callback = flow.callback
    if callback is None and correlation.callback_url is not None:
        callback = Callback(url=correlation.callback_url)
    if correlation.label is None:
        return flow if callback is flow.callback else _with(flow, flow.steps, callback)
    return _with(flow, tuple(_labelled(step, correlation.label) for step in flow.steps), callback)


def add_correlation_json(endpoint: Endpoint, flow: dict[str, Any], correlation: Correlation) -> None:
    """The same for a flow in the API's JSON, in place; a callback without a url takes the run's or goes."""
    if endpoint is Endpoint.VIBER_OTP:
        return
    callback: dict[str, Any] = flow.pop("callback", {})
    if correlation.callback_url is not None:
        callback = {"url": correlation.callback_url, **callback}
    if "url" in callback:
        flow["callback"] = callback
    for step in flow["flow"] if correlation.label is not None else ():
        place = _place_of_label(endpoint, step)
        if place is not None:
            place["label"] = join_labels(place.get("label"), cast("str", correlation.label))


def _place_of_label(endpoint: Endpoint, step: dict[str, Any]) -> dict[str, Any] | None:
    if endpoint is Endpoint.OTP or (endpoint is Endpoint.STANDARD and step["type"] == ViberStep.api_type):
        return step
    return step["message"] if step["type"] == SmsStep.api_type else None


def _with(flow: AnyFlow, steps: object, callback: Callback | None) -> AnyFlow:
    return attrs.evolve(flow, steps=steps, callback=callback)  # type: ignore[arg-type]


def _labelled(step: AnyStep, label: str) -> AnyStep:
    if isinstance(step, ViberStep | ViberOtpStep | OtpSmsStep):
        return attrs.evolve(step, label=join_labels(step.label, label))
    if isinstance(step, SmsStep):
        message: SmsMessage = attrs.evolve(step.message, label=join_labels(step.message.label, label))
        return attrs.evolve(step, message=message)
    return step


def join_labels(own: str | None, label: str) -> str:
    """The run's label, behind the one that is there already."""
    return f"{own} {label}" if own else label


def first_recipient(flow: AnyFlow) -> str:
    """The number that the first step goes to; empty for a call to a SIP address."""
    if isinstance(flow, StandardFlow | TransactionalFlow | OtpFlow):
        to = flow.steps[0].to
        return to if isinstance(to, str) else to.phone or to.viber or ""
    return flow.to


def all_recipients(flow: AnyFlow) -> tuple[str, ...]:
    """All numbers that a flow may reach, with their +; of a SIP address what stands before its @."""
    if isinstance(flow, ViberOtpMessage):
        return (with_plus(flow.to),)
    return tuple(number for step in flow.steps for number in _numbers_of(step.to))


def _numbers_of(to: str | VoiceRecipient) -> tuple[str, ...]:
    if isinstance(to, str):
        return (with_plus(to),)
    user = None if to.sip is None else to.sip.removeprefix("sip:").partition("@")[0]
    return tuple(with_plus(number) for number in (to.phone, to.viber, user) if number)


def with_plus(number: str) -> str:
    """A number that may have been written without its +, with it."""
    return f"+{number}" if number and not number.startswith("+") else number
