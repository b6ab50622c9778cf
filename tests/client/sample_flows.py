"""One flow of each kind, with canaries in every value that must not be shown."""

from datetime import timedelta

from routee_failover import (
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
)

PIN = "739164"
PHONE = "+306912345678"
TEXT = f"Canary words {PIN}"
SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
CANARIES = (PIN, PHONE, PHONE.removeprefix("+"), "Canary")
"""Values that no text, attribute or frame of an error may hold."""

MINUTE = timedelta(minutes=1)


def sms(to: str = PHONE, text: str = TEXT) -> StandardFlow:
    """A standard flow of one SMS."""
    return StandardFlow(steps=[SmsStep(from_="Demo", to=to, message=SmsMessage(body=text))])


def standard(to: str = PHONE) -> StandardFlow:
    """A standard flow that fails over from Viber to SMS."""
    return StandardFlow(
        steps=[
            ViberStep(sender_info_tracking_id=SENDER, to=to, message=TEXT, ttl=MINUTE, label="spring"),
            SmsStep(from_="Demo", to=to, message=TEXT),
        ]
    )


def transactional(to: str = PHONE) -> TransactionalFlow:
    """A transactional flow of one Viber template."""
    return TransactionalFlow(
        steps=[
            ViberTemplateStep(
                sender_info_tracking_id=SENDER,
                to=to,
                template_id="bbbbbbbb-0000-4000-8000-000000000002",
                template_lang="en",
                template_params={"customer_name": "Canary"},
                seq=7,
                ttl=MINUTE,
            )
        ]
    )


def otp(to: str = PHONE) -> OtpFlow:
    """A failover OTP flow that fails over from Viber to SMS."""
    return OtpFlow(
        steps=[
            ViberOtpStep(sender_info_tracking_id=SENDER, to=to, template_id=TEMPLATE, pin=PIN, ttl=MINUTE),
            OtpSmsStep(to=to, message=TEXT, ttl=MINUTE),
        ]
    )


def viber_otp(to: str = PHONE) -> ViberOtpMessage:
    """A Viber OTP."""
    return ViberOtpMessage(
        sender_info_tracking_id=SENDER, to=to, template_id=TEMPLATE, template_params={"pin": PIN}, ttl=MINUTE
    )
