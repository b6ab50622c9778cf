"""Exit codes: what a script may conclude about the message, and the text of each `--help` about them."""

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
    """Exit code of a command."""

    OK = 0
    REJECTED = 1
    USAGE_ERROR = 2
    NOT_SENT = 3
    UNKNOWN = 4
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """128 plus the number of SIGPIPE, as shells report it for every other program in a pipe."""


def _help_text(meanings: dict[ExitCode, str]) -> str:
    lines = [f"{code.value:>3}  {meaning}" for code, meaning in meanings.items()]
    return "\n".join(["[bold]Exit codes[/]", "", *lines])


_USAGE_ERROR = "wrong usage, settings or file; nothing was sent"
_INTERRUPTED = "interrupted (141: the reader closed the output)"
SEND_EXIT_CODES = _help_text(
    {
        ExitCode.OK: "accepted",
        ExitCode.REJECTED: "rejected by Routee, or the flow failed at once",
        ExitCode.USAGE_ERROR: _USAGE_ERROR,
        ExitCode.NOT_SENT: "not sent; safe to send again",
        ExitCode.UNKNOWN: "unknown: may have been accepted, do not send it again blindly",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Help text of `send`."""
QUERY_EXIT_CODES = _help_text(
    {
        ExitCode.OK: "Routee responded, whatever the status of the messages",
        ExitCode.REJECTED: "rejected, for example because the account has no permission",
        ExitCode.USAGE_ERROR: "wrong usage or settings",
        ExitCode.NOT_SENT: "no response; safe to retry",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Help text of `search`, `templates` and `balance`."""
TRACK_EXIT_CODES = QUERY_EXIT_CODES.replace("rejected, for example because", "rejected: no such id, or").replace(
    "safe to retry\n", "safe to retry\n  4  not final within --timeout\n"
)
"""Help text of `track`."""
SERVER_EXIT_CODES = _help_text(
    {
        ExitCode.OK: "stopped normally, also by Ctrl-C or a signal",
        ExitCode.USAGE_ERROR: "wrong usage, settings or file",
        ExitCode.NOT_SENT: "input or output failed",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Help text of the commands that serve on this machine: the sandbox, its demo, the callback listener."""
BULK_RUN_EXIT_CODES = _help_text(
    {
        ExitCode.OK: "every row was accepted or is on the suppression list",
        ExitCode.REJECTED: "finished; some rows were rejected, invalid or expired",
        ExitCode.USAGE_ERROR: _USAGE_ERROR,
        ExitCode.NOT_SENT: "some rows are not sent yet; bulk resume sends them",
        ExitCode.UNKNOWN: "some outcomes are unknown: the messages may have been accepted",
        ExitCode.INTERRUPTED: "interrupted; bulk resume continues (141: the reader closed the output)",
    }
)
"""Help text of the bulk commands that report on a run."""
BULK_FILE_EXIT_CODES = _help_text(
    {
        ExitCode.OK: "written",
        ExitCode.USAGE_ERROR: "wrong usage, ledger or file; nothing was changed",
        ExitCode.NOT_SENT: "input or output failed",
        ExitCode.INTERRUPTED: _INTERRUPTED,
    }
)
"""Help text of the bulk commands that write the contents of a ledger."""
PROGRAM_EXIT_CODES = f"{SEND_EXIT_CODES}\n\nThese are the exit codes of send; each command's help lists its own."


def exit_code_for_error(error: RouteeError) -> ExitCode:
    """Return the exit code for an error."""
    match error:
        case InvalidConfig() | InvalidFlow() | InvalidSearch() | InvalidSource() | LedgerError() | SandboxError():
            return ExitCode.USAGE_ERROR
        case TokenUnavailable(status=400 | 401 | 403):
            return ExitCode.USAGE_ERROR  # wrong credentials: sending again with the same ones would end the same way
        case Rejected():
            return ExitCode.REJECTED
        case NotSent() | NoResponse():
            return ExitCode.NOT_SENT
        case WaitTimeout():
            return ExitCode.UNKNOWN  # accepted, and not final yet
        case _:
            return exit_code_for_outcome(error.outcome)


def exit_code_for_outcome(outcome: Outcome) -> ExitCode:
    """Return the exit code of a command that ends early, by what is proven about its message."""
    return {
        Outcome.ACCEPTED: ExitCode.OK,
        Outcome.REJECTED: ExitCode.REJECTED,
        Outcome.NOT_SENT: ExitCode.NOT_SENT,
    }.get(outcome, ExitCode.UNKNOWN)
