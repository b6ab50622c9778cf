"""What a send that was not accepted ended in, as the error that says so."""

from ._wire.redaction import collect_secrets
from ._wire.responses import parse_rejection, redact_rejection
from ._wire.routes import correlation
from .errors import ConnectFailed, DeliveryUnknown, Outcome, Rejected, RouteeError
from .flows import AnyFlow
from .outcomes import AttemptResult, Response


def error_for_receipt(flow: AnyFlow, response: Response, receipt: Rejected | str) -> RouteeError:
    """The error of a send whose answer has a status that accepts, and a body that does not, or that cannot be read."""
    if isinstance(receipt, Rejected):
        return redact_rejection(receipt, collect_secrets(flow))
    return _unknown(flow, f"Routee answered {response.status}, but its answer {receipt}: probably accepted")


def error_for_outcome(flow: AnyFlow, outcome: Outcome, result: AttemptResult) -> RouteeError:
    """The error of a send that was not accepted."""
    answer = result.response
    if outcome is Outcome.NOT_SENT:
        return ConnectFailed(f"{result.reason}; nothing was sent")
    if answer is None or outcome is Outcome.UNKNOWN:
        return _unknown(flow, result.summary)
    ending = "; the message was not accepted"
    return parse_rejection(answer.status, answer.retry_after, answer.body, suffix=ending, secrets=collect_secrets(flow))


def _unknown(flow: AnyFlow, cause: str) -> DeliveryUnknown:
    return DeliveryUnknown(
        f"{cause}; Routee may have accepted the message, so it must not be sent again before that is known",
        reason=cause,
        correlation=correlation(flow),
    )
