"""A flow as the call that sends it: its route, its body, and until when its first byte may leave."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from ._transport import ApiRequest
from ._wire import encode_flow
from ._wire.routes import ROUTES
from .errors import InvalidFlow, Problem
from .flows import AnyFlow, Endpoint, OtpFlow, StandardFlow, TransactionalFlow, ViberOtpMessage
from .flows.deadline import fit_to_deadline
from .secret import SecretBytes

_OTP = frozenset({Endpoint.OTP, Endpoint.VIBER_OTP})
# A tuple: a union is made anew, and looked through more slowly, each time that it is asked.
_FLOWS = (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
_LONGER_THAN_ANY_TTL = 1e9
"""Seconds. A `timedelta` cannot hold every number of them that comes of adding and subtracting times."""

SendGuard = Callable[[], bool]
"""Asked right before the first byte of a message leaves. It must not block, and must not raise."""


def build_request(flow: AnyFlow, deadline: timedelta | None, should_send: SendGuard | None) -> ApiRequest:
    """The call that sends a flow. Raises `InvalidFlow` for what is none, and for a deadline that is no `timedelta`."""
    if not isinstance(flow, _FLOWS):
        raise InvalidFlow(
            "send", [Problem((), f"takes a flow, not {type(flow).__name__}; load_flow() makes one of JSON")]
        )
    endpoint = flow.endpoint
    route = ROUTES[endpoint]
    call = ApiRequest("POST", route.path, encode_flow(flow), otp=endpoint in _OTP, classify_body=route.classify_body)
    if deadline is not None:
        _limit(call, flow, deadline)
    if should_send is not None:
        call.should_send = should_send
    return call


def _limit(call: ApiRequest, flow: AnyFlow, deadline: timedelta) -> None:
    """Give a call its deadline, and a body that shrinks with the time that is left."""
    if not isinstance(deadline, timedelta):
        why = f"must be a timedelta from now, such as timedelta(minutes=2), not {type(deadline).__name__}"
        raise InvalidFlow("send", [Problem(("deadline",), why)])

    def body_within(seconds: float) -> SecretBytes | None:
        fitting = fit_to_deadline(flow, timedelta(seconds=min(seconds, _LONGER_THAN_ANY_TTL)))
        return None if fitting is None else encode_flow(fitting)

    call.deadline = asyncio.get_running_loop().time() + deadline.total_seconds()
    call.body_factory = body_within
