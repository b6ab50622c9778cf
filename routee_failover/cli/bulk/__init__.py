"""`routee-failover bulk`: many messages out of a file, each sent once, and what became of them."""

import typer

from ..status import OF_A_FILE, OF_A_RUN
from ..usage import Command
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
    bulk.command(cls=Command, epilog=OF_A_FILE if _command in {export, report} else OF_A_RUN)(_command)
