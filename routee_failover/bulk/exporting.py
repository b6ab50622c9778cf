"""A run row by row, for spreadsheets and other programs: what became of each message, and how to find one in doubt."""

import csv
import io
import json
import math
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime
from typing import Literal, Protocol

from ..flows import Endpoint
from ..ledger import Intent, Ledger, State
from ..ledger.intent import label_of
from .plain import one_line, plain, safe_cell, shown_key, shown_number

COLUMNS = (
    *("line", "key", "recipient", "state", "attempt", "reason", "id", "proof", "begun_at", "ended_at", "seconds"),
    *("channel", "status", "ended_channel", "price", "country", "look_up"),
)
"""The columns of CSV and the names in JSON lines, in this order."""

Cell = str | int | float | None

_AT_ONCE = 64 * 1024
"""Letters that are written together."""


class Writable(Protocol):
    """Whatever takes text: a file, `sys.stdout`, an `io.StringIO`."""

    def write(self, text: str, /) -> object:
        """Take some more."""
        ...


async def export(
    ledger: Ledger,
    stream: Writable,
    *,
    format: Literal["csv", "jsonl"],  # noqa: A002  # the word that everybody knows
    states: Collection[State] | None = None,
) -> None:
    """Write the intents in these states, or all, one a line, in the order of the ledger and in constant memory.

    Numbers are masked, also where one is the key. Times are in UTC. `look_up` is, of those in doubt, the label that
    their message carries at Routee; a Viber OTP carries none. A text that a spreadsheet would take for a formula begins
    with an apostrophe in CSV, and not in JSON lines. Lines end in a line feed alone: a CSV file is opened with
    `newline=""`.

    Raises `LedgerError` where the ledger cannot be read; what `stream.write` raises comes through as it is.
    """
    labelled_by = ledger.run_id if await _endpoint(ledger) != Endpoint.VIBER_OTP else None
    rows = (_cells(intent, labelled_by) async for intent in ledger.intents(states))
    await (_csv(rows, stream) if format == "csv" else _json_lines(rows, stream))


async def _endpoint(ledger: Ledger) -> object:
    """Where the messages of the ledger went, or are to go; `None` where it does not say."""
    for name in ("endpoint", "run"):
        document = await ledger.get(name)
        if document is not None and document.get("endpoint"):
            return document["endpoint"]
    return None


async def _csv(rows: AsyncIterator[tuple[Cell, ...]], stream: Writable) -> None:
    lines = io.StringIO()
    write = csv.writer(lines, lineterminator="\n").writerow
    write(COLUMNS)
    async for row in rows:
        write([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
        if lines.tell() >= _AT_ONCE:
            stream.write(lines.getvalue())
            lines.seek(0)
            lines.truncate()
    stream.write(lines.getvalue())


async def _json_lines(rows: AsyncIterator[tuple[Cell, ...]], stream: Writable) -> None:
    encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
    lines: list[str] = []
    size = 0
    async for row in rows:
        lines.append(encode(dict(zip(COLUMNS, row, strict=True))))
        size += len(lines[-1])
        if size >= _AT_ONCE:
            stream.write(_joined(lines))
            lines, size = [], 0
    stream.write(_joined(lines))


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _cells(intent: Intent, labelled_by: str | None) -> tuple[Cell, ...]:
    fate = intent.fate
    return (
        intent.line,
        shown_key(intent.key, intent.recipient),
        shown_number(intent.recipient),
        intent.state.value,
        intent.attempt,
        plain(intent.reason),
        _text(intent.identity),
        intent.proof,
        _moment(intent.begun_at) if intent.attempt else None,
        _moment(intent.ended_at),
        round(intent.seconds, 6) if intent.seconds else None,
        _text(intent.channel),
        *((_text(fate.status), _text(fate.channel), _finite(fate.price), _text(fate.country)) if fate else (None,) * 4),
        label_of(labelled_by, intent.tag) if labelled_by is not None and intent.state is State.UNKNOWN else None,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else one_line(text)


def _finite(price: float | None) -> float | None:
    """JSON knows no other numbers."""
    return price if price is not None and math.isfinite(price) else None


def _moment(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
