"""The exit statuses: what a script may conclude about the message, in the words that every `--help` ends with."""

from enum import IntEnum

from ..errors import (
    InvalidConfig,
    InvalidFlow,
    InvalidSearch,
    InvalidSource,
    LedgerError,
    NoAnswer,
    NotSent,
    Outcome,
    Rejected,
    RouteeError,
    TokenUnavailable,
    WaitTimeout,
)
from ..sandbox import SandboxError


class Status(IntEnum):
    """How a command ends."""

    FINE = 0
    REFUSED = 1
    WRONG = 2
    NOT_SENT = 3
    UNKNOWN = 4
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """128 and the number of SIGPIPE, as the shell tells it of every other program in a pipe."""


EXIT_STATUSES = """[bold]Exit status[/]

  0  fine; of many messages: each was accepted
  1  refused: Routee, or the flow that it started, said no; of many: to some
  2  wrong usage, settings or file: nothing was sent
  3  not sent: sending again is safe; of many: some, bulk resume sends them
  4  unknown: it may have been accepted, do not send it again blindly
130  interrupted (141: whoever read the output went away)"""


def status_of(error: RouteeError) -> Status:
    """The exit status that an error stands for."""
    match error:
        case InvalidConfig() | InvalidFlow() | InvalidSearch() | InvalidSource() | LedgerError() | SandboxError():
            return Status.WRONG
        case TokenUnavailable(status=400 | 401 | 403):
            return Status.WRONG  # the credentials are: sending again with the same ones would end the same way
        case Rejected():
            return Status.REFUSED
        case NotSent() | NoAnswer():
            return Status.NOT_SENT
        case WaitTimeout():
            return Status.UNKNOWN  # accepted, and nobody knows yet what will become of it
        case _:
            return status_after(error.outcome)


def status_after(outcome: Outcome) -> Status:
    """The exit status of a command that ends early, by what is proven about its message."""
    return {Outcome.ACCEPTED: Status.FINE, Outcome.REJECTED: Status.REFUSED, Outcome.NOT_SENT: Status.NOT_SENT}.get(
        outcome, Status.UNKNOWN
    )
