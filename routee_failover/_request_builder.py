"""Build the API request that sends a flow: its route, its body and its deadline."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

from ._transport import ApiRequest
from ._wire import encode_flow
from ._wire.routes import ROUTES
from .errors import InvalidFlow, Problem
from .flows import AnyFlow, Endpoint, OtpFlow, StandardFlow, TransactionalFlow, ViberOtpMessage
from .flows.deadline_fitting import fit_to_deadline
from .secret import SecretBytes

_OTP_ENDPOINTS = frozenset({Endpoint.OTP, Endpoint.VIBER_OTP})
# A tuple: a union is built again, and searched more slowly, in each isinstance().
_FLOW_TYPES = (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage)
_LONGER_THAN_ANY_TTL = 1e9
"""Seconds. A `timedelta` cannot hold every number of seconds that results from arithmetic with times."""

SendGuard = Callable[[], bool]
"""Called right before the first byte of a message leaves, in each attempt. It must not block, and must not raise."""


def build_request(flow: AnyFlow, deadline: timedelta | None, should_send: SendGuard | None) -> ApiRequest:
    """Return the request that sends a flow.

    Raises `InvalidFlow` if `flow` is not a flow, or `deadline` is not a `timedelta`.
    """
    if not isinstance(flow, _FLOW_TYPES):
        raise InvalidFlow(
            "send", [Problem((), f"takes a flow, not {type(flow).__name__}; load_flow() makes one from JSON")]
        )
    endpoint = flow.endpoint
    route = ROUTES[endpoint]
    request = ApiRequest(
        "POST",
        route.path,
        encode_flow(flow),
        otp=endpoint in _OTP_ENDPOINTS,
        read_receipt=route.read_receipt,
        should_send=should_send,
    )
    if deadline is not None:
        _set_deadline(request, flow, deadline)
    return request


def _set_deadline(request: ApiRequest, flow: AnyFlow, deadline: timedelta) -> None:
    """Set the deadline of a request, and a body whose ttls are shortened to the time left when it leaves."""
    if not isinstance(deadline, timedelta):
        reason = f"must be a timedelta from now, such as timedelta(minutes=2), not {type(deadline).__name__}"
        raise InvalidFlow("send", [Problem(("deadline",), reason)])

    body = request.body  # by itself: a factory that held its request would be a reference cycle for each send

    def body_factory(seconds: float) -> SecretBytes | None:
        fitted = fit_to_deadline(flow, timedelta(seconds=min(seconds, _LONGER_THAN_ANY_TTL)))
        if fitted is flow:
            return body
        return None if fitted is None else encode_flow(fitted)

    request.deadline = asyncio.get_running_loop().time() + deadline.total_seconds()
    request.wall_deadline = time.time() + deadline.total_seconds()
    request.body_factory = body_factory
