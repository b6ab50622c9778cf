"""The commands in one program, and how the process begins and ends."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from .bulk import bulk
from .callbacks import callbacks
from .demo import demo
from .failures import SoFar, told
from .sandbox import sandbox
from .search import search
from .send import send
from .status import OF_A_MESSAGE, OF_A_QUESTION, OF_A_SERVICE, OF_THE_PROGRAM, OF_TRACKING, Status
from .terminal import Terminal, accept_any_text, let_go
from .track import track
from .usage import Command

app: typer.Typer = typer.Typer(
    name="routee-failover",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # Ours are told in `failures`; those of typer print local variables, and a PIN is one.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=OF_THE_PROGRAM,
)
for _command, _statuses in (
    (demo, OF_A_SERVICE),
    (sandbox, OF_A_SERVICE),
    (search, OF_A_QUESTION),
    (send, OF_A_MESSAGE),
    (track, OF_TRACKING),
):
    app.command(cls=Command, epilog=_statuses)(_command)
app.add_typer(bulk)
app.add_typer(callbacks)


def _show_version(wanted: bool) -> None:
    if wanted:
        with told(SoFar()):
            Terminal().say(f"routee-failover {version('routee-failover')}")
        raise typer.Exit


@app.callback()
def program(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Send messages through Routee that fail over from Viber to SMS to Voice, and follow them to their end.

    Start here; no account is needed, everything stays on this machine:
      [cyan]routee-failover demo[/]
    """


def main() -> int:
    """Run the command of this process's arguments and give its exit status."""
    accept_any_text()
    try:
        app(prog_name="routee-failover")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Status.FINE
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    finally:
        let_go(sys.stdout)
        let_go(sys.stderr)
    return Status.FINE
