"""Build the API request that sends a flow: its route, its body and its deadline."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ._hooks import hook_problem, is_awaitable
from ._transport import ApiRequest
from ._wire import encode_flow
from ._wire.routes import ROUTES
from .errors import DeadlinePassed, InvalidFlow, NotSent, Problem
from .flows import AnyFlow, Endpoint, OtpFlow, RawFlow, StandardFlow, TransactionalFlow, ViberOtpMessage
from .flows.deadline_fitting import fit_to_deadline
from .secret import SecretBytes

_OTP_ENDPOINTS = frozenset({Endpoint.OTP, Endpoint.VIBER_OTP})
# A tuple: a union is built again, and searched more slowly, in each isinstance().
_FLOW_TYPES = (StandardFlow, TransactionalFlow, OtpFlow, ViberOtpMessage, RawFlow)
_LONGER_THAN_ANY_TTL = 1e9
"""Seconds. A `timedelta` cannot hold every number of seconds that results from arithmetic with times."""

SendGuard = Callable[[], bool]
"""Called right before the first byte of a message leaves, in each attempt. It must not block, and must not raise."""


class GuardedSend:
    """A `should_send` that stops the message if it raises, and keeps the error for the caller.

    Raised within the attempt, the error would be taken for one of the connection. Its traceback begins in the hook: the
    frames above it hold the message.
    """

    __slots__ = ("_should_send", "error")

    def __init__(self, should_send: SendGuard) -> None:
        self._should_send = should_send
        self.error: BaseException | None = None

    def __call__(self) -> bool:
        """Return whether the message may leave."""
        try:
            wanted: Any = self._should_send()
            if wanted is True or wanted is False:
                return wanted
            if is_awaitable(wanted):
                raise TypeError("should_send returned an awaitable instead of True or False")  # noqa: TRY301
            return bool(wanted)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # whatever it is, it must stop the message
            self.error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            return False


def build_request(flow: AnyFlow, deadline: timedelta | None, should_send: SendGuard | None) -> ApiRequest:
    """Return the request that sends a flow.

    Raises `InvalidFlow` if `flow` is not a flow, `deadline` not a `timedelta`, or `should_send` not a plain function.
    """
    if not isinstance(flow, _FLOW_TYPES):
        raise InvalidFlow(
            "send", [Problem((), f"takes a flow, not {type(flow).__name__}; load_flow() makes one from JSON")]
        )
    problem = None if should_send is None else hook_problem(should_send)
    if problem is not None:
        raise InvalidFlow("send", [Problem(("should_send",), problem)])
    endpoint = flow.endpoint
    route = ROUTES[endpoint]
    request = ApiRequest(
        "POST",
        route.path,
        encode_flow(flow),
        otp=endpoint in _OTP_ENDPOINTS,
        read_receipt=route.read_receipt,
        should_send=None if should_send is None else GuardedSend(should_send),
    )
    if deadline is not None:
        _set_deadline(request, flow, deadline)
    return request


def _set_deadline(request: ApiRequest, flow: AnyFlow, deadline: timedelta) -> None:
    """Set the deadline of a request, and a body whose ttls are shortened to the time left when it leaves.

    Raises `DeadlinePassed` if there is too little time from the start: nothing is connected for such a message.
    """
    if not isinstance(deadline, timedelta):
        reason = f"must be a timedelta from now, such as timedelta(minutes=2), not {type(deadline).__name__}"
        raise InvalidFlow("send", [Problem(("deadline",), reason)])

    if fit_to_deadline(flow, min(deadline, timedelta(seconds=_LONGER_THAN_ANY_TTL))) is None:
        raise DeadlinePassed("the deadline leaves too little time for the ttl of the message; nothing was sent")
    body = request.body  # by itself: a factory that held its request would be a reference cycle for each send

    def body_factory(seconds: float) -> SecretBytes | None:
        fitted = fit_to_deadline(flow, timedelta(seconds=min(seconds, _LONGER_THAN_ANY_TTL)))
        if fitted is flow:
            return body
        return None if fitted is None else encode_flow(fitted)

    request.deadline = asyncio.get_running_loop().time() + deadline.total_seconds()
    request.wall_deadline = time.time() + deadline.total_seconds()
    request.body_factory = body_factory


def error_of_hook(request: ApiRequest) -> NotSent | None:
    """Return the error of a send that its `should_send` stopped by raising; `None` if it returned false."""
    guard = request.should_send
    if not isinstance(guard, GuardedSend) or guard.error is None:
        return None
    error = NotSent(f"should_send raised {type(guard.error).__name__}; nothing was sent")
    error.__cause__ = guard.error
    return error
