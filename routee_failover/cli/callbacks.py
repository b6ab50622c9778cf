"""`routee-failover callbacks listen`: what Routee calls back with, as it comes, until Ctrl-C."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import typer

from ..events import CallbackRejected, Event
from ..records import InboundMessage, OtpRecord
from ..records.record import redact
from ..secret import mask_phone, mask_url_path
from ..webhooks import AnyCallback, CallbackInbox, ReceiveResult, aiohttp_receiver, parse_callback
from .deliveries import deliveries_of, humanize_status
from .error_output import ErrorContext, handle_errors
from .exit_codes import SERVER_EXIT_CODES
from .server import local_url, serve_app, shutdown_event
from .terminal import Terminal, printable
from .usage_errors import Command

callbacks: typer.Typer = typer.Typer(
    name="callbacks", help="See what Routee calls back with.", no_args_is_help=True, rich_markup_mode="rich"
)


@callbacks.command(cls=Command, epilog=SERVER_EXIT_CODES)
def listen(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each callback as one line of JSON.")] = False,
    texts: Annotated[
        bool, typer.Option("--texts", help="Show the texts of messages, too. A one-time password may be among them.")
    ] = False,
) -> None:
    """Print what is called back, until Ctrl-C. Phone numbers and PINs are masked.

    It prints the address to give a flow as its callback. The sandbox reaches it as it is. Routee itself
    needs an address of yours that is public, and that leads here.

    Example: [cyan]routee-failover callbacks listen --port 9000[/]
    """
    with handle_errors(ErrorContext()):
        asyncio.run(_listen(host, port, _JsonLinesPrinter(texts=texts) if as_json else _TablePrinter(texts=texts)))


class _ReceivedCallback(NamedTuple):
    received_at: datetime
    record: AnyCallback
    result: ReceiveResult


class _RecordingInbox(CallbackInbox):
    """Keeps everything that comes, repeats as well, until it is printed."""

    received: "asyncio.Queue[_ReceivedCallback]"

    def receive(self, body: Any, *, reference: str | None = None) -> ReceiveResult:
        """Take a callback in, and remember to print it."""
        result = super().receive(body, reference=reference)
        self.received.put_nowait(_ReceivedCallback(datetime.now().astimezone(), parse_callback(body), result))
        return result


class _RejectedCallbackObserver:
    """Tells of requests that were no callbacks."""

    def observe(self, event: Event, /) -> None:
        """Print one; what was dropped is printed with what came."""
        if isinstance(event, CallbackRejected):
            Terminal(stderr=True).print_line((f"a request was answered {event.status}: {event.reason}", "yellow"))


class _TablePrinter:
    """One aligned line a callback."""

    def __init__(self, *, texts: bool) -> None:
        self._out, self._texts = Terminal(), texts

    def print_header(self) -> None:
        """Name the columns."""
        self._out.print_line((_row("time", "what", "status", "number", "id", "messages"), "dim"))

    def print_callback(self, callback: _ReceivedCallback) -> None:
        """Print one."""
        again = "" if callback.result is ReceiveResult.NEW else f" ({callback.result})"
        at = f"{callback.received_at:%H:%M:%S}"
        record = callback.record
        if isinstance(record, InboundMessage):
            words = printable(record.message or "") if self._texts else f"{len(record.message or '')} characters"
            line = _row(at, "inbound", "", mask_phone(record.from_), record.reference_tracking_id or "", words + again)
        else:
            legs = deliveries_of(record)
            kind, identity = ("otp", record.flow_id) if isinstance(record, OtpRecord) else ("flow", record.tracking_id)
            number = next((mask_phone(leg.to) for leg in legs if leg.to is not None), "")
            messages = ", ".join(f"{leg.channel or '?'} {humanize_status(leg.status or '?')}" for leg in legs)
            line = _row(at, kind, record.status or "", number, identity, messages + again)
        self._out.print_line((line, "dim" if again else ""))


def _row(*cells: object) -> str:
    widths = (8, 7, 10, 14, 36, 0)
    return "  ".join(f"{printable(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


class _JsonLinesPrinter:
    """One line of JSON a callback."""

    def __init__(self, *, texts: bool) -> None:
        self._out, self._texts = Terminal(), texts

    def print_header(self) -> None:
        """JSON lines have no head."""

    def print_callback(self, callback: _ReceivedCallback) -> None:
        """Print one."""
        record = redact(callback.record.raw, redact_texts=not self._texts)
        line = {
            "received_at": callback.received_at.isoformat(),
            "result": callback.result,
            "record": _without_numbers(record),
        }
        text = json.dumps(line, ensure_ascii=not self._out.encoding.startswith("utf"))
        # JSON leaves the control codes above ASCII as they are, and a terminal obeys them.
        self._out.print_line(re.sub(r"[\x7f-\x9f]", lambda code: f"\\u{ord(code[0]):04x}", text))


_is_number = re.compile(r"\+?[0-9]{7,15}").fullmatch


def _without_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _MASKS.get(key, _without_numbers)(item) for key, item in value.items()}
    return [_without_numbers(item) for item in value] if isinstance(value, list) else value


def _masked_number(value: Any) -> Any:
    return mask_phone(value) if isinstance(value, str) and _is_number(value) else _without_numbers(value)


def _masked_address(value: Any) -> Any:
    # Whoever reads a signed address can call it.
    return mask_url_path(value) if isinstance(value, str) else _without_numbers(value)


_MASKS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("to", "from", "phone", "viber", "phone_number"), _masked_number),
    "inboundUrl": _masked_address,
}


async def _listen(host: str, port: int, printer: _TablePrinter | _JsonLinesPrinter) -> None:
    stop = shutdown_event()
    inbox = _RecordingInbox(notify=lambda _record: None, observers=[_RejectedCallbackObserver()])
    inbox.received = asyncio.Queue()
    async with _served(inbox, host, port) as url:
        words = Terminal(stderr=True)
        words.print_line(
            ("Callbacks are awaited at ", "bold"), (f"{local_url(url)}/", "bold cyan"), ". Ctrl-C ends it."
        )
        printer.print_header()
        ending, printing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(_print_received(inbox, printer))
        await asyncio.wait([ending, printing], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        printing.cancel()
        with suppress(asyncio.CancelledError):
            await printing


async def _print_received(inbox: _RecordingInbox, printer: _TablePrinter | _JsonLinesPrinter) -> None:
    while True:
        printer.print_callback(await inbox.received.get())


@asynccontextmanager
async def _served(inbox: CallbackInbox, host: str, port: int) -> AsyncIterator[str]:
    async with serve_app(aiohttp_receiver(inbox, None), host, port) as runner:
        at, taken, *_ = runner.addresses[0]
        yield f"http://[{at}]:{taken}" if ":" in at else f"http://{at}:{taken}"
