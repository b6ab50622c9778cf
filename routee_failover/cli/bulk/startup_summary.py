"""What is said before the first message of a run: how many rows, what limits it, and what the account holds."""

import asyncio
import contextlib
from typing import NamedTuple

from ...bulk.suppression import SuppressionList
from ...client import RouteeClient
from ...config import Config
from ...errors import RouteeError
from ...records import Balance
from ..terminal import Terminal, printable
from .display.progress_display import JsonLinesDisplay, ProgressDisplay
from .display.row_counts import format_number
from .run_config import RunConfig

BALANCE_TIMEOUT = 3.0
"""Seconds for which a run waits at most to be told the balance."""


async def fetch_balance(config: Config) -> Balance | None:
    """What the account holds, where it may see that and is told soon.

    It is asked by a client of its own, whose throttle pause or circuit breaker holds no message.
    """
    with contextlib.suppress(RouteeError, TimeoutError):
        async with asyncio.timeout(BALANCE_TIMEOUT), RouteeClient(config) as routee:
            return await routee.balance()
    return None


class StartupInfo(NamedTuple):
    """What is known of a run before its first message."""

    total: int
    already_done: int | None
    """How many rows an earlier run has dealt with, if there was one."""
    suppression_list: SuppressionList | None
    balance: Balance | None
    note: str | None
    """What has to be known of the flow before it is sent."""


def print_startup(
    display: ProgressDisplay, console: Terminal, config: RunConfig, ledger: str, info: StartupInfo
) -> None:
    """Say what begins."""
    suppressed, balance, note = info.suppression_list, info.balance, info.note
    limit = config.options.max_messages or None
    if isinstance(display, JsonLinesDisplay):
        display.emit(
            {
                "event": "started",
                "recipients": str(config.recipients),
                "flow": str(config.flow),
                "endpoint": config.endpoint,
                "service": config.service,
                "total": info.total,
                "resumed": info.already_done is not None,
                "already_done": info.already_done or 0,
                "suppression_list": None if suppressed is None else len(suppressed),
                "max_messages": limit,
                "balance": None if balance is None else {"amount": balance.amount, "currency": balance.currency},
                "note": note,
            }
        )
        return
    console.print_line(
        (f"{run_title(config, ledger)}: {format_number(info.total)} rows, to {printable(config.service)}.", "bold")
    )
    if info.already_done:
        console.print_line(
            f"It goes on with a run that was begun before: {format_number(info.already_done)} rows are dealt with already."
        )
    if suppressed is not None:
        are = "number is" if len(suppressed) == 1 else "numbers are"
        console.print_line(f"{format_number(len(suppressed))} {are} on the suppression list, and not written to.")
    if limit is not None:
        console.print_line(
            f"At most {format_number(limit)} messages are sent (--max-messages), those of earlier runs included."
        )
    if balance is not None and balance.amount is not None:
        console.print_line(
            f"The account holds {balance.amount:,.2f} {printable(balance.currency or '')}".rstrip() + "."
        )
    if note is not None:
        console.print_line((note, "yellow"))


def run_title(config: RunConfig, ledger: str) -> str:
    """A run in a few words."""
    return f"{printable(config.recipients.name)} as {config.endpoint}, kept in {printable(ledger)}"
