"""Change printer of `track --follow`: one line for each change of a flow."""

from collections.abc import Callable
from datetime import datetime

from ..secret import mask_phone
from .delivery_view import AnyRecord, MessageDelivery, deliveries_of, flow_status, status_reason
from .record_formats import format_json
from .terminal import Terminal, printable


class ChangePrinter:
    """Prints what has changed in each record since the previous one."""

    def __init__(self, console: Terminal, *, as_json: bool, now: Callable[[], datetime] = datetime.now) -> None:
        self._console = console
        self._as_json = as_json
        self._now = now
        self._last: AnyRecord | None = None

    def print_changes(self, record: AnyRecord) -> bool:
        """Print what has changed since the previous record; return whether the record is final."""
        last, self._last = self._last, record
        if self._as_json:
            if last is None or record.raw != last.raw:
                self._console.print_line(
                    format_json(record.raw, ascii_only=not self._console.encoding.startswith("utf"))
                )
            return record.final
        previous = () if last is None else deliveries_of(last)
        for position, delivery in enumerate(deliveries_of(record)):
            if position >= len(previous) or delivery.status != previous[position].status:
                self._print(str(delivery.channel or "message"), _delivery_text(delivery))
        if last is None or flow_status(record) != flow_status(last):
            parts = (str(flow_status(record) or "unknown"), status_reason(record))
            self._print("flow", ", ".join(part for part in parts if part is not None))
        return record.final

    def _print(self, subject: str, change: str) -> None:
        self._console.print_line((f"{self._now():%H:%M:%S}  ", "dim"), f"{printable(subject):<8}", printable(change))


def _delivery_text(delivery: MessageDelivery) -> str:
    parts = (
        delivery.part,
        str(delivery.status or "unknown"),
        delivery.detail if delivery.detail != delivery.status else None,
    )
    to = "" if delivery.to is None else f"  {mask_phone(delivery.to)}"
    return "  ".join(part for part in parts if part is not None) + to
