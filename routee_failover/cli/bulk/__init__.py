"""`routee-failover bulk`: sends one message for each row of a file, each once, and reports the results."""

import typer

from ..exit_codes import BULK_FILE_EXIT_CODES, BULK_RUN_EXIT_CODES
from ..usage_messages import Command
from .export import export
from .reconcile import reconcile
from .report import report
from .resume import resume
from .run import run
from .status import status

bulk: typer.Typer = typer.Typer(
    name="bulk",
    help="Send one message for each row of a file, each once, and track the results.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for _command in (run, resume, status, reconcile, export, report):
    bulk.command(cls=Command, epilog=BULK_FILE_EXIT_CODES if _command in {export, report} else BULK_RUN_EXIT_CODES)(
        _command
    )
