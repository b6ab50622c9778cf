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


class ExitCode(IntEnum):
    """How a command ends."""

    OK = 0
    REJECTED = 1
    USAGE_ERROR = 2
    NOT_SENT = 3
    UNKNOWN = 4
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """128 and the number of SIGPIPE, as the shell tells it of every other program in a pipe."""


def _listed(meanings: dict[ExitCode, str]) -> str:
    lines = [f"{status.value:>3}  {words}" for status, words in meanings.items()]
    return "\n".join(["[bold]Exit status[/]", "", *lines])


_WRONG = "wrong usage, settings or file: nothing was sent"
_INTERRUPTED = "interrupted (141: whoever read the output went away)"
SEND_EXIT_CODES = _listed(
    {
        ExitCode.OK: "accepted",
        ExitCode.REJECTED: "refused: Routee, or the flow that it started, said no",
        ExitCode.USAGE_ERROR: _WRONG,
        ExitCode.NOT_SENT: "not sent: sending again is safe",
        ExitCode.UNKNOWN: "unknown: it may have been accepted, do not send it again blindly",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of `send`."""
QUERY_EXIT_CODES = _listed(
    {
        ExitCode.OK: "answered, however the messages fared",
        ExitCode.REJECTED: "refused: Routee knows no such id, or the account may not ask",
        ExitCode.USAGE_ERROR: "wrong usage or settings",
        ExitCode.NOT_SENT: "no answer: asking again is safe",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of `search`."""
TRACK_EXIT_CODES = QUERY_EXIT_CODES.replace(
    "asking again is safe\n", "asking again is safe\n  4  it has not ended within --timeout\n"
)
"""Of `track`."""
SERVER_EXIT_CODES = _listed(
    {
        ExitCode.OK: "fine, also when Ctrl-C or a signal ended it",
        ExitCode.USAGE_ERROR: "wrong usage, settings or file",
        ExitCode.NOT_SENT: "input or output failed",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of what runs on this machine: the sandbox, its demo, the receiver of callbacks."""
BULK_RUN_EXIT_CODES = _listed(
    {
        ExitCode.OK: "every row was accepted, or is on the suppression list",
        ExitCode.REJECTED: "all is done, and some were refused, invalid or expired",
        ExitCode.USAGE_ERROR: _WRONG,
        ExitCode.NOT_SENT: "some are not sent yet: bulk resume sends them",
        ExitCode.UNKNOWN: "some stay unknown: they may have been accepted",
        ExitCode.INTERRUPTED: "interrupted: bulk resume goes on (141: whoever read the output went away)",
    }
)
"""Of the bulk commands that say how a run stands."""
BULK_FILE_EXIT_CODES = _listed(
    {
        ExitCode.OK: "written",
        ExitCode.USAGE_ERROR: "wrong usage, ledger or file: nothing was changed",
        ExitCode.NOT_SENT: "input or output failed",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Of the bulk commands that write what a ledger holds."""
PROGRAM_EXIT_CODES = f"{SEND_EXIT_CODES}\n\nThat is of send; the help of each command has its own."


def exit_code_for_error(error: RouteeError) -> ExitCode:
    """The exit status that an error stands for."""
    match error:
        case InvalidConfig() | InvalidFlow() | InvalidSearch() | InvalidSource() | LedgerError() | SandboxError():
            return ExitCode.USAGE_ERROR
        case TokenUnavailable(status=400 | 401 | 403):
            return ExitCode.USAGE_ERROR  # the credentials are: sending again with the same ones would end the same way
        case Rejected():
            return ExitCode.REJECTED
        case NotSent() | NoResponse():
            return ExitCode.NOT_SENT
        case WaitTimeout():
            return ExitCode.UNKNOWN  # accepted, and nobody knows yet what will become of it
        case _:
            return exit_code_for_outcome(error.outcome)


def exit_code_for_outcome(outcome: Outcome) -> ExitCode:
    """The exit status of a command that ends early, by what is proven about its message."""
    return {
        Outcome.ACCEPTED: ExitCode.OK,
        Outcome.REJECTED: ExitCode.REJECTED,
        Outcome.NOT_SENT: ExitCode.NOT_SENT,
    }.get(outcome, ExitCode.UNKNOWN)
