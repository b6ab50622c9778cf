"""What a send that was not accepted ended in, as the error that says so."""

from .errors import ConnectFailed, DeliveryUnknown, Outcome, Rejected, RouteeError
from .flows import AnyFlow
from .outcomes import AttemptResult, Response
from .wire.answers import read_refusal, without_secrets
from .wire.routes import correlation, secrets_of


def error_for_receipt(flow: AnyFlow, response: Response, receipt: Rejected | str) -> RouteeError:
    """The error of a send whose answer has a status that accepts, and a body that does not, or that cannot be read."""
    if isinstance(receipt, Rejected):
        return without_secrets(receipt, secrets_of(flow))
    return _unknown(flow, f"Routee answered {response.status}, but its answer {receipt}: probably accepted")


def error_for_outcome(flow: AnyFlow, outcome: Outcome, result: AttemptResult) -> RouteeError:
    """The error of a send that was not accepted."""
    answer = result.response
    if outcome is Outcome.NOT_SENT:
        return ConnectFailed(f"{result.reason}; nothing was sent")
    if answer is None or outcome is Outcome.UNKNOWN:
        return _unknown(flow, result.summary)
    ending = "; the message was not accepted"
    return read_refusal(answer.status, answer.retry_after, answer.body, ending=ending, secrets=secrets_of(flow))


def _unknown(flow: AnyFlow, cause: str) -> DeliveryUnknown:
    return DeliveryUnknown(
        f"{cause}; Routee may have accepted the message, so it must not be sent again before that is known",
        reason=cause,
        correlation=correlation(flow),
    )
