"""Parse a `Retry-After` header into seconds."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 86_400.0
"""Upper bound in seconds of a `Retry-After` header."""


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header, in either documented form (seconds or a date); None if invalid."""
    header = headers["Retry-After"]
    try:
        seconds = float(header) if header.strip().isdigit() else _seconds_until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def _seconds_until(time: datetime) -> float:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
