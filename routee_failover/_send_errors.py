"""Convert a send that was not accepted into the error that says what is proven."""

from ._transport import ApiRequest
from ._wire.redaction import collect_secrets, header_secrets
from ._wire.responses import parse_rejection, redact_rejection
from ._wire.routes import correlation
from .errors import ConnectFailed, DeliveryUnknown, FlowFailed, Outcome, RouteeError
from .flows import AnyFlow
from .outcomes import AttemptResult
from .secret import safe_copy


def error_for_outcome(
    flow: AnyFlow, request: ApiRequest, outcome: Outcome, result: AttemptResult, receipt: FlowFailed | str | None
) -> RouteeError:
    """Return the error of a send that was not accepted. It shows no content of the flow, and no credentials.

    `receipt` is what the receipt parser of the route returned instead of a receipt, if the status was an accepting one.
    """
    response = result.response
    if isinstance(receipt, FlowFailed):
        return redact_rejection(receipt, _secrets(flow, request))
    if receipt is not None and response is not None:
        return _unknown(flow, f"Routee answered {response.status}, but its response {receipt}: probably accepted")
    if outcome is Outcome.NOT_SENT:
        return _caused(ConnectFailed(f"{result.reason}; nothing was sent"), flow, result)
    if response is None or outcome is Outcome.UNKNOWN:
        return _caused(_unknown(flow, result.summary), flow, result)
    suffix = "; the message was not accepted"
    return parse_rejection(
        response.status, response.retry_after, response.body, suffix=suffix, secrets=_secrets(flow, request)
    )


def _secrets(flow: AnyFlow, request: ApiRequest) -> list[str]:
    return [*collect_secrets(flow), *header_secrets(request.sent_headers)]


def _caused(error: RouteeError, flow: AnyFlow, result: AttemptResult) -> RouteeError:
    """Chain the exception of this process that ended the attempt, if it was one, without secrets of the flow."""
    if result.cause is not None:
        error.__cause__ = safe_copy(result.cause, collect_secrets(flow))
    return error


def _unknown(flow: AnyFlow, reason: str) -> DeliveryUnknown:
    return DeliveryUnknown(
        f"{reason}; Routee may have accepted the message, so it must not be sent again before that is known",
        reason=reason,
        correlation=correlation(flow),
    )
