"""Scenarios of the demo: each flow, and the outcome that its recipient's number scripts."""

from collections.abc import Callable
from datetime import timedelta

import attrs

from ..._wire import load_flow
from ...flows import (
    AnyFlow,
    DialPlan,
    Endpoint,
    OtpFlow,
    OtpSmsStep,
    Say,
    SmsStep,
    Speech,
    StandardFlow,
    TransactionalFlow,
    ViberMessage,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    ViberTemplateStep,
    VoiceStep,
)
from ...records import Channel

VIBER, SMS, VOICE = Channel.VIBER, Channel.SMS, Channel.VOICE
SENDER, UNKNOWN_SENDER = "demo-sender", "unknown-sender"  # the sandbox rejects senders that begin with `unknown`
OWN_TEMPLATE = "7c1f3f0e-5d0b-4c55-9d0a-3c3d3f1b2a10"
BASIC_OTP = "0aac888f-2ee2-4112-9659-1755a951966a"
PINS = ("847291", "530618", "902744", "316852", "775903")


def seconds(number: float) -> timedelta:
    """Return the ttl of an OTP step."""
    return timedelta(seconds=number)


def minutes(number: float) -> timedelta:
    """Return the ttl of a standard or transactional step."""
    return timedelta(minutes=number)


@attrs.frozen
class DemoScenario:
    """One flow: `recipient_digits` script Viber, SMS and Voice; `build_flow` returns it or raises `InvalidFlow`."""

    title: str
    endpoint: Endpoint
    channels: tuple[Channel, ...]
    recipient_digits: str
    build_flow: Callable[[str], AnyFlow]

    @property
    def recipient(self) -> str:
        """The number, from which the sandbox reads the outcomes."""
        return f"+306900000{self.recipient_digits}"


def _viber(to: str, text: str, ttl: timedelta) -> ViberStep:
    return ViberStep(sender_info_tracking_id=SENDER, to=to, message=ViberMessage(text=text), ttl=ttl)


def _sms(to: str, text: str, ttl: timedelta | None = None) -> SmsStep:
    return SmsStep(from_="Demo", to=to, message=text, ttl=ttl)


def _voice(to: str, text: str) -> VoiceStep:
    speech = Speech(text=text, language="en-GB", gender="female")
    return VoiceStep(from_="Demo", to=to, dial_plan=DialPlan(verbs=[Say(message=speech)]))


def _spring_sale(to: str) -> StandardFlow:
    text = "Half price until Sunday."
    return StandardFlow(steps=[_viber(to, text, minutes(5)), _sms(to, text)])


def _parcel(to: str) -> StandardFlow:
    text = "Your parcel comes today."
    return StandardFlow(steps=[_viber(to, text, minutes(3)), _sms(to, text)])


def _storm_warning(to: str) -> StandardFlow:
    text = "A storm is coming: stay at home."
    return StandardFlow(steps=[_viber(to, text, minutes(5)), _sms(to, text, minutes(4)), _voice(to, text)])


def _appointment(to: str) -> StandardFlow:
    text = "You have an appointment tomorrow at ten."
    return StandardFlow(steps=[_viber(to, text, minutes(6)), _sms(to, text), _voice(to, text)])


def _template(sender: str) -> Callable[[str], TransactionalFlow]:
    def build(to: str) -> TransactionalFlow:
        viber = ViberTemplateStep(
            sender_info_tracking_id=sender,
            to=to,
            template_id=OWN_TEMPLATE,
            template_lang="en",
            template_params={"name": "Eleni"},
            ttl=minutes(2),
        )
        return TransactionalFlow(steps=[viber, _sms(to, "Dear Eleni, we have news for you.")])

    return build


def _otp(pin: str, ttl: timedelta) -> Callable[[str], OtpFlow]:
    def build(to: str) -> OtpFlow:
        viber = ViberOtpStep(sender_info_tracking_id=SENDER, to=to, template_id=BASIC_OTP, pin=pin, ttl=ttl)
        return OtpFlow(steps=[viber, OtpSmsStep(to=to, message=f"Your code is {pin}", ttl=seconds(180))])

    return build


def _viber_otp(pin: str, ttl: timedelta) -> Callable[[str], ViberOtpMessage]:
    return lambda to: ViberOtpMessage(
        sender_info_tracking_id=SENDER,
        to=to,
        template_id=BASIC_OTP,
        template_params={"pin": pin},
        template_lang="en",
        ttl=ttl,
    )


def _invalid(to: str) -> AnyFlow:
    """Load JSON with two mistakes, as another program might produce it; both are found before anything is sent."""
    viber = {
        "type": "ViberOtp",
        "order": 1,
        "to": to,
        "ttl": 60,
        "senderInfoTrackingId": SENDER,
        "templateId": BASIC_OTP,
    }
    sms = {"type": "Sms", "order": 2, "to": to, "ttl": 180, "mesage": {"body": "Your code"}}
    return load_flow("otp", {"flow": [{**viber, "pin": "123"}, sms]})


SCENARIOS = (
    DemoScenario("Spring sale", Endpoint.STANDARD, (VIBER, SMS), "400", _spring_sale),
    DemoScenario("Parcel today", Endpoint.STANDARD, (VIBER, SMS), "300", _parcel),
    DemoScenario("Storm warning", Endpoint.STANDARD, (VIBER, SMS, VOICE), "330", _storm_warning),
    DemoScenario("Appointment", Endpoint.STANDARD, (VIBER, SMS, VOICE), "313", _appointment),
    DemoScenario("Invoice", Endpoint.TRANSACTIONAL, (VIBER, SMS), "000", _template(SENDER)),
    DemoScenario("Gate changed", Endpoint.TRANSACTIONAL, (VIBER, SMS), "100", _template(SENDER)),
    DemoScenario("Wrong sender", Endpoint.TRANSACTIONAL, (VIBER, SMS), "000", _template(UNKNOWN_SENDER)),
    DemoScenario("Login code", Endpoint.OTP, (VIBER, SMS), "000", _otp(PINS[0], seconds(60))),
    DemoScenario("Login, phone off", Endpoint.OTP, (VIBER, SMS), "300", _otp(PINS[1], seconds(90))),
    DemoScenario("Payment code", Endpoint.OTP, (VIBER, SMS), "200", _otp(PINS[2], seconds(60))),
    DemoScenario("Wrong shape", Endpoint.OTP, (VIBER, SMS), "000", _invalid),
    DemoScenario("Sign-up code", Endpoint.VIBER_OTP, (VIBER,), "000", _viber_otp(PINS[3], seconds(120))),
    DemoScenario("Password reset", Endpoint.VIBER_OTP, (VIBER,), "300", _viber_otp(PINS[4], seconds(240))),
)
