"""What `track --follow` prints while a flow goes on: a line for each thing that becomes of it."""

from collections.abc import Callable
from datetime import datetime

from ..secret import mask_phone
from .deliveries import AnyRecord, MessageDelivery, deliveries_of, flow_status, status_reason
from .output import format_json
from .terminal import Terminal, printable


class ChangePrinter:
    """Is shown record after record, and prints what is new in each."""

    def __init__(self, console: Terminal, *, as_json: bool, now: Callable[[], datetime] = datetime.now) -> None:
        self._console = console
        self._as_json = as_json
        self._now = now
        self._last: AnyRecord | None = None

    def print_changes(self, record: AnyRecord) -> bool:
        """Print what has changed since the record before, and say whether nothing more is to come."""
        last, self._last = self._last, record
        if self._as_json:
            if last is None or record.raw != last.raw:
                self._console.print_line(
                    format_json(record.raw, ascii_only=not self._console.encoding.startswith("utf"))
                )
            return record.final
        before = () if last is None else deliveries_of(last)
        for position, leg in enumerate(deliveries_of(record)):
            if position >= len(before) or leg.status != before[position].status:
                self._say(str(leg.channel or "message"), _delivery_text(leg))
        if last is None or flow_status(record) != flow_status(last):
            words = (str(flow_status(record) or "unknown"), status_reason(record))
            self._say("flow", ", ".join(word for word in words if word is not None))
        return record.final

    def _say(self, what: str, how: str) -> None:
        self._console.print_line((f"{self._now():%H:%M:%S}  ", "dim"), f"{printable(what):<8}", printable(how))


def _delivery_text(delivery: MessageDelivery) -> str:
    words = (
        delivery.part,
        str(delivery.status or "unknown"),
        delivery.detail if delivery.detail != delivery.status else None,
    )
    to = "" if delivery.to is None else f"  {mask_phone(delivery.to)}"
    return "  ".join(word for word in words if word is not None) + to
