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
from .failures import SoFar, told
from .legs import in_words, legs_of
from .serving import reachable, served, stopped
from .status import OF_A_SERVICE
from .terminal import Terminal, clean
from .usage import Command

callbacks: typer.Typer = typer.Typer(
    name="callbacks", help="See what Routee calls back with.", no_args_is_help=True, rich_markup_mode="rich"
)


@callbacks.command(cls=Command, epilog=OF_A_SERVICE)
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
    with told(SoFar()):
        asyncio.run(_listen(host, port, _Lines(texts=texts) if as_json else _Table(texts=texts)))


class _Came(NamedTuple):
    at: datetime
    record: AnyCallback
    arrival: ReceiveResult


class _Inbox(CallbackInbox):
    """Keeps everything that comes, repeats as well, until it is printed."""

    came: "asyncio.Queue[_Came]"

    def receive(self, body: Any, *, intent: str | None = None) -> ReceiveResult:
        """Take a callback in, and remember to print it."""
        arrival = super().receive(body, intent=intent)
        self.came.put_nowait(_Came(datetime.now().astimezone(), parse_callback(body), arrival))
        return arrival


class _Refusals:
    """Tells of requests that were no callbacks."""

    def observe(self, event: Event, /) -> None:
        """Print one; what was dropped is printed with what came."""
        if isinstance(event, CallbackRejected):
            Terminal(stderr=True).say((f"a request was answered {event.status}: {event.reason}", "yellow"))


class _Table:
    """One aligned line a callback."""

    def __init__(self, *, texts: bool) -> None:
        self._out, self._texts = Terminal(), texts

    def begin(self) -> None:
        """Name the columns."""
        self._out.say((_row("time", "what", "status", "number", "id", "messages"), "dim"))

    def show(self, came: _Came) -> None:
        """Print one."""
        again = "" if came.arrival is ReceiveResult.NEW else f" ({came.arrival})"
        at = f"{came.at:%H:%M:%S}"
        record = came.record
        if isinstance(record, InboundMessage):
            words = clean(record.message or "") if self._texts else f"{len(record.message or '')} characters"
            line = _row(at, "inbound", "", mask_phone(record.from_), record.reference_tracking_id or "", words + again)
        else:
            legs = legs_of(record)
            kind, identity = ("otp", record.flow_id) if isinstance(record, OtpRecord) else ("flow", record.tracking_id)
            number = next((mask_phone(leg.to) for leg in legs if leg.to is not None), "")
            messages = ", ".join(f"{leg.channel or '?'} {in_words(leg.status or '?')}" for leg in legs)
            line = _row(at, kind, record.status or "", number, identity, messages + again)
        self._out.say((line, "dim" if again else ""))


def _row(*cells: object) -> str:
    widths = (8, 7, 10, 14, 36, 0)
    return "  ".join(f"{clean(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


class _Lines:
    """One line of JSON a callback."""

    def __init__(self, *, texts: bool) -> None:
        self._out, self._texts = Terminal(), texts

    def begin(self) -> None:
        """JSON lines have no head."""

    def show(self, came: _Came) -> None:
        """Print one."""
        record = redact(came.record.raw, redact_texts=not self._texts)
        line = {"received_at": came.at.isoformat(), "arrival": came.arrival, "record": _without_numbers(record)}
        text = json.dumps(line, ensure_ascii=not self._out.encoding.startswith("utf"))
        # JSON leaves the control codes above ASCII as they are, and a terminal obeys them.
        self._out.say(re.sub(r"[\x7f-\x9f]", lambda code: f"\\u{ord(code[0]):04x}", text))


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


async def _listen(host: str, port: int, printed: _Table | _Lines) -> None:
    stop = stopped()
    inbox = _Inbox(notify=lambda _record: None, observers=[_Refusals()])
    inbox.came = asyncio.Queue()
    async with _served(inbox, host, port) as url:
        words = Terminal(stderr=True)
        words.say(("Callbacks are awaited at ", "bold"), (f"{reachable(url)}/", "bold cyan"), ". Ctrl-C ends it.")
        printed.begin()
        ending, printing = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(_print(inbox, printed))
        await asyncio.wait([ending, printing], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        printing.cancel()
        with suppress(asyncio.CancelledError):
            await printing


async def _print(inbox: _Inbox, printed: _Table | _Lines) -> None:
    while True:
        printed.show(await inbox.came.get())


@asynccontextmanager
async def _served(inbox: CallbackInbox, host: str, port: int) -> AsyncIterator[str]:
    async with served(aiohttp_receiver(inbox, None), host, port) as runner:
        at, taken, *_ = runner.addresses[0]
        yield f"http://[{at}]:{taken}" if ":" in at else f"http://{at}:{taken}"
