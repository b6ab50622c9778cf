"""`routee-failover send FILE`: sends one flow from a file, once."""

import asyncio
import shlex
from datetime import datetime
from typing import Annotated

import typer

from .._wire.flow_document import ENDPOINT_NAMES
from ..client import RouteeClient
from ..config import Config
from ..flows import AnyFlow, Endpoint
from ..records import AnyReceipt, FlowReceipt, OtpReceipt, StepEcho
from .error_output import ErrorContext, handle_errors
from .flow_file import read_flow
from .terminal import Terminal, printable


def send(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="JSON file of the flow, or - for stdin.", show_default=False)
    ],
    endpoint: Annotated[
        Endpoint | None,
        typer.Option(
            metavar="ENDPOINT", help=f"Override the endpoint in the file: {ENDPOINT_NAMES}.", show_default=False
        ),
    ] = None,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="Send keys that Routee does not document, instead of refusing them.")
    ] = False,
) -> None:
    r"""Send one flow from a file, once, and print Routee's receipt.

    FILE is the JSON of Routee's API plus the endpoint:
      {"endpoint": "otp", "flow": \[...], "callback": {...}}
    With "raw": true beside the endpoint, the rest is sent as it is, unchecked.

    Environment: ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET (required);
    ROUTEE_API_URL and ROUTEE_AUTH_URL for another server, such as a sandbox;
    ROUTEE_PROXY for a proxy.

    Example: [cyan]routee-failover send otp.json[/]
    """
    context = ErrorContext()
    with handle_errors(context):
        flow = read_flow(file, endpoint, keep_unknown=keep_unknown)
        receipt = asyncio.run(_send(Config.from_env(), flow, context))
        _print_receipt(receipt, _track_command(receipt, flow.endpoint))


async def _send(config: Config, flow: AnyFlow, context: ErrorContext) -> AnyReceipt:
    async with RouteeClient(config) as routee:
        context.mark_sending()
        receipt: AnyReceipt = await routee.send(flow)
        context.mark_accepted(_track_command(receipt, flow.endpoint))
    return receipt


def _id(receipt: AnyReceipt) -> str:
    return receipt.flow_id if isinstance(receipt, OtpReceipt) else receipt.tracking_id


def _track_command(receipt: AnyReceipt, endpoint: Endpoint) -> str:
    return f"routee-failover track {shlex.quote(_id(receipt))} --endpoint {endpoint}"


def _print_receipt(receipt: AnyReceipt, track_command: str) -> None:
    console = Terminal()
    status, channel, created_at = _receipt_facts(receipt)
    at = None if created_at is None else created_at.isoformat(" ", "seconds")
    console.print_line(("Accepted by Routee.", "bold green"))
    for name, value in {"id": _id(receipt), "status": status, "channel": channel, "created at": at}.items():
        if value is not None:
            console.print_line((f"  {name:<12}", "dim"), printable(value))
    console.print_line("Track it with:")
    console.print_line("  ", (printable(track_command), "cyan"))


def _receipt_facts(receipt: AnyReceipt) -> tuple[str | None, str | None, datetime | None]:
    """Return the status, the channel that is tried first and the time of acceptance, where the receipt has them."""
    if isinstance(receipt, FlowReceipt):
        return "accepted", _first_channel(receipt.steps), receipt.created_at  # Routee gives no status here
    if isinstance(receipt, OtpReceipt):
        return receipt.status, receipt.channel, receipt.created_at
    return receipt.status, "Viber", receipt.status_date


def _first_channel(steps: tuple[StepEcho, ...]) -> str | None:
    first = min(steps, key=lambda step: step.order or 0, default=None)
    return None if first is None else first.type
