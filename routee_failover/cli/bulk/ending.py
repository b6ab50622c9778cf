"""The last words of a run: what became of the rows, where the rest is, and the commands for it, ready to be copied."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..status import Status
from ..terminal import Terminal, clean
from .view.tally import Tally, number, span

Line = tuple[str | tuple[str, str], ...]


def command(name: str, ledger: str, *more: str) -> str:
    """A command about this ledger, quoted for a shell."""
    return shlex.join(["routee-failover", "bulk", name, ledger, *more])


def resume_command(tally: Tally, ledger: str) -> str:
    """The command that sends what is left."""
    return command("resume", ledger, *(("--max-messages", "all") if tally.limit_reached else ()))


def status_of_run(tally: Tally, *, interrupted: bool = False) -> Status:
    """How a script may go on: what can be sent yet comes before what cannot be known."""
    if interrupted:
        return Status.INTERRUPTED
    if tally.open:
        return Status.NOT_SENT
    if tally.unknown:
        return Status.UNKNOWN
    return Status.REFUSED if tally.rejected or tally.invalid or tally.expired else Status.FINE


def summary(tally: Tally, ledger: str, refused: Path | None, *, elapsed: float, why: str | None = None) -> list[Line]:
    """The lines of the end. `why` says what ended the run before everything was sent."""
    rows = f" {number(tally.done)} rows are dealt with" if tally.total is None else _of_all(tally)
    head: Line = ((f"{rows}, after {span(elapsed)} of this run.", "bold"),)
    reason: list[Line] = [((f" It ended before all was sent: {clean(why)}.", "yellow"),)] if why else []
    return [head, *reason, *what_to_do(tally, ledger, refused)]


def _of_all(tally: Tally) -> str:
    if tally.accepted == tally.whole:
        return f" All {number(tally.accepted)} are accepted"
    return f" {number(tally.accepted)} of {number(tally.whole or 0)} rows are accepted"


def what_to_do(tally: Tally, ledger: str, refused: Path | None) -> Iterator[Line]:
    """For each kind of row that is not accepted: where to look, and what goes on."""
    if tally.gone:
        are = "message of the ledger is" if tally.gone == 1 else "messages of the ledger are"
        yield ("   ", (f"{number(tally.gone)} ", "bold"), f"{are} not in the source any more.")
    if tally.suppressed:
        are = "is" if tally.suppressed == 1 else "are"
        yield ("   ", (f"{number(tally.suppressed)} ", "bold"), f"{are} on the suppression list, and not written to.")
    if tally.left and tally.left == tally.stranded:
        its = "its row" if tally.left == 1 else "their rows"
        words = f"not sent, and not in the source; put {its} back, and this sends what is not sent, and nothing twice:"
        yield ("   ", (f"{number(tally.left)} ", "bold"), words)
        yield _copy(command("resume", ledger))
    elif tally.left and tally.limit_reached:
        words = "not sent yet because of --max-messages; this sends them all, a larger number some, and nothing twice:"
        yield ("   ", (f"{number(tally.left)} ", "bold"), words)
        yield _copy(resume_command(tally, ledger))
    elif tally.left or tally.under_way:
        many = f"{number(tally.left)} " if tally.left else "Some "
        yield ("   ", (many, "bold"), "not sent yet; this sends them, and nothing twice:")
        yield _copy(command("resume", ledger))
    elif tally.cut_short:
        yield ("   ", ("Some ", "bold"), "may not be sent yet; this finds out and sends them, and nothing twice:")
        yield _copy(command("resume", ledger))
    if tally.unknown:
        yield (
            "   ",
            (f"{number(tally.unknown)} ", "bold magenta"),
            "unknown: Routee may have taken them, so they are not sent again. List them, or ask again:",
        )
        yield _copy(command("export", ledger, "--state", "UNKNOWN"))
        yield _copy(command("reconcile", ledger))
    if tally.rejected or tally.expired:
        many = number(tally.rejected + tally.expired)
        words = "refused by Routee" if not tally.expired else "refused by Routee or expired"
        states = ["--state", "REJECTED"] * bool(tally.rejected) + ["--state", "EXPIRED"] * bool(tally.expired)
        yield ("   ", (f"{many} ", "bold red"), f"{words}; the reasons:")
        yield _copy(command("export", ledger, *states))
    if tally.invalid and refused is not None:
        yield (
            "   ",
            (f"{number(tally.invalid)} ", "bold yellow"),
            "could not be sent as they are; lines and reasons are in:",
        )
        yield ("     ", clean(refused))
    if tally.key_conflicts:
        have = "has" if tally.key_conflicts == 1 else "have"
        words = f"of them {have} the key of a message to another recipient; give each recipient a key of its own."
        yield ("   ", (f"{number(tally.key_conflicts)} ", "bold yellow"), words)
    yield ("   A page with pictures of it all:",)
    yield _copy(command("report", ledger))


def _copy(words: str) -> Line:
    return ("     ", (clean(words), "cyan"))


def show(console: Terminal, lines: Iterable[Line]) -> None:
    """Print them, with room around."""
    console.say()
    for line in lines:
        console.say(*line)
