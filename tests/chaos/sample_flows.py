"""Messages of the chaos tests: of every endpoint, each with a phone number of its own that identifies it."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from routee_failover import (
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
    ViberOtpMessage,
    ViberOtpStep,
    ViberTemplateStep,
    VoiceStep,
)

PIN = "KanariPin"
"""It has no digits: six digits might occur by chance in one of the many numbers in errors and frames."""
TEXT = f"Kanari words {PIN}"
SECRETS = ("Kanari", "canary")
"""What no error may show: the PIN and the text, the application's key and the token; nor the recipient."""

_counter = itertools.count(1)
_number = re.compile(rb"\+3069\d{8}")
_SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
_TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
_MINUTE = timedelta(minutes=1)

SEARCH = b"/failover/tracking?"
"""A reading call, though it may contain a recipient."""


def standard(to: str, text: str = TEXT) -> StandardFlow:
    """Return a flow with one SMS."""
    return StandardFlow(steps=[SmsStep(from_="Demo", to=to, message=text)])


def transactional(to: str) -> TransactionalFlow:
    """Return a flow with one Viber template."""
    step = ViberTemplateStep(
        sender_info_tracking_id=_SENDER,
        to=to,
        template_id="bbbbbbbb-0000-4000-8000-000000000002",
        template_lang="en",
        template_params={"name": TEXT},
        ttl=_MINUTE,
    )
    return TransactionalFlow(steps=[step])


def otp(to: str) -> OtpFlow:
    """Return a one-time password that fails over from Viber to SMS."""
    viber = ViberOtpStep(sender_info_tracking_id=_SENDER, to=to, template_id=_TEMPLATE, pin=PIN, ttl=_MINUTE)
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message=TEXT, ttl=_MINUTE)])


def viber_otp(to: str) -> ViberOtpMessage:
    """Return a one-time password over Viber."""
    return ViberOtpMessage(
        sender_info_tracking_id=_SENDER, to=to, template_id=_TEMPLATE, template_params={"pin": PIN}, ttl=_MINUTE
    )


FLOW_FACTORIES: Mapping[Endpoint, Callable[[str], AnyFlow]] = {
    Endpoint.STANDARD: standard,
    Endpoint.TRANSACTIONAL: transactional,
    Endpoint.OTP: otp,
    Endpoint.VIBER_OTP: viber_otp,
}
ENDPOINTS = tuple(FLOW_FACTORIES)
PATHS = frozenset({b"/failover", b"/failover/transactional", b"/failover-otp/otp/send-failover", b"/viber/otp"})
"""Paths to which messages are posted, as Routee documents them."""


def new_number() -> str:
    """Return a recipient that no other message of this process has."""
    return f"+3069{next(_counter):08d}"


def new_flow(endpoint: Endpoint = Endpoint.STANDARD) -> AnyFlow:
    """Return a message with a new recipient."""
    return FLOW_FACTORIES[endpoint](new_number())


def new_flows(count: int) -> Iterator[AnyFlow]:
    """Iterate over `count` new messages, of all endpoints in turn."""
    for endpoint in itertools.islice(itertools.cycle(ENDPOINTS), count):
        yield new_flow(endpoint)


def new_call() -> StandardFlow:
    """Return a voice call, which has no ttl, so that a deadline of any length is enough for it."""
    say = Say(message=Speech(text=TEXT, language="en-US"))
    return StandardFlow(steps=[VoiceStep(from_="Demo", to=new_number(), dial_plan=DialPlan(verbs=[say]))])


def number_of(flow: AnyFlow) -> str:
    """Return the recipient of a flow, by which the server identifies it."""
    steps = getattr(flow, "steps", None)
    recipient = getattr(steps[0] if steps else flow, "to", None)
    recipient = getattr(recipient, "phone", recipient)
    assert isinstance(recipient, str)
    return recipient


def number_in(body: bytes) -> str | None:
    """Return the same number from a body on the wire."""
    match = _number.search(body)
    return match[0].decode() if match else None
