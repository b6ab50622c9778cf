"""A callback on its way through the inbox: parsed in any thread, and then queued with the memory that it takes."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from .dedup import payload_digest
from .event import AnyCallback, CallbackEvent
from .flow_progress import FlowProgress, progress_of
from .parse import parse_body

AnyEvent = CallbackEvent[AnyCallback]


class QueuedEvent(NamedTuple):
    """An event that waits for its consumer."""

    event: AnyEvent
    size: int
    """Estimated memory in bytes."""


ParsedEvent = tuple[tuple[str, str], AnyEvent, FlowProgress | None, bytes, int]
"""Key, event, progress, digest and estimated memory in bytes: all that the inbox decides by."""


def parse_event(body: Any, reference: str | None) -> ParsedEvent:
    """Parse a callback, in any thread: nothing of the inbox is needed for it. Raises `InvalidCallback`."""
    key, record, payload, size = parse_body(body)
    event: AnyEvent = CallbackEvent(record=record, reference=reference, received_at=datetime.now(UTC))
    return key, event, progress_of(record), payload_digest(payload), size
