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
from .status import Status, status_after, status_of
from .terminal import OutputClosed, clean, complain


@attrs.define
class SoFar:
    """What is true of the message, should the command end right now."""

    outcome: Outcome = Outcome.NOT_SENT
    words: str = "nothing was sent"
    not_found: str = "Compare the ids of the sender and the template with Routee's platform."
    """What to do about a 404."""
    resume: str = ""
    """The command that goes on, where many messages are sent and some of them were."""

    def sending(self) -> None:
        """From here on nobody knows until an answer comes."""
        self.outcome = Outcome.UNKNOWN
        self.words = "Routee may have accepted it, so do not send it again before you know"

    def accepted(self, follow: str) -> None:
        """Routee took it; `follow` is the command that tracks it."""
        self.outcome = Outcome.ACCEPTED
        self.words = f"it was sent and accepted; follow it with: {follow}"


@contextmanager
def told(so_far: SoFar) -> Iterator[None]:
    """End the command with a documented exit status, and say why, whatever happens inside."""
    try:
        yield
    except RouteeError as error:
        lines, status = [*lines_of(error), *_advice(error, so_far)], status_of(error)
        if so_far.resume:
            lines.append(f"Some may have been sent before that. Go on with: {so_far.resume}")
            status = Status.NOT_SENT if status is Status.WRONG else status
    except KeyboardInterrupt:
        lines, status = [f"interrupted; {so_far.words}"], Status.INTERRUPTED
    except (OutputClosed, BrokenPipeError):
        lines = [f"whoever read the output went away; {so_far.words}"]
        status = Status.FINE if so_far.outcome is Outcome.ACCEPTED else Status.OUTPUT_CLOSED
    except OSError as error:
        lines, status = [f"input or output failed ({error.strerror}); {so_far.words}"], status_after(so_far.outcome)
    except Exception as error:  # noqa: BLE001  # a bug of ours; its text and its traceback may quote a PIN
        lines, status = _bug(error, so_far), status_after(so_far.outcome)
    else:
        return
    complain(lines)
    raise typer.Exit(status)


def lines_of(error: RouteeError) -> list[str]:
    """What happened, in lines; the problems of a flow have one each."""
    if isinstance(error, InvalidFlow | InvalidSearch):
        many = f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}"
        nothing = "nothing was sent" if isinstance(error, InvalidFlow) else "nobody was asked"
        return [f"{clean(error.subject)}: {many}; {nothing}", *(str(problem) for problem in error.problems)]
    return [str(error)]


def _advice(error: RouteeError, so_far: SoFar) -> list[str]:
    """What to do about it."""
    match error:
        case TokenUnavailable(status=401):
            return ["Set ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET to those of your application."]
        case TokenUnavailable(status=None) | ConnectFailed():
            return ["Is ROUTEE_API_URL right, and ROUTEE_AUTH_URL? Trying again is safe."]
        case NotSent():
            return ["Trying again is safe."]
        case NotFound():
            return [so_far.not_found]
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


def _bug(error: Exception, so_far: SoFar) -> list[str]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "/".join(last.filename.replace("\\", "/").split("/")[-2:])
    return [
        f"this should not happen: {type(error).__name__} at {place}:{last.lineno}; {so_far.words}",
        "Please report that line. No more is shown, because it might quote a PIN.",
    ]
