"""Whatever ends a command early, told in a few lines on stderr: what happened, what was sent, what to do.

No traceback is ever shown, because the lines of one may quote a PIN.
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
    """What is true of the message, should the command end right now."""

    outcome: Outcome = Outcome.NOT_SENT
    state_text: str = "nothing was sent"
    not_found_hint: str = "Compare the ids of the sender and the template with Routee's platform."
    """What to do about a 404."""
    resume_command: str = ""
    """The command that goes on, where many messages are sent and some of them were."""

    def mark_sending(self) -> None:
        """From here on nobody knows until an answer comes."""
        self.outcome = Outcome.UNKNOWN
        self.state_text = "Routee may have accepted it, so do not send it again before you know"

    def mark_accepted(self, track_command: str) -> None:
        """Routee took it; `follow` is the command that tracks it."""
        self.outcome = Outcome.ACCEPTED
        self.state_text = f"it was sent and accepted; follow it with: {track_command}"


@contextmanager
def handle_errors(context: ErrorContext) -> Iterator[None]:
    """End the command with a documented exit status, and say why, whatever happens inside."""
    try:
        yield
    except RouteeError as error:
        lines, status = [*error_lines(error), *_advice(error, context)], exit_code_for_error(error)
        if context.resume_command:
            lines.append(f"Some may have been sent before that. Go on with: {context.resume_command}")
            status = ExitCode.NOT_SENT if status is ExitCode.USAGE_ERROR else status
    except KeyboardInterrupt:
        lines, status = [f"interrupted; {context.state_text}"], ExitCode.INTERRUPTED
    except (OutputClosed, BrokenPipeError):
        lines = [f"whoever read the output went away; {context.state_text}"]
        status = ExitCode.OK if context.outcome is Outcome.ACCEPTED else ExitCode.OUTPUT_CLOSED
    except OSError as error:
        lines, status = (
            [f"input or output failed ({error.strerror}); {context.state_text}"],
            exit_code_for_outcome(context.outcome),
        )
    except Exception as error:  # noqa: BLE001  # a bug of ours; its text and its traceback may quote a PIN
        lines, status = _bug(error, context), exit_code_for_outcome(context.outcome)
    else:
        return
    print_error(lines)
    raise typer.Exit(status)


def error_lines(error: RouteeError) -> list[str]:
    """What happened, in lines; the problems of a flow have one each."""
    if isinstance(error, InvalidFlow | InvalidSearch):
        many = f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}"
        nothing = "nothing was sent" if isinstance(error, InvalidFlow) else "nobody was asked"
        return [f"{printable(error.subject)}: {many}; {nothing}", *(str(problem) for problem in error.problems)]
    return [str(error)]


def _advice(error: RouteeError, context: ErrorContext) -> list[str]:
    """What to do about it."""
    match error:
        case TokenUnavailable(status=401):
            return ["Set ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET to those of your application."]
        case TokenUnavailable(status=None) | ConnectFailed():
            return ["Is ROUTEE_API_URL right, and ROUTEE_AUTH_URL? Trying again is safe."]
        case NotSent():
            return ["Trying again is safe."]
        case NotFound():
            return [context.not_found_hint]
        case SandboxError() | InvalidConfig() if str(error).startswith("cannot listen"):
            return ["Another --port may be free; --port 0 takes one that is."]
        case InvalidConfig() if str(error).startswith("--listen: cannot listen"):
            return ["Another port may be free: name it with --listen HOST:PORT, and lead --callbacks URL there."]
        case RateLimited(retry_after=float(seconds)):
            return [f"Routee asks for a pause of {seconds:.0f} seconds."]
        case DeliveryUnknown(correlation=known) if known:
            return ["Look it up by " + ", ".join(f"{name} {value}" for name, value in known.items()) + "."]
        case _:
            return []


def _bug(error: Exception, context: ErrorContext) -> list[str]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return [
        f"this should not happen: {type(error).__name__} at {place}:{last.lineno}; {context.state_text}",
        "Please report that line. No more is shown, because it might quote a PIN.",
    ]
