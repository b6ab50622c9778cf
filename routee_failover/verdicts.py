"""What a send that was not accepted ended in, as the error that says so."""

from .errors import ConnectFailed, DeliveryUnknown, Outcome, Rejected, RouteeError
from .evidence import Answer, Evidence
from .flows import AnyFlow
from .wire.answers import read_refusal, without_secrets
from .wire.routes import correlation, secrets_of


def not_accepted(flow: AnyFlow, answer: Answer, read: Rejected | str) -> RouteeError:
    """The error of a send whose answer has a status that accepts, and a body that does not, or that cannot be read."""
    if isinstance(read, Rejected):
        return without_secrets(read, secrets_of(flow))
    return _unknown(flow, f"Routee answered {answer.status}, but its answer {read}: probably accepted")


def unsent(flow: AnyFlow, outcome: Outcome, evidence: Evidence) -> RouteeError:
    """The error of a send that was not accepted."""
    answer = evidence.answer
    if outcome is Outcome.NOT_SENT:
        return ConnectFailed(f"{evidence.cause}; nothing was sent")
    if answer is None or outcome is Outcome.UNKNOWN:
        return _unknown(flow, evidence.summary)
    ending = "; the message was not accepted"
    return read_refusal(answer.status, answer.retry_after, answer.body, ending=ending, secrets=secrets_of(flow))


def _unknown(flow: AnyFlow, cause: str) -> DeliveryUnknown:
    return DeliveryUnknown(
        f"{cause}; Routee may have accepted the message, so it must not be sent again before that is known",
        cause=cause,
        correlation=correlation(flow),
    )
