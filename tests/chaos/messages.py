"""The messages of the chaos tests: of every endpoint, each with a number of its own by which the server knows it."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping

from routee_failover import AnyFlow, DialPlan, Endpoint, Say, Speech, StandardFlow, VoiceStep
from tests.client.flows import WORDS, otp, sms, transactional, viber_otp

_counted = itertools.count(1)
_number = re.compile(rb"\+3069\d{8}")

KINDS: Mapping[Endpoint, Callable[[str], AnyFlow]] = {
    Endpoint.STANDARD: sms,
    Endpoint.TRANSACTIONAL: transactional,
    Endpoint.OTP: otp,
    Endpoint.VIBER_OTP: viber_otp,
}
ENDPOINTS = tuple(KINDS)
PATHS = frozenset({b"/failover", b"/failover/transactional", b"/failover-otp/otp/send-failover", b"/viber/otp"})
"""Where messages are posted, as Routee documents it."""


def new_number() -> str:
    """A recipient that no other message of this process has."""
    return f"+3069{next(_counted):08d}"


def new_flow(endpoint: Endpoint = Endpoint.STANDARD) -> AnyFlow:
    """A message of its own."""
    return KINDS[endpoint](new_number())


def new_flows(count: int) -> Iterator[AnyFlow]:
    """So many messages, of all endpoints in turn."""
    for endpoint in itertools.islice(itertools.cycle(ENDPOINTS), count):
        yield new_flow(endpoint)


def new_call() -> StandardFlow:
    """A call, which has no time to live, so that a deadline of any length leaves enough for it."""
    said = Say(message=Speech(text=WORDS, language="en-US"))
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
