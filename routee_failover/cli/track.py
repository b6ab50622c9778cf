"""`routee-failover track ID`: what has become of a message."""

import asyncio
from typing import Annotated

import typer
from rich.table import Table

from ..client import RouteeClient
from ..config import Config
from ..flows import Endpoint
from ..secret import mask_phone
from .failures import SoFar, told
from .flow_file import ENDPOINTS
from .legs import AnyRecord, Leg, flow_status, legs_of, status_reason, total_price
from .printed import json_text
from .terminal import Terminal, clean


def track(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that `send` printed.", show_default=False)],
    endpoint: Annotated[
        Endpoint, typer.Option(metavar="ENDPOINT", help=f"Where it was sent: {ENDPOINTS}.")
    ] = Endpoint.STANDARD,
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's answer; a PIN in it is masked.")] = False,
) -> None:
    """Show what has become of a message so far. It changes nothing and may be repeated.

    The exit status is 0 however the message fared.

    Example: [cyan]routee-failover track 0b7c54e1-4d2a-4a53-9d0e-6f3f7a1c2b3d[/]
    """
    with told(SoFar(not_found="An id is known to the endpoint that gave it only: is --endpoint right?")):
        record = asyncio.run(_track(Config.from_env(), identity, endpoint))
        console = Terminal()
        if as_json:
            console.say(json_text(record.raw, ascii_only=not console.encoding.startswith("utf"), indent=2))
        else:
            _show(console, identity, record)


async def _track(config: Config, identity: str, endpoint: Endpoint) -> AnyRecord:
    async with RouteeClient(config) as routee:
        return await routee.track(identity, endpoint)


def _show(console: Terminal, identity: str, record: AnyRecord) -> None:
    facts = {
        "id": identity,
        "status": flow_status(record),
        "reason": status_reason(record),
        "price": total_price(record),
    }
    for name, value in facts.items():
        if value is not None:
            console.say((f"{name:<8}", "dim"), clean(value))
    legs = legs_of(record)
    if legs:
        console.print()
        console.print(_table(legs))
    else:
        console.say("Nothing has left yet.")


def _table(legs: tuple[Leg, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("channel", "status", "detail", "to", "price"):
        table.add_column(name, justify="right" if name == "price" else "left")
    for leg in legs:
        to = None if leg.to is None else mask_phone(leg.to)
        channel = leg.channel if leg.part is None else f"{leg.channel} {leg.part}"
        table.add_row(
            *("" if cell is None else clean(cell) for cell in (channel, leg.status, leg.detail, to, leg.price))
        )
    return table
