"""A run row by row, for spreadsheets and other programs: what became of each message, and how to find one in doubt."""

import json
import math
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal, Protocol

from ..flows import Endpoint
from ..ledger import EntryState, Ledger, LedgerEntry
from ..ledger.entry import build_label
from .csv_writer import CsvValue, format_csv_line
from .sanitize import masked_key, masked_number, sanitize, to_one_line

COLUMNS = (
    *("line", "key", "recipient", "state", "attempt", "reason", "id", "proof", "begun_at", "ended_at", "seconds"),
    *("channel", "status", "ended_channel", "price", "country", "look_up"),
)
"""The columns of CSV and the names in JSON lines, in this order."""

_BUFFER_SIZE = 64 * 1024
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
    states: Collection[EntryState] | None = None,
    show_numbers: bool = False,
) -> None:
    """Write the entries in these states, or all, one a line, in the order of the ledger and in constant memory.

    Phone numbers are masked, also where one is the key, unless `numbers` asks for them; within a reason they always
    are. Times are in UTC. `look_up` is, of an unknown message, the label that it carries at Routee; a Viber OTP carries
    none. In CSV texts are quoted, and what a spreadsheet would take for a formula begins with an apostrophe
    (`csv_lines`); JSON lines have it as it is. Lines end in a line feed alone: a CSV file is opened with `newline=""`,
    and in an encoding that has every letter, as UTF-8.

    Raises `LedgerError` where the ledger cannot be read; what `stream.write` raises comes through as it is.
    """
    labelled_by = ledger.run_id if await _endpoint(ledger) != Endpoint.VIBER_OTP else None
    if format == "csv":
        stream.write(",".join(COLUMNS) + "\n")
    line_of = format_csv_line if format == "csv" else _json_line
    lines: list[str] = []
    size = 0
    async for intent in ledger.entries(states):
        lines.append(line_of(_cells(intent, labelled_by, numbers=show_numbers)))
        size += len(lines[-1])
        if size >= _BUFFER_SIZE:
            stream.write("".join(lines))
            lines, size = [], 0
    stream.write("".join(lines))


async def _endpoint(ledger: Ledger) -> object:
    """Where the messages of the ledger went, or are to go; `None` where it does not say."""
    for name in ("endpoint", "run"):
        document = await ledger.get_document(name)
        if document is not None and document.get("endpoint"):
            return document["endpoint"]
    return None


_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def _json_line(cells: tuple[CsvValue, ...]) -> str:
    return f"{_encode(dict(zip(COLUMNS, cells, strict=True)))}\n"


def _cells(intent: LedgerEntry, labelled_by: str | None, *, numbers: bool) -> tuple[CsvValue, ...]:
    fate = intent.delivery_report
    return (
        intent.line,
        to_one_line(intent.key) if numbers else masked_key(intent.key, intent.recipient),
        to_one_line(intent.recipient) if numbers else masked_number(intent.recipient),
        intent.state.value,
        intent.attempt,
        sanitize(intent.reason),
        _text(intent.tracking_id),
        intent.resolved_by,
        _moment(intent.claimed_at) if intent.attempt else None,
        _moment(intent.ended_at),
        round(intent.response_time, 6) if intent.response_time else None,
        _text(intent.channel),
        *((_text(fate.status), _text(fate.channel), _finite(fate.price), _text(fate.country)) if fate else (None,) * 4),
        build_label(labelled_by, intent.key_hash)
        if labelled_by is not None and intent.state is EntryState.UNKNOWN
        else None,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else to_one_line(text)


def _finite(price: float | None) -> float | None:
    """JSON knows no other numbers."""
    return price if price is not None and math.isfinite(price) else None


def _moment(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
