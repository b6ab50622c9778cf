"""The exit statuses: what a script may conclude about the message, in the words that its `--help` ends with."""

from enum import IntEnum

from ..errors import (
    InvalidConfig,
    InvalidFlow,
    InvalidSearch,
    InvalidSource,
    LedgerError,
    NoResponse,
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


def _listed(meanings: dict[Status, str]) -> str:
    lines = [f"{status.value:>3}  {words}" for status, words in meanings.items()]
    return "\n".join(["[bold]Exit status[/]", "", *lines])


_WRONG = "wrong usage, settings or file: nothing was sent"
_INTERRUPTED = "interrupted (141: whoever read the output went away)"
OF_A_MESSAGE = _listed(
    {
        Status.FINE: "accepted",
        Status.REFUSED: "refused: Routee, or the flow that it started, said no",
        Status.WRONG: _WRONG,
        Status.NOT_SENT: "not sent: sending again is safe",
        Status.UNKNOWN: "unknown: it may have been accepted, do not send it again blindly",
        Status.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of `send`."""
OF_A_QUESTION = _listed(
    {
        Status.FINE: "answered, however the messages fared",
        Status.REFUSED: "refused: Routee knows no such id, or the account may not ask",
        Status.WRONG: "wrong usage or settings",
        Status.NOT_SENT: "no answer: asking again is safe",
        Status.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of `search`."""
OF_TRACKING = OF_A_QUESTION.replace(
    "asking again is safe\n", "asking again is safe\n  4  it has not ended within --timeout\n"
)
"""Of `track`."""
OF_A_SERVICE = _listed(
    {
        Status.FINE: "fine, also when Ctrl-C or a signal ended it",
        Status.WRONG: "wrong usage, settings or file",
        Status.NOT_SENT: "input or output failed",
        Status.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of what runs on this machine: the sandbox, its demo, the receiver of callbacks."""
OF_A_RUN = _listed(
    {
        Status.FINE: "every row was accepted, or is on the suppression list",
        Status.REFUSED: "all is done, and some were refused, invalid or expired",
        Status.WRONG: _WRONG,
        Status.NOT_SENT: "some are not sent yet: bulk resume sends them",
        Status.UNKNOWN: "some stay unknown: they may have been accepted",
        Status.INTERRUPTED: "interrupted: bulk resume goes on (141: whoever read the output went away)",
    }
)
"""Of the bulk commands that say how a run stands."""
OF_A_FILE = _listed(
    {
        Status.FINE: "written",
        Status.WRONG: "wrong usage, ledger or file: nothing was changed",
        Status.NOT_SENT: "input or output failed",
        Status.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of the bulk commands that write what a ledger holds."""
OF_THE_PROGRAM = f"{OF_A_MESSAGE}\n\nThat is of send; the help of each command has its own."


def status_of(error: RouteeError) -> Status:
    """The exit status that an error stands for."""
    match error:
        case InvalidConfig() | InvalidFlow() | InvalidSearch() | InvalidSource() | LedgerError() | SandboxError():
            return Status.WRONG
        case TokenUnavailable(status=400 | 401 | 403):
            return Status.WRONG  # the credentials are: sending again with the same ones would end the same way
        case Rejected():
            return Status.REFUSED
        case NotSent() | NoResponse():
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
