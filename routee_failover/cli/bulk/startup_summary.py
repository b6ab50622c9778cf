"""Startup summary of a run: its rows, its limits and the balance of the account."""

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
"""Maximum seconds to wait for the balance."""


async def fetch_balance(config: Config) -> Balance | None:
    """Return the balance, or `None` if the account may not see it or it does not arrive in time.

    It has its own client, whose throttle pause or circuit breaker delays no message.
    """
    with contextlib.suppress(RouteeError, TimeoutError):
        async with asyncio.timeout(BALANCE_TIMEOUT), RouteeClient(config) as routee:
            return await routee.balance()
    return None


class StartupInfo(NamedTuple):
    """What is known about a run before its first message."""

    total: int
    already_done: int | None
    """Number of rows that an earlier run finished; `None` for a new run."""
    suppression_list: SuppressionList | None
    balance: Balance | None
    note: str | None
    """Warning about the flow."""


def print_startup(
    display: ProgressDisplay, console: Terminal, config: RunConfig, ledger: str, info: StartupInfo
) -> None:
    """Print the startup summary, or the event `started`."""
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
        console.print_line(f"Resuming an earlier run: {format_number(info.already_done)} rows are already done.")
    if suppressed is not None:
        numbers = "number" if len(suppressed) == 1 else "numbers"
        console.print_line(f"Suppression list: {format_number(len(suppressed))} {numbers}, to which nothing is sent.")
    if limit is not None:
        console.print_line(
            f"At most {format_number(limit)} messages are sent (--max-messages), including those of earlier runs."
        )
    if balance is not None and balance.amount is not None:
        console.print_line(f"Account balance: {balance.amount:,.2f} {printable(balance.currency or '')}".rstrip() + ".")
    if note is not None:
        console.print_line((note, "yellow"))


def run_title(config: RunConfig, ledger: str) -> str:
    """Return a title for the run."""
    return f"{printable(config.recipients.name)} as {config.endpoint}, ledger {printable(ledger)}"
