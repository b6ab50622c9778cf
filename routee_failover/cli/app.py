"""The typer application: all commands, and the start and the exit of the process."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from .balance import balance
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
from .templates import templates
from .terminal import Terminal, escape_unencodable, flush_or_discard
from .track import track
from .usage_messages import Command

app: typer.Typer = typer.Typer(
    name="routee-failover",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    # `error_output` prints errors; typer's own tracebacks print local variables, and a PIN may be one.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=PROGRAM_EXIT_CODES,
)
for _command, _exit_codes in (
    (balance, QUERY_EXIT_CODES),
    (demo, SERVER_EXIT_CODES),
    (sandbox, SERVER_EXIT_CODES),
    (search, QUERY_EXIT_CODES),
    (send, SEND_EXIT_CODES),
    (templates, QUERY_EXIT_CODES),
    (track, TRACK_EXIT_CODES),
):
    app.command(cls=Command, epilog=_exit_codes)(_command)
app.add_typer(bulk)
app.add_typer(callbacks)


def _show_version(requested: bool) -> None:
    if requested:
        with handle_errors(ErrorContext()):
            Terminal().print_line(f"routee-failover {version('routee-failover')}")
        raise typer.Exit


@app.callback()
def program(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Send messages through Routee that fail over from Viber to SMS to Voice, and track them.

    Start here. No account is needed, and nothing leaves this machine:
      [cyan]routee-failover demo[/]
    """


def main() -> int:
    """Run the command that this process's arguments name, and return its exit code."""
    escape_unencodable()
    try:
        app(prog_name="routee-failover")
    except SystemExit as exit_request:
        return exit_request.code if isinstance(exit_request.code, int) else ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        flush_or_discard(sys.stdout)
        flush_or_discard(sys.stderr)
    return ExitCode.OK
