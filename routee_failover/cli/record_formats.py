"""Output formats of records: table, JSON and CSV."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from ..bulk.csv_writer import CsvValue, format_csv_line
from ..records import FlowRecord, OtpRecord
from ..secret import mask_phone
from .delivery_view import MessageDelivery, deliveries_of, total_price
from .terminal import Terminal, printable

SearchRecord = FlowRecord | OtpRecord


def format_json(data: dict[str, Any], *, ascii_only: bool, indent: int | None = None) -> str:
    """Return a response as JSON that is safe to print: what is not printable is escaped, and the same after parsing.

    A terminal would obey control codes and marks of direction, and a reader of lines would split at U+2028.
    """
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    return "\n".join(line if line.isprintable() else "".join(map(_escape, line)) for line in text.split("\n"))


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


WIDE_TABLE_COLUMNS = 120
"""Minimum width of a terminal, in columns, for one line per flow."""


def print_flow_table(console: Terminal, records: Sequence[SearchRecord]) -> None:
    """Print flows as a table: local times, masked numbers, and whole ids, because `track` needs the whole id.

    A pipe or a file gets one line per flow, however long, so that it can be searched line by line.
    """
    wide = not console.is_terminal or console.width >= WIDE_TABLE_COLUMNS
    table = _wide_table(records) if wide else _narrow_table(records)
    needed = table.__rich_measure__(console, console.options.update(max_width=_MAX_WIDTH))
    console.width = max(needed.minimum, min(console.width, needed.maximum) if console.is_terminal else needed.maximum)
    console.print(table)


_MAX_WIDTH = 100_000


def _wide_table(records: Iterable[SearchRecord]) -> Table:
    rows = (
        (_sent_at(record), printable(record.status or ""), _to(record), *_messages_and_price(record), _id(record))
        for record in records
    )
    return _table(("sent at", "status", "to", _MESSAGES, "price", "id"), [*rows], min_width=30)


def _narrow_table(records: Sequence[SearchRecord]) -> Table:
    rows: list[tuple[str, ...]] = []
    for record in records:
        messages, price = _messages_and_price(record)
        details = f"{_id(record)}\n{printable(record.status or '?')}: {messages}"
        rows.append((_sent_at(record), _to(record), price, details))
    longest_id = max(cell_len(_id(record)) for record in records)
    return _table(("sent at", "to", "price", f"id, status, {_MESSAGES}"), rows, min_width=longest_id)


_MESSAGES = "messages by channel"


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]], *, min_width: int) -> Table:
    """Build a table in which only the column of the messages may wrap, at `min_width`: an id stays whole."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, *cells in zip(names, *rows, strict=True):
        wraps = name.endswith(_MESSAGES)
        table.add_column(
            name,
            justify="right" if name == "price" else "left",
            no_wrap=not wraps,
            overflow="fold",
            min_width=min_width if wraps else max(map(cell_len, (name, *cells))),
        )
    for row in rows:
        table.add_row(*row)
    return table


def _sent_at(record: SearchRecord) -> str:
    sent_at = created_at(record)
    return "" if sent_at is None else sent_at.astimezone().strftime("%Y-%m-%d %H:%M")


def _to(record: SearchRecord) -> str:
    to = next((delivery.to for delivery in deliveries_of(record) if delivery.to is not None), None)
    return "" if to is None else printable(mask_phone(to))


def _messages_and_price(record: SearchRecord) -> tuple[str, str]:
    """Return the messages with the reason of a failure, and the price."""
    reason, price = record.status_reason, total_price(record)
    messages = printable(_format_messages(deliveries_of(record)))
    return f"{messages}: {reason}" if reason else messages, "" if price is None else str(price)


def _id(record: SearchRecord) -> str:
    return printable(record_id(record) or "")


CSV_COLUMNS = (
    *("id", "endpoint", "created_at", "updated_at", "status", "status_code", "reason"),
    *("to", "termination_channel", "messages", "price"),
)


def format_csv_row(record: SearchRecord | None = None) -> str:
    """Return a flow as a line of CSV, or the header line for `None`; times are in UTC, numbers are not masked."""
    return ",".join(CSV_COLUMNS) + "\n" if record is None else format_csv_line(map(_cell, _values(record)))


def _values(record: SearchRecord) -> tuple[object, ...]:
    deliveries = deliveries_of(record)
    kind, updated_at, ended_on = (
        (record.flow_kind, record.updated_at, record.termination_channel)
        if isinstance(record, FlowRecord)
        else ("otp", None, None)
    )
    return (
        *(record_id(record), kind, created_at(record), updated_at),
        *(record.status, record.status_code, record.status_reason),
        *(
            next((delivery.to for delivery in deliveries), None),
            ended_on,
            _format_messages(deliveries, "; "),
            total_price(record),
        ),
    )


def _cell(value: object) -> CsvValue:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return printable(value)


def record_id(record: SearchRecord) -> str | None:
    """Return the id that `track` takes."""
    return record.tracking_id if isinstance(record, FlowRecord) else record.flow_id


def created_at(record: SearchRecord) -> datetime | None:
    """Return when the flow was sent; for an OTP flow, when its first step was."""
    if isinstance(record, FlowRecord):
        return record.created_at
    return None if record.primary is None else record.primary.created_at


def _format_messages(deliveries: Iterable[MessageDelivery], separator: str = ", ") -> str:
    """Return each channel with its status; parts of a long SMS that have the same status are listed once."""
    formatted: dict[str, None] = {}
    for delivery in deliveries:
        reason = "" if delivery.detail is None or delivery.detail == delivery.status else f" ({delivery.detail})"
        formatted[f"{delivery.channel or '?'} {delivery.status or '?'}{reason}"] = None
    return separator.join(formatted)
