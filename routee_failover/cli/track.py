"""`routee-failover track ID`: what has become of a message."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from .._wire.flow_file import ENDPOINT_NAMES
from ..client import RouteeClient
from ..config import Config
from ..flows import Endpoint
from ..secret import mask_phone
from .deliveries import AnyRecord, MessageDelivery, deliveries_of, flow_status, status_reason, total_price
from .error_output import ErrorContext, handle_errors
from .follow import ChangePrinter
from .output import format_json
from .terminal import Terminal, printable

_LONGEST = 14 * 24 * 3600.0  # seconds: a Viber OTP may live for so long, and three steps of a flow for three days


def track(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that `send` printed.", show_default=False)],
    endpoint: Annotated[
        Endpoint, typer.Option(metavar="ENDPOINT", help=f"Where it was sent: {ENDPOINT_NAMES}.")
    ] = Endpoint.STANDARD,
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's answer; a PIN in it is masked.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it has ended, and print a line for each change.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.0, max=_LONGEST, help="How many seconds to follow it at most.")
    ] = _LONGEST,
) -> None:
    """Show what has become of a message so far. It changes nothing and may be repeated.

    The exit status is 0 however the message fared. Ctrl-C ends following; the
    message goes on.

    Example: [cyan]routee-failover track --follow 0b7c54e1-4d2a-4a53-9d0e-6f3f7a1c2b3d[/]
    """
    with handle_errors(
        ErrorContext(not_found_hint="An id is known to the endpoint that gave it only: is --endpoint right?")
    ):
        console = Terminal()
        if follow:
            following = ChangePrinter(console, as_json=as_json)
            record = asyncio.run(_follow(Config.from_env(), identity, endpoint, timeout, following.print_changes))
            if as_json:
                return
            console.print()
        else:
            record = asyncio.run(_track(Config.from_env(), identity, endpoint))
        if as_json:
            console.print_line(format_json(record.raw, ascii_only=not console.encoding.startswith("utf"), indent=2))
        else:
            _show(console, identity, record)


async def _track(config: Config, identity: str, endpoint: Endpoint) -> AnyRecord:
    async with RouteeClient(config) as routee:
        return await routee.track(identity, endpoint)


async def _follow(
    config: Config, identity: str, endpoint: Endpoint, seconds: float, is_over: Callable[[AnyRecord], bool]
) -> AnyRecord:
    async with RouteeClient(config) as routee:
        return await routee.wait(identity, endpoint, timeout=seconds, until=is_over)


def _show(console: Terminal, identity: str, record: AnyRecord) -> None:
    facts = {
        "id": identity,
        "status": flow_status(record),
        "reason": status_reason(record),
        "price": total_price(record),
    }
    for name, value in facts.items():
        if value is not None:
            console.print_line((f"{name:<8}", "dim"), printable(value))
    legs = deliveries_of(record)
    if legs:
        console.print()
        console.print(_table(legs))
    else:
        console.print_line("Nothing has left yet.")


def _table(deliveries: tuple[MessageDelivery, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("channel", "status", "detail", "to", "price"):
        table.add_column(name, justify="right" if name == "price" else "left")
    for leg in deliveries:
        to = None if leg.to is None else mask_phone(leg.to)
        channel = leg.channel if leg.part is None else f"{leg.channel} {leg.part}"
        table.add_row(
            *("" if cell is None else printable(cell) for cell in (channel, leg.status, leg.detail, to, leg.price))
        )
    return table
