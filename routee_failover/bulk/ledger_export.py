"""Ledger export as CSV or JSON Lines: one line for each message, for spreadsheets and other programs."""

import json
import math
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal, Protocol

from ..flows import Endpoint
from ..ledger import EntryState, Ledger, LedgerEntry
from ..ledger.entry import build_label
from .csv_writer import CsvValue, format_csv_line
from .display_text import masked_key, masked_number, sanitize, to_one_line
from .reconciliation.run_endpoint import ENDPOINT_DOCUMENT_NAME, is_raw

COLUMNS = (
    *(
        "line",
        "key",
        "recipient",
        "state",
        "attempt",
        "reason",
        "tracking_id",
        "resolved_by",
        "claimed_at",
        "ended_at",
        "response_time",
    ),
    *("channel", "status", "ended_channel", "price", "country", "lookup_label"),
)
"""The columns of CSV and the keys of JSON Lines, in this order."""

_BUFFER_SIZE = 64 * 1024
"""Characters that are written at once."""


class Writable(Protocol):
    """Any text stream: a file, `sys.stdout`, an `io.StringIO`."""

    def write(self, text: str, /) -> object:
        """Write a text."""
        ...


async def export(
    ledger: Ledger,
    stream: Writable,
    *,
    format: Literal["csv", "jsonl"],  # noqa: A002  # the usual word
    states: Collection[EntryState] | None = None,
    show_numbers: bool = False,
) -> None:
    """Write the entries in the given states, or all, one a line, in ledger order and in constant memory.

    Phone numbers are masked, also as keys, unless `show_numbers` is set; within a reason they always are. Times are in
    UTC. `lookup_label` is the label that an unknown message carries at Routee; Viber OTPs and raw flows carry none. In
    CSV texts are quoted, and what a spreadsheet would evaluate as a formula begins with an apostrophe (`csv_writer`);
    JSON Lines have the text unchanged. Lines end in a line feed alone: open a CSV file with `newline=""`, and in an
    encoding for all of Unicode, such as UTF-8.

    Raises `LedgerError` if the ledger cannot be read; errors of `stream.write` are passed on.
    """
    is_labelled = await _endpoint(ledger) != Endpoint.VIBER_OTP and not is_raw(
        await ledger.get_document(ENDPOINT_DOCUMENT_NAME)
    )
    label_run_id = ledger.run_id if is_labelled else None
    if format == "csv":
        stream.write(",".join(COLUMNS) + "\n")
    format_line = format_csv_line if format == "csv" else _json_line
    lines: list[str] = []
    size = 0
    async for entry in ledger.entries(states):
        lines.append(format_line(_cells(entry, label_run_id, show_numbers=show_numbers)))
        size += len(lines[-1])
        if size >= _BUFFER_SIZE:
            stream.write("".join(lines))
            lines, size = [], 0
    stream.write("".join(lines))


async def _endpoint(ledger: Ledger) -> object:
    """Return the endpoint of the ledger's messages; `None` if the ledger does not name it."""
    for name in (ENDPOINT_DOCUMENT_NAME, "run"):
        document = await ledger.get_document(name)
        if document is not None and document.get("endpoint"):
            return document["endpoint"]
    return None


_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def _json_line(cells: tuple[CsvValue, ...]) -> str:
    return f"{_encode(dict(zip(COLUMNS, cells, strict=True)))}\n"


def _cells(entry: LedgerEntry, label_run_id: str | None, *, show_numbers: bool) -> tuple[CsvValue, ...]:
    report = entry.delivery_report
    return (
        entry.line,
        to_one_line(entry.key) if show_numbers else masked_key(entry.key, entry.recipient),
        to_one_line(entry.recipient) if show_numbers else masked_number(entry.recipient),
        entry.state.value,
        entry.attempt,
        sanitize(entry.reason),
        _text(entry.tracking_id),
        entry.resolved_by,
        _format_time(entry.claimed_at) if entry.attempt else None,
        _format_time(entry.ended_at),
        round(entry.response_time, 6) if entry.response_time else None,
        _text(entry.channel),
        *(
            (_text(report.status), _text(report.channel), _finite(report.price), _text(report.country))
            if report
            else (None,) * 4
        ),
        build_label(label_run_id, entry.key_hash)
        if label_run_id is not None and entry.state is EntryState.UNKNOWN
        else None,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else to_one_line(text)


def _finite(price: float | None) -> float | None:
    """Return a finite price or `None`: JSON has no NaN and no infinity."""
    return price if price is not None and math.isfinite(price) else None


def _format_time(timestamp: float | None) -> str | None:
    if timestamp is None:
        return None
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
