"""`routee-failover track ID`: prints the status of a flow."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table

from .._wire.flow_document import ENDPOINT_NAMES
from ..client import RouteeClient
from ..config import Config
from ..flows import Endpoint
from ..secret import mask_phone
from .change_printer import ChangePrinter
from .delivery_view import AnyRecord, MessageDelivery, deliveries_of, flow_status, status_reason, total_price
from .error_output import ErrorContext, handle_errors
from .record_formats import format_json
from .terminal import Terminal, printable

_MAX_TIMEOUT = 14 * 24 * 3600.0  # seconds: the maximum ttl of a Viber OTP; three steps of a flow have three days


def track(
    tracking_id: Annotated[str, typer.Argument(metavar="ID", help="Id that `send` printed.", show_default=False)],
    endpoint: Annotated[
        Endpoint, typer.Option(metavar="ENDPOINT", help=f"Endpoint it was sent to: {ENDPOINT_NAMES}.")
    ] = Endpoint.STANDARD,
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's response; only PINs are masked.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for the final status, and print a line for each change.")
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0.0,
            max=_MAX_TIMEOUT,
            help="Maximum time to follow. Default: 14 days.",
            show_default=False,
        ),
    ] = _MAX_TIMEOUT,
) -> None:
    """Show the status of a flow and of each of its messages. Read-only.

    The exit code is 0 whatever the status. Ctrl-C stops following; it does not
    stop the message.

    Example: [cyan]routee-failover track --follow 0b7c54e1-4d2a-4a53-9d0e-6f3f7a1c2b3d[/]
    """
    with handle_errors(ErrorContext(not_found_hint="Only the endpoint that issued an id knows it; check --endpoint.")):
        console = Terminal()
        if follow:
            printer = ChangePrinter(console, as_json=as_json)
            record = asyncio.run(_follow(Config.from_env(), tracking_id, endpoint, timeout, printer.print_changes))
            if as_json:
                return
            console.print()
        else:
            record = asyncio.run(_track(Config.from_env(), tracking_id, endpoint))
        if as_json:
            console.print_line(format_json(record.raw, ascii_only=not console.encoding.startswith("utf"), indent=2))
        else:
            _print_record(console, tracking_id, record)


async def _track(config: Config, tracking_id: str, endpoint: Endpoint) -> AnyRecord:
    async with RouteeClient(config) as routee:
        return await routee.track(tracking_id, endpoint)


async def _follow(
    config: Config, tracking_id: str, endpoint: Endpoint, seconds: float, is_final: Callable[[AnyRecord], bool]
) -> AnyRecord:
    async with RouteeClient(config) as routee:
        return await routee.wait(tracking_id, endpoint, timeout=seconds, until=is_final)


def _print_record(console: Terminal, tracking_id: str, record: AnyRecord) -> None:
    facts = {
        "id": tracking_id,
        "status": flow_status(record),
        "reason": status_reason(record),
        "price": total_price(record),
    }
    for name, value in facts.items():
        if value is not None:
            console.print_line((f"{name:<8}", "dim"), printable(value))
    deliveries = deliveries_of(record)
    if deliveries:
        console.print()
        console.print(_table(deliveries))
    else:
        console.print_line("No message sent yet.")


def _table(deliveries: tuple[MessageDelivery, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("channel", "status", "detail", "to", "price"):
        table.add_column(name, justify="right" if name == "price" else "left")
    for delivery in deliveries:
        to = None if delivery.to is None else mask_phone(delivery.to)
        channel = delivery.channel if delivery.part is None else f"{delivery.channel} {delivery.part}"
        table.add_row(
            *(
                "" if cell is None else printable(cell)
                for cell in (channel, delivery.status, delivery.detail, to, delivery.price)
            )
        )
    return table
