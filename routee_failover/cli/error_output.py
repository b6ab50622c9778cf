"""Error output: what ended a command, whether anything was sent, and what to do, in a few lines on stderr.

No traceback is ever printed, because its lines may quote a PIN.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import typer

from ..errors import (
    ConnectFailed,
    DeliveryUnknown,
    InvalidConfig,
    InvalidFlow,
    InvalidSearch,
    NotFound,
    NotSent,
    Outcome,
    RateLimited,
    RouteeError,
    TokenUnavailable,
)
from ..sandbox import SandboxError
from .exit_codes import ExitCode, exit_code_for_error, exit_code_for_outcome
from .terminal import OutputClosed, print_error, printable


@attrs.define
class ErrorContext:
    """What is known about the message if the command ends now."""

    outcome: Outcome = Outcome.NOT_SENT
    state_text: str = "nothing was sent"
    not_found_hint: str = "Compare the ids of the sender and the template with Routee's platform."
    """Hint for a 404."""
    resume_command: str = ""
    """Command that resumes a bulk run, once some of its messages may have been sent."""

    def mark_sending(self) -> None:
        """Record that the outcome is unknown until a response arrives."""
        self.outcome = Outcome.UNKNOWN
        self.state_text = "Routee may have accepted it; do not send it again until you know"

    def mark_accepted(self, track_command: str) -> None:
        """Record that Routee accepted it; `track_command` tracks it."""
        self.outcome = Outcome.ACCEPTED
        self.state_text = f"it was sent and accepted; track it with: {track_command}"


@contextmanager
def handle_errors(context: ErrorContext) -> Iterator[None]:
    """Exit with a documented exit code and print the reason, whatever the block raises."""
    try:
        yield
    except RouteeError as error:
        lines, exit_code = [*error_lines(error), *_hint_lines(error, context)], exit_code_for_error(error)
        if context.resume_command:
            lines.append(f"Some messages may have been sent before that. Resume with: {context.resume_command}")
            exit_code = ExitCode.NOT_SENT if exit_code is ExitCode.USAGE_ERROR else exit_code
    except KeyboardInterrupt:
        lines, exit_code = [f"interrupted; {context.state_text}"], ExitCode.INTERRUPTED
    except (OutputClosed, BrokenPipeError):
        lines = [f"the reader closed the output; {context.state_text}"]
        exit_code = ExitCode.OK if context.outcome is Outcome.ACCEPTED else ExitCode.OUTPUT_CLOSED
    except OSError as error:
        lines, exit_code = (
            [f"input or output failed ({error.strerror}); {context.state_text}"],
            exit_code_for_outcome(context.outcome),
        )
    except Exception as error:  # noqa: BLE001  # a bug of ours; its text and its traceback may quote a PIN
        lines, exit_code = _internal_error_lines(error, context), exit_code_for_outcome(context.outcome)
    else:
        return
    print_error(lines)
    raise typer.Exit(exit_code)


def error_lines(error: RouteeError) -> list[str]:
    """Return what happened, as lines; each problem of a flow has its own."""
    if isinstance(error, InvalidFlow | InvalidSearch):
        count = f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}"
        proof = "nothing was sent" if isinstance(error, InvalidFlow) else "no request was made"
        return [f"{printable(error.subject)}: {count}; {proof}", *(str(problem) for problem in error.problems)]
    return [str(error)]


def _hint_lines(error: RouteeError, context: ErrorContext) -> list[str]:
    """Return what to do about an error, as lines."""
    match error:
        case TokenUnavailable(status=401):
            return ["Set ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET to those of your application."]
        case TokenUnavailable(status=None) | ConnectFailed():
            return ["Check ROUTEE_API_URL and ROUTEE_AUTH_URL. It is safe to try again."]
        case NotSent():
            return ["It is safe to try again."]
        case NotFound():
            return [context.not_found_hint]
        case SandboxError() | InvalidConfig() if str(error).startswith("cannot listen"):
            return ["Choose another --port, or --port 0 for any free port."]
        case InvalidConfig() if str(error).startswith("--listen: cannot listen"):
            return ["Choose another port with --listen HOST:PORT, and route --callbacks URL to it."]
        case RateLimited(retry_after=float(seconds)):
            return [f"Routee asks to wait {seconds:.0f} seconds."]
        case DeliveryUnknown(correlation=known) if len(known) > 1:  # an endpoint alone finds nothing
            return ["Look it up by " + ", ".join(f"{name} {value}" for name, value in known.items()) + "."]
        case _:
            return []


def _internal_error_lines(error: Exception, context: ErrorContext) -> list[str]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    location = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return [
        f"internal error: {type(error).__name__} at {location}:{last.lineno}; {context.state_text}",
        "Please report this line. Nothing more is printed, because it might quote a PIN.",
    ]
