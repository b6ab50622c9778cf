"""The commands in one program, and how the process begins and ends."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from .bulk import bulk
from .callbacks import callbacks
from .demo import demo
from .error_output import ErrorContext, handle_errors
from .exit_codes import (
    PROGRAM_EXIT_CODES,
    QUERY_EXIT_CODES,
    SEND_EXIT_CODES,
    SERVER_EXIT_CODES,
    TRACK_EXIT_CODES,
    ExitCode,
)
from .sandbox import sandbox
from .search import search
from .send import send
from .terminal import Terminal, escape_unencodable, flush_or_discard
from .track import track
from .usage_errors import Command

app: typer.Typer = typer.Typer(
    name="routee-failover",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # Ours are told in `failures`; those of typer print local variables, and a PIN is one.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=PROGRAM_EXIT_CODES,
)
for _command, _statuses in (
    (demo, SERVER_EXIT_CODES),
    (sandbox, SERVER_EXIT_CODES),
    (search, QUERY_EXIT_CODES),
    (send, SEND_EXIT_CODES),
    (track, TRACK_EXIT_CODES),
):
    app.command(cls=Command, epilog=_statuses)(_command)
app.add_typer(bulk)
app.add_typer(callbacks)


def _show_version(wanted: bool) -> None:
    if wanted:
        with handle_errors(ErrorContext()):
            Terminal().print_line(f"routee-failover {version('routee-failover')}")
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
    escape_unencodable()
    try:
        app(prog_name="routee-failover")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        flush_or_discard(sys.stdout)
        flush_or_discard(sys.stderr)
    return ExitCode.OK
