"""`routee-failover bulk`: many messages out of a file, each sent once, and what became of them."""

import typer

from ..exit_codes import BULK_FILE_EXIT_CODES, BULK_RUN_EXIT_CODES
from ..usage_errors import Command
from .export import export
from .reconcile import reconcile
from .report import report
from .resume import resume
from .run import run
from .status import status

bulk: typer.Typer = typer.Typer(
    name="bulk",
    help="Send a message to each of many, once, and see what became of them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for _command in (run, resume, status, reconcile, export, report):
    bulk.command(cls=Command, epilog=BULK_FILE_EXIT_CODES if _command in {export, report} else BULK_RUN_EXIT_CODES)(
        _command
    )
