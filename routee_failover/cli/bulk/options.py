"""Command-line options that several bulk commands share, and their parsers."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from ...bulk.reconciliation import UnknownPolicy
from ...errors import InvalidSource
from ..time_args import DURATION_FORMATS, parse_duration
from .run_config import RunOptions

LedgerArgument = Annotated[str, typer.Argument(metavar="RUN.sqlite", help="Ledger of the run.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
RecoverOption = Annotated[
    bool,
    typer.Option(
        "--recover",
        help="Open a ledger that has lost data, such as its log. Routee is asked about every row that is missing in it "
        "before that row is sent.",
    ),
]
RateOption = Annotated[
    float | None,
    typer.Option(metavar="N", help="Rate limit: maximum messages per second.", show_default=False),
]
ConcurrencyOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Maximum messages in flight. Default: 100.", show_default=False),
]
HoursOption = Annotated[
    str | None,
    typer.Option(
        metavar="09:00-20:00",
        help="Send window: send only within these hours of each recipient's local time. Also on certain days: "
        "'mon-fri 09:00-20:00'.",
        show_default=False,
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help=f"Drop a message (expired) if it is not sent within this time after its send began: {DURATION_FORMATS}.",
        show_default=False,
    ),
]
UnknownOption = Annotated[
    UnknownPolicy | None,
    typer.Option(
        help="What to do with messages whose outcome is unknown. keep: list them. reconcile (default): ask Routee, and "
        "resend those that it provably did not accept. resend: also resend the rest, once; these may arrive twice.",
        show_default=False,
    ),
]
ReconcileAfterOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Time after which a message that Routee's search does not find counts as not accepted. Default: the "
        "flow's ttl plus one minute, between 2m and 10m.",
        show_default=False,
    ),
]

SuppressOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Suppression list: send nothing to the numbers in this file. One number per line, or CSV, JSON Lines or "
        "Parquet with a column of numbers. Repeatable.",
        show_default=False,
    ),
]
MaxMessagesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Maximum messages of this run, including its resumes; 'all' removes an earlier limit.",
        show_default=False,
    ),
]


def parse_duration_option(option: str, text: str | None) -> timedelta | None:
    """Parse a duration option. Raises `InvalidSource` if it is invalid."""
    try:
        return None if text is None else parse_duration(text)
    except ValueError:
        raise InvalidSource(f"--{option} takes a duration, such as {DURATION_FORMATS}; nothing was sent") from None


def parse_max_messages(text: str | None) -> int | None:
    """Parse --max-messages; 0 is no limit. Raises `InvalidSource` if it is invalid."""
    if text is None or text == "all":
        return None if text is None else 0
    if not (text.isascii() and text.isdigit() and len(text) <= 15 and int(text)):
        raise InvalidSource("--max-messages takes a whole number of at least 1, or all; nothing was sent")
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
    """Return the options of a command. Raises `InvalidSource` if one is invalid."""
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
