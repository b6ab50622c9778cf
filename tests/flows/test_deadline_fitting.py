"""Fitting a flow to a deadline, by example: the ttls that each endpoint receives for some remaining time."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from routee_failover._wire import dump_flow
from routee_failover.flows import (
    AnyFlow,
    OtpFlow,
    OtpSmsStep,
    SmsStep,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceStep,
)
from routee_failover.flows.deadline_fitting import fit_to_deadline

from .leak_detection import printed
from .sample_requests import MINUTE, build
from .test_secret_leaks import CANARIES

SECOND = timedelta(seconds=1)


def viber(minutes: float | None = None) -> Any:
    """A Viber step of a standard flow; for a transactional flow it is replaced by a template step."""
    return build(ViberStep, ttl=None if minutes is None else minutes * MINUTE)


def sms(minutes: float | None = None) -> Any:
    """An SMS of a standard or a transactional flow."""
    return build(SmsStep, ttl=None if minutes is None else minutes * MINUTE)


def voice() -> Any:
    """A voice step, which has no time to live."""
    return build(VoiceStep)


def otp_viber(seconds: float) -> Any:
    """A Viber step of an OTP flow."""
    return build(ViberOtpStep, ttl=seconds * SECOND)


def otp_sms(seconds: float) -> Any:
    """An SMS of an OTP flow."""
    return build(OtpSmsStep, ttl=seconds * SECOND)


def viber_otp(seconds: float | None = None) -> Any:
    """A one-time password by Viber alone."""
    return build(ViberOtpMessage, ttl=None if seconds is None else seconds * SECOND)


Example = tuple[list[Any], float, list[float | None] | None]
"""Steps, the remaining time in the endpoint's unit, and the ttls that are then sent; `None` if nothing is sent."""

MINUTE_EXAMPLES: dict[str, Example] = {
    "more than enough": ([viber(10), sms(20)], 60, [10, 20]),
    "exactly enough": ([viber(10), sms(20)], 30, [10, 20]),
    "half of it": ([viber(10), sms(20)], 15, [5, 10]),
    "a tenth of it": ([viber(10), sms(20)], 3, [1, 2]),
    "rounded down to tenths and to whole minutes": ([viber(10), sms(20)], 10, [3.3, 6]),
    "a second less than enough": ([viber(10), sms(20)], 30 - 1 / 60, [9.9, 19]),
    "Viber is raised to half a minute, the SMS is shortened": ([viber(2), sms(20)], 5, [0.5, 4]),
    "the SMS is raised to a minute, Viber is shortened": ([viber(20), sms(1)], 2.55, [1.5, 1]),
    "the longest is shortened first": ([sms(100), sms(60), sms(1), sms(1), sms(1)], 7, [2, 2, 1, 1, 1]),
    "of two as long, the earlier": ([sms(100), sms(100), sms(1), sms(1)], 5, [1, 2, 1, 1]),
    "a step at its minimum is not shortened further": ([sms(100), viber(1)] + [sms(1)] * 3, 4.5, [1, 0.5, 1, 1, 1]),
    "just the minimum": ([viber(10), sms(20)], 1.5, [0.5, 1]),
    "less than the minimum": ([viber(10), sms(20)], 1.49, None),
    "one SMS": ([sms(20)], 15.9, [15]),
    "one SMS, under a minute": ([sms(20)], 0.99, None),
    "one Viber message": ([viber(10)], 7.77, [7.7]),
    "one Viber message, under half a minute": ([viber(10)], 0.49, None),
    "all omitted, and Routee's defaults fit": ([viber(), sms()], 1210, [None, None]),
    "all omitted, and half of the defaults remains": ([viber(), sms()], 605, [None, 595]),
    "all omitted, and little remains": ([viber(), sms()], 15, [7.5, 7]),
    "Viber omitted": ([viber(), sms(15)], 20, [5, 15]),
    "Viber omitted, and the SMS does not fit alone": ([viber(), sms(30)], 20, [0.5, 19]),
    "SMS omitted, which gets what Viber leaves": ([viber(2), sms()], 15, [2, 13]),
    "two SMS omitted": ([viber(2), sms(), sms()], 15, [2, 6, 6]),
    "a voice step counts as zero": ([viber(10), voice(), sms(20)], 15, [5, None, 10]),
    "voice steps alone": ([voice(), voice()], 0.001, [None, None]),
    "no time remaining": ([viber(10), sms(20)], 0, None),
    "no time remaining for a voice step": ([voice()], 0, None),
    "a negative time": ([voice()], -1, None),
}
SECOND_EXAMPLES: dict[str, Example] = {
    "exactly enough": ([otp_viber(60), otp_sms(120)], 180, [60, 120]),
    "half of it": ([otp_viber(60), otp_sms(120)], 90, [30, 60]),
    "rounded down to seconds": ([otp_viber(60), otp_sms(120)], 100, [33, 66]),
    "allocated before it is rounded": ([otp_viber(60), otp_sms(120)], 100.5, [33, 67]),
    "Viber is raised to a second, the SMS is shortened": ([otp_viber(5), otp_sms(995)], 10, [1, 9]),
    "a second each": ([otp_viber(60), otp_sms(120)], 2, [1, 1]),
    "less than a second each": ([otp_viber(60), otp_sms(120)], 1.99, None),
    "an explicit 0 stays 0": ([otp_viber(0), otp_sms(120)], 60, [0, 60]),
    "zeros alone": ([otp_viber(0), otp_sms(0)], 0.001, [0, 0]),
    "no time remaining": ([otp_viber(0)], 0, None),
    "more than a timedelta holds": ([otp_viber(86399999999999), otp_sms(86399999999999)], 10, [5, 5]),
}
VIBER_OTP_EXAMPLES: dict[str, Example] = {
    "exactly enough": ([viber_otp(60)], 60, [60]),
    "half of it": ([viber_otp(60)], 30.5, [30]),
    "a second": ([viber_otp(60)], 1, [1]),
    "less than a second": ([viber_otp(60)], 0.99, None),
    "an explicit 0 stays 0": ([viber_otp(0)], 0.001, [0]),
    "omitted: 14 days count as Routee's default": ([viber_otp()], 14 * 86400, [None]),
    "omitted, and less than that remains": ([viber_otp()], 120, [120]),
    "no time remaining": ([viber_otp()], 0, None),
}


