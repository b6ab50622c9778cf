"""`routee-failover callbacks listen`: print Routee's callbacks as they arrive, until Ctrl-C."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import typer

from ..events import CallbackRejected, Event
from ..records import FlowRecord, InboundMessage, OtpRecord
from ..records.record import redact
from ..secret import mask_phone, mask_url_path
from ..webhooks import AnyCallback, CallbackInbox, ReceiveResult, aiohttp_receiver, parse_callback
from .delivery_view import deliveries_of, humanize_status
from .error_output import ErrorContext, handle_errors
from .exit_codes import SERVER_EXIT_CODES
from .record_formats import format_json
from .server import local_url, serve_app, shutdown_event
from .terminal import Terminal, printable
from .usage_messages import Command

callbacks: typer.Typer = typer.Typer(
    name="callbacks",
    help="Receive and print Routee's callbacks (webhooks).",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@callbacks.command(cls=Command, epilog=SERVER_EXIT_CODES)
def listen(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per callback.")] = False,
    texts: Annotated[
        bool, typer.Option("--texts", help="Also print message texts. They may contain a one-time password.")
    ] = False,
) -> None:
    """Print callbacks as they arrive, until Ctrl-C. Phone numbers and PINs are masked.

    It prints the URL to use as the callback of a flow. The sandbox can reach it
    as it is; Routee itself needs a public URL that leads to it.

    Example: [cyan]routee-failover callbacks listen --port 9000[/]
    """
    with handle_errors(ErrorContext()):
        asyncio.run(_listen(host, port, _JsonLinesPrinter(texts=texts) if as_json else _TablePrinter(texts=texts)))


class _ReceivedCallback(NamedTuple):
    received_at: datetime
    record: AnyCallback
    result: ReceiveResult


class _RecordingInbox(CallbackInbox):
    """Inbox that queues every callback, duplicates too, for printing."""

    received: "asyncio.Queue[_ReceivedCallback]"

    def receive(self, body: Any, *, reference: str | None = None) -> ReceiveResult:
        """Receive a callback and queue it for printing."""
        result = super().receive(body, reference=reference)
        self.received.put_nowait(_ReceivedCallback(datetime.now().astimezone(), parse_callback(body), result))
        return result


class _RejectedCallbackObserver:
    """Observer that prints a line for each request that is not a valid callback."""

    def observe(self, event: Event, /) -> None:
        """Print a rejected request; what the inbox drops is printed with the received callbacks."""
        if isinstance(event, CallbackRejected):
            Terminal(stderr=True).print_line((f"rejected a request with {event.status}: {event.reason}", "yellow"))


class _TablePrinter:
    """Prints one aligned line per callback."""

    def __init__(self, *, texts: bool) -> None:
        self._output, self._texts = Terminal(), texts

    def print_header(self) -> None:
        """Print the column names."""
        self._output.print_line((_format_row("time", "kind", "status", "number", "id", "messages"), "dim"))

    def print_callback(self, callback: _ReceivedCallback) -> None:
        """Print a callback."""
        suffix = "" if callback.result is ReceiveResult.NEW else f" ({callback.result})"
        at = f"{callback.received_at:%H:%M:%S}"
        record = callback.record
        if isinstance(record, InboundMessage):
            text = printable(record.message or "") if self._texts else f"{len(record.message or '')} characters"
            line = _format_row(
                at, "inbound", "", mask_phone(record.from_), record.reference_tracking_id or "", text + suffix
            )
        else:
            deliveries = deliveries_of(record)
            kind, tracking_id = (
                ("otp", record.flow_id)
                if isinstance(record, OtpRecord)
                else ("flow" if isinstance(record, FlowRecord) else "viber-otp", record.tracking_id)
            )
            number = next((mask_phone(delivery.to) for delivery in deliveries if delivery.to is not None), "")
            messages = ", ".join(
                f"{delivery.channel or '?'} {humanize_status(delivery.status or '?')}" for delivery in deliveries
            )
            line = _format_row(at, kind, record.status or "", number, tracking_id, messages + suffix)
        self._output.print_line((line, "dim" if suffix else ""))


def _format_row(*cells: object) -> str:
    widths = (8, 9, 11, 14, 36, 0)
    return "  ".join(f"{printable(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


class _JsonLinesPrinter:
    """Prints one JSON object per line and callback."""

    def __init__(self, *, texts: bool) -> None:
        self._output, self._texts = Terminal(), texts

    def print_header(self) -> None:
        """Print nothing: JSON Lines have no header."""

    def print_callback(self, callback: _ReceivedCallback) -> None:
        """Print a callback."""
        record = redact(callback.record.raw, redact_texts=not self._texts)
        line = {
            "received_at": callback.received_at.isoformat(),
            "result": callback.result,
            "record": _mask_numbers(record),
        }
        self._output.print_line(format_json(line, ascii_only=not self._output.encoding.startswith("utf")))


_is_phone_number = re.compile(r"\+?[0-9]{7,15}").fullmatch


def _mask_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _MASKS.get(key, _mask_numbers)(item) for key, item in value.items()}
    return [_mask_numbers(item) for item in value] if isinstance(value, list) else value


def _mask_number(value: Any) -> Any:
    return mask_phone(value) if isinstance(value, str) and _is_phone_number(value) else _mask_numbers(value)


def _mask_url(value: Any) -> Any:
    # A signed URL is a credential: anyone who reads it can call it.
    return mask_url_path(value) if isinstance(value, str) else _mask_numbers(value)


_MASKS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("to", "from", "phone", "viber", "phone_number"), _mask_number),
    "inboundUrl": _mask_url,
}


async def _listen(host: str, port: int, printer: _TablePrinter | _JsonLinesPrinter) -> None:
    stop = shutdown_event()
    inbox = _RecordingInbox(notify=lambda _record: None, observers=[_RejectedCallbackObserver()])
    inbox.received = asyncio.Queue()
    async with _serve(inbox, host, port) as url:
        status_output = Terminal(stderr=True)
        status_output.print_line(
            ("Listening for callbacks at ", "bold"), (f"{local_url(url)}/", "bold cyan"), ". Press Ctrl-C to stop."
        )
        printer.print_header()
        stopping, printing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(_print_received(inbox, printer))
        await asyncio.wait([stopping, printing], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        printing.cancel()
        with suppress(asyncio.CancelledError):
            await printing


async def _print_received(inbox: _RecordingInbox, printer: _TablePrinter | _JsonLinesPrinter) -> None:
    while True:
        printer.print_callback(await inbox.received.get())


@asynccontextmanager
async def _serve(inbox: CallbackInbox, host: str, port: int) -> AsyncIterator[str]:
    async with serve_app(aiohttp_receiver(inbox, None), host, port) as runner:
        address, bound_port, *_ = runner.addresses[0]
        yield f"http://[{address}]:{bound_port}" if ":" in address else f"http://{address}:{bound_port}"
