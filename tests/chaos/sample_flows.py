"""The messages of the chaos tests: of every endpoint, each with a number of its own by which the server knows it."""

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
"""It has no digits: those of six would stand by chance in one of the many numbers that errors and frames hold."""
TEXT = f"Kanari words {PIN}"
SECRETS = ("Kanari", "canary")
"""What no error may show: the PIN and the words, the application's key and the token. The recipient is another."""

_counted = itertools.count(1)
_number = re.compile(rb"\+3069\d{8}")
_SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
_TEMPLATE = "0aac888f-2ee2-4112-9659-1755a951966a"
_MINUTE = timedelta(minutes=1)

SEARCH = b"/failover/tracking?"
"""A question, though it may name a recipient."""


def standard(to: str, words: str = TEXT) -> StandardFlow:
    """One SMS."""
    return StandardFlow(steps=[SmsStep(from_="Demo", to=to, message=words)])


def transactional(to: str) -> TransactionalFlow:
    """One Viber template."""
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
    """A one-time password that fails over from Viber to SMS."""
    viber = ViberOtpStep(sender_info_tracking_id=_SENDER, to=to, template_id=_TEMPLATE, pin=PIN, ttl=_MINUTE)
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message=TEXT, ttl=_MINUTE)])


def viber_otp(to: str) -> ViberOtpMessage:
    """A one-time password over Viber."""
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
"""Where messages are posted, as Routee documents it."""


def new_number() -> str:
    """A recipient that no other message of this process has."""
    return f"+3069{next(_counted):08d}"


def new_flow(endpoint: Endpoint = Endpoint.STANDARD) -> AnyFlow:
    """A message of its own."""
    return FLOW_FACTORIES[endpoint](new_number())


def new_flows(count: int) -> Iterator[AnyFlow]:
    """So many messages, of all endpoints in turn."""
    for endpoint in itertools.islice(itertools.cycle(ENDPOINTS), count):
        yield new_flow(endpoint)


def new_call() -> StandardFlow:
    """A call, which has no time to live, so that a deadline of any length leaves enough for it."""
    said = Say(message=Speech(text=TEXT, language="en-US"))
    return StandardFlow(steps=[VoiceStep(from_="Demo", to=new_number(), dial_plan=DialPlan(verbs=[said]))])


def number_of(flow: AnyFlow) -> str:
    """The number by which the server knows a flow."""
    steps = getattr(flow, "steps", None)
    recipient = getattr(steps[0] if steps else flow, "to", None)
    recipient = getattr(recipient, "phone", recipient)
    assert isinstance(recipient, str)
    return recipient


def number_in(body: bytes) -> str | None:
    """The same number, out of a body on the wire."""
    found = _number.search(body)
    return found[0].decode() if found else None
