"""Correlation of a flow with its run: the label wherever Routee takes one, and the callback URL."""

from typing import Any, cast

import attrs

from ...flows import (
    AnyFlow,
    Callback,
    Endpoint,
    OtpFlow,
    OtpSmsStep,
    RawFlow,
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
from .raw_recipients import numbers_in, single_recipient
from .row import Correlation

AnyStep = ViberStep | ViberTemplateStep | SmsStep | VoiceStep | ViberOtpStep | OtpSmsStep


def add_correlation(flow: AnyFlow, correlation: Correlation) -> AnyFlow:
    """Return the flow with the correlation: the label is appended to an existing one, an existing callback is kept.

    Labelled are a standard Viber step, an SMS message and both steps of an OTP; no other part takes a label. A raw flow
    is returned as it is. Raises `InvalidFlow` if the two labels together are longer than Routee allows.
    """
    if isinstance(flow, ViberOtpMessage | RawFlow):
        return flow
    callback = flow.callback
    if callback is None and correlation.callback_url is not None:
        callback = Callback(url=correlation.callback_url)
    if correlation.label is None:
        return flow if callback is flow.callback else _replace(flow, flow.steps, callback)
    return _replace(flow, tuple(_with_label(step, correlation.label) for step in flow.steps), callback)


def add_correlation_json(endpoint: Endpoint, flow: dict[str, Any], correlation: Correlation) -> None:
    """Add the correlation to a flow in the API's JSON, in place.

    A callback without a URL gets the run's, or is removed.
    """
    if endpoint is Endpoint.VIBER_OTP:
        return
    given: dict[str, Any] = flow.pop("callback", None) or {}
    callback = {key: value for key, value in given.items() if value is not None}
    if correlation.callback_url is not None:
        callback = {"url": correlation.callback_url, **callback}
    if "url" in callback:
        flow["callback"] = callback
    for step in flow["flow"] if correlation.label is not None else ():
        owner = _label_owner(endpoint, step)
        if owner is not None:
            owner["label"] = join_labels(owner.get("label"), cast("str", correlation.label))


def _label_owner(endpoint: Endpoint, step: dict[str, Any]) -> dict[str, Any] | None:
    if endpoint is Endpoint.OTP or (endpoint is Endpoint.STANDARD and step["type"] == ViberStep.api_type):
        return step
    return step["message"] if step["type"] == SmsStep.api_type else None


def _replace(flow: StandardFlow | TransactionalFlow | OtpFlow, steps: object, callback: Callback | None) -> AnyFlow:
    return attrs.evolve(flow, steps=steps, callback=callback)  # type: ignore[arg-type]


def _with_label(step: AnyStep, label: str) -> AnyStep:
    if isinstance(step, ViberStep | ViberOtpStep | OtpSmsStep):
        return attrs.evolve(step, label=join_labels(step.label, label))
    if isinstance(step, SmsStep):
        message: SmsMessage = attrs.evolve(step.message, label=join_labels(step.message.label, label))
        return attrs.evolve(step, message=message)
    return step


def join_labels(own: str | None, label: str) -> str:
    """Return the run's label, after an existing one."""
    return f"{own} {label}" if own else label


def first_recipient(flow: AnyFlow) -> str:
    """Return the number that the first step goes to; empty for a call to a SIP address.

    Of a raw flow it is the number that all values of `to` are, if that is one.
    """
    if isinstance(flow, RawFlow):
        return single_recipient(flow)
    if isinstance(flow, StandardFlow | TransactionalFlow | OtpFlow):
        to = flow.steps[0].to
        return to if isinstance(to, str) else to.phone or to.viber or ""
    return flow.to


def all_recipients(flow: AnyFlow) -> tuple[str, ...]:
    """Return all numbers that a flow may reach, with their +; of a SIP address the part before its @.

    Of a raw flow they are all values that read as a number.
    """
    if isinstance(flow, RawFlow):
        return numbers_in(flow)
    if isinstance(flow, ViberOtpMessage):
        return (with_plus(flow.to),)
    return tuple(number for step in flow.steps for number in _numbers_of(step.to))


def _numbers_of(to: str | VoiceRecipient) -> tuple[str, ...]:
    if isinstance(to, str):
        return (with_plus(to),)
    user = None if to.sip is None else to.sip.removeprefix("sip:").partition("@")[0]
    return tuple(with_plus(number) for number in (to.phone, to.viber, user) if number)


def with_plus(number: str) -> str:
    """Return a number with its +, which it may have been written without."""
    return f"+{number}" if number and not number.startswith("+") else number
