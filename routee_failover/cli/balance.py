"""`routee-failover balance`: prints the balance of the account."""

import asyncio
from typing import Annotated

import typer

from ..client import RouteeClient
from ..config import Config
from ..records import Balance
from .error_output import ErrorContext, handle_errors
from .record_formats import format_json
from .terminal import Terminal, printable


def balance(
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's response.")] = False,
) -> None:
    """Show the balance of the account. Read-only.

    Example: [cyan]routee-failover balance[/]
    """
    with handle_errors(ErrorContext(state_text="nothing was changed", not_found_hint="Check ROUTEE_API_URL.")):
        console = Terminal()
        found = asyncio.run(_balance(Config.from_env()))
        if as_json:
            console.print_line(format_json(found.raw, ascii_only=not console.encoding.startswith("utf"), indent=2))
        elif found.amount is None:
            console.print_line("Routee's response has no balance; --json prints all of it.")
        else:
            console.print_line(printable(f"{found.amount} {found.currency or ''}".strip()))


async def _balance(config: Config) -> Balance:
    async with RouteeClient(config) as routee:
        return await routee.balance()
