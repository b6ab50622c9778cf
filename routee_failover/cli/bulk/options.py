"""The options that several commands take, each written once, and what their words mean."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from ...bulk.reconciliation import UnknownPolicy
from ...errors import InvalidSource
from ..time_args import DURATION_FORMATS, parse_duration
from .run_config import RunOptions

LedgerArgument = Annotated[
    str, typer.Argument(metavar="RUN.sqlite", help="The ledger that the run is kept in.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
RecoverOption = Annotated[
    bool,
    typer.Option(
        "--recover",
        help="Open a ledger that has lost something, such as its log, and ask Routee about every row that it does not "
        "hold before that row is sent.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(metavar="N", help="Begin so many messages a second at most.", show_default=False),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Have so many under way at once; 100 if not given.", show_default=False),
]
HoursOption = Annotated[
    str | None,
    typer.Option(
        metavar="09:00-20:00",
        help="Send between these times only, by the clock of each recipient's country.",
        show_default=False,
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help=f"Drop a message that is not sent so long after its turn: {DURATION_FORMATS}.",
        show_default=False,
    ),
]
UnknownOption = Annotated[
    UnknownPolicy | None,
    typer.Option(
        help="What to do with a message of which nobody knows whether Routee took it: leave it so; ask Routee, and "
        "send it again where that proves that it was not taken (the usual); or send it again in any case, maybe twice.",
        show_default=False,
    ),
]
ReconcileAfterOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long Routee's search gets to find a message, before that it finds none proves anything; if not "
        "given, the flow's time to live and a minute, from 2m to 10m.",
        show_default=False,
    ),
]

SuppressOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Never write to the numbers in this file: one a line, or a CSV, JSON lines or Parquet file with a column "
        "of them. May be repeated.",
        show_default=False,
    ),
]
MaxMessagesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Send at most N messages in this run, all its resumes included; all lifts an earlier limit.",
        show_default=False,
    ),
]


def parse_duration_option(option: str, text: str | None) -> timedelta | None:
    """The length of time that an option says. Raises `InvalidSource` for words that say none."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        raise InvalidSource(
            f"--{option} takes a length of time, such as {DURATION_FORMATS}; nothing was sent"
        ) from None


def parse_max_messages(text: str | None) -> int | None:
    """The most messages that --max-messages allows, 0 for all of them. Raises `InvalidSource` for what is no number."""
    if text is None or text == "all":
        return None if text is None else 0
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text)):
        raise InvalidSource("--max-messages takes a whole number from 1, or all; nothing was sent")
    return int(text)


def build_options(
    *,
    rate: float | None = None,
    concurrency: int | None = None,
    hours: str | None = None,
    deadline: str | None = None,
    unknown: UnknownPolicy | None = None,
    reconcile_after: str | None = None,
    callbacks: str | None = None,
    listen: str | None = None,
    suppress: list[str] | None = None,
    max_messages: str | None = None,
) -> RunOptions:
    """The options as they were given. Raises `InvalidSource` for words that mean nothing."""
    return RunOptions(
        rate=rate,
        concurrency=concurrency,
        hours=hours,
        deadline=parse_duration_option("deadline", deadline),
        unknown=unknown,
        reconcile_after=parse_duration_option("reconcile-after", reconcile_after),
        callbacks=callbacks,
        listen=listen,
        suppress=tuple(str(Path(file).absolute()) for file in suppress or ()),
        max_messages=parse_max_messages(max_messages),
    )