def _examples() -> Iterator[Any]:
    def as_template_steps(steps: list[Any]) -> list[Any]:
        return [build(ViberTemplateStep, ttl=step.ttl) if isinstance(step, ViberStep) else step for step in steps]

    for name, (steps, remaining, expected) in MINUTE_EXAMPLES.items():
        flow = TransactionalFlow(steps=as_template_steps(steps))
        yield pytest.param(StandardFlow(steps=steps), remaining * MINUTE, expected, id=f"standard: {name}")
        yield pytest.param(flow, remaining * MINUTE, expected, id=f"transactional: {name}")
    for name, (steps, remaining, expected) in SECOND_EXAMPLES.items():
        yield pytest.param(OtpFlow(steps=steps), remaining * SECOND, expected, id=f"otp: {name}")
    for name, ([message], remaining, expected) in VIBER_OTP_EXAMPLES.items():
        yield pytest.param(message, remaining * SECOND, expected, id=f"viber-otp: {name}")


@pytest.mark.parametrize(("flow", "remaining", "expected"), [*_examples()])
def test_flow_is_fitted_to_the_documented_ttls_or_not_sent(
    flow: AnyFlow, remaining: timedelta, expected: list[float | None] | None
) -> None:
    """Each flow is sent with the ttls in the table, or not at all."""
    result = fit_to_deadline(flow, remaining)
    mapping = result and dump_flow(result)
    assert (mapping and [step.get("ttl") for step in mapping.get("flow", [mapping])]) == expected


def test_unchanged_step_is_not_copied() -> None:
    """Steps whose ttl does not change are the caller's own objects."""
    flow = StandardFlow(steps=[sms(1), viber(10), voice()])
    result = fit_to_deadline(flow, 3 * MINUTE)
    assert result is not None
    assert [new is old for new, old in zip(result.steps, flow.steps, strict=True)] == [True, False, True]


def test_subclass_of_a_step_is_shortened_like_its_parent() -> None:
    """A subclass of a step has its parent's limits, and the shortened step is of the subclass."""

    class OwnStep(SmsStep):
        """An SMS step of a subclass."""

    flow = StandardFlow(steps=[OwnStep(from_="Demo", to="+306900000001", message="Hi", ttl=20 * MINUTE)])
    result = fit_to_deadline(flow, 5.5 * MINUTE)
    assert result is not None
    assert result.steps == (OwnStep(from_="Demo", to="+306900000001", message="Hi", ttl=5 * MINUTE),)


def test_shortened_flow_does_not_print_pin_or_text() -> None:
    """A shortened copy shows neither PIN nor text."""
    flow = OtpFlow(
        steps=[
            build(ViberOtpStep, pin=CANARIES[0], template_fields={"some": CANARIES[0]}),
            build(OtpSmsStep, message=f"Your code is {CANARIES[0]}", extra={"some": CANARIES[0]}),
        ]
    )
    printed_text = printed(fit_to_deadline(flow, MINUTE))
    assert "seconds=30" in printed_text
    assert CANARIES[0] not in printed_text
