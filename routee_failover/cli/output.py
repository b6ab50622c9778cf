"""Records as a terminal, a spreadsheet or another program takes them."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.table import Table

from ..bulk.csv_writer import CsvValue, format_csv_line
from ..records import FlowRecord, OtpRecord
from ..secret import mask_phone
from .deliveries import MessageDelivery, deliveries_of, total_price
from .terminal import Terminal, printable

SearchRecord = FlowRecord | OtpRecord


def format_json(data: dict[str, Any], *, ascii_only: bool, indent: int | None = None) -> str:
    """An answer as JSON that is safe to show."""
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    # JSON leaves the control codes above ASCII as they are, and a terminal obeys them.
    return re.sub(r"[\x7f-\x9f]", lambda code: f"\\u{ord(code[0]):04x}", text)


WIDE_TABLE_COLUMNS = 120
"""Columns of a terminal from which on each flow has a line of its own."""


def print_flow_table(console: Terminal, records: Sequence[SearchRecord]) -> None:
    """Flows as people look through them: times are local, numbers masked, and no id is cut, for `track` takes it whole.

    What goes to no terminal has a line for each flow, however long, so that it can be searched line by line.
    """
    wide = not console.is_terminal or console.width >= WIDE_TABLE_COLUMNS
    table = _wide(records) if wide else _narrow(records)
    needed = table.__rich_measure__(console, console.options.update(max_width=_ANY_WIDTH))
    console.width = max(needed.minimum, min(console.width, needed.maximum) if console.is_terminal else needed.maximum)
    console.print(table)


_ANY_WIDTH = 100_000


def _wide(records: Iterable[SearchRecord]) -> Table:
    rows = (
        (_when(record), printable(record.status or ""), _to(record), *_story(record), _id(record)) for record in records
    )
    return _table(("sent at", "status", "to", _TRIED, "price", "id"), [*rows], least=30)


def _narrow(records: Sequence[SearchRecord]) -> Table:
    rows: list[tuple[str, ...]] = []
    for record in records:
        tried, price = _story(record)
        told = f"{_id(record)}\n{printable(record.status or '?')}: {tried}"
        rows.append((_when(record), _to(record), price, told))
    longest_id = max(cell_len(_id(record)) for record in records)
    return _table(("sent at", "to", "price", f"id, status, {_TRIED}"), rows, least=longest_id)


_TRIED = "what was tried"


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]], *, least: int) -> Table:
    """Rows in columns of which only the one of what was tried may break, into lines of `least`: an id stays whole."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, *cells in zip(names, *rows, strict=True):
        breaks = name.endswith(_TRIED)
        table.add_column(
            name,
            justify="right" if name == "price" else "left",
            no_wrap=not breaks,
            overflow="fold",
            min_width=least if breaks else max(map(cell_len, (name, *cells))),
        )
    for row in rows:
        table.add_row(*row)
    return table


def _when(record: SearchRecord) -> str:
    sent_at = created_at(record)
    return "" if sent_at is None else sent_at.astimezone().strftime("%Y-%m-%d %H:%M")


def _to(record: SearchRecord) -> str:
    to = next((leg.to for leg in deliveries_of(record) if leg.to is not None), None)
    return "" if to is None else printable(mask_phone(to))


def _story(record: SearchRecord) -> tuple[str, str]:
    """What was tried and why it came to nothing, and the price."""
    reason, price = record.status_reason, total_price(record)
    tried = printable(_tried(deliveries_of(record)))
    return f"{tried}: {reason}" if reason else tried, "" if price is None else str(price)


def _id(record: SearchRecord) -> str:
    return printable(record_id(record) or "")


CSV_COLUMNS = (
    *("id", "endpoint", "created_at", "updated_at", "status", "status_code", "reason"),
    *("to", "termination_channel", "tried", "price"),
)


def format_csv_row(record: SearchRecord | None = None) -> str:
    """A flow as a line of CSV, or the line of the names: times are in UTC, numbers whole."""
    return ",".join(CSV_COLUMNS) + "\n" if record is None else format_csv_line(map(_cell, _values(record)))


def _values(record: SearchRecord) -> tuple[object, ...]:
    legs = deliveries_of(record)
    kind, updated_at, ended_on = (
        (record.flow_kind, record.updated_at, record.termination_channel)
        if isinstance(record, FlowRecord)
        else ("otp", None, None)
    )
    return (
        *(record_id(record), kind, created_at(record), updated_at),
        *(record.status, record.status_code, record.status_reason),
        *(next((leg.to for leg in legs), None), ended_on, _tried(legs, "; "), total_price(record)),
    )


def _cell(value: object) -> CsvValue:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return printable(value)


def record_id(record: SearchRecord) -> str | None:
    """What the flow is tracked by."""
    return record.tracking_id if isinstance(record, FlowRecord) else record.flow_id


def created_at(record: SearchRecord) -> datetime | None:
    """When the flow was sent; of an OTP flow its first step tells."""
    if isinstance(record, FlowRecord):
        return record.created_at
    return None if record.primary is None else record.primary.created_at


def _tried(deliveries: Iterable[MessageDelivery], between: str = ", ") -> str:
    """What was tried, and how it stands; the parts of a long SMS that stand alike are told once."""
    said: dict[str, None] = {}
    for leg in deliveries:
        why = "" if leg.detail is None or leg.detail == leg.status else f" ({leg.detail})"
        said[f"{leg.channel or '?'} {leg.status or '?'}{why}"] = None
    return between.join(said)
