"""Response headers that change what the client does next: `Keep-Alive` and `Retry-After`."""

import functools
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..outcomes import Response
from .aiohttp_api import BaseConnector, ResponseHeaders, shorten_idle_timeout

CLOSE_MARGIN = 1.0
"""Seconds by which a connection is dropped before its server closes it: time for a request in transit to arrive."""
MIN_IDLE_TIMEOUT = 0.5
"""Lower bound in seconds for how long an idle connection is kept."""
MAX_RETRY_AFTER = 86_400.0
"""Upper bound in seconds of a `Retry-After` header."""

_timeout = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})(?![0-9])", re.IGNORECASE).search


@functools.lru_cache(maxsize=32)
def announced_idle_timeout(header: str) -> float | None:
    """Return how many seconds a connection may stay idle after a response with this `Keep-Alive` header."""
    match = _timeout(header)
    return max(int(match[1]) - CLOSE_MARGIN, MIN_IDLE_TIMEOUT) if match else None


def read_response(
    status: int, headers: ResponseHeaders, body: bytes, connector: BaseConnector | None, *, may_be_unsolicited: bool
) -> Response:
    """Return a response, with the pause that it asks for; the pool keeps idle connections no longer than it says."""
    if "Keep-Alive" in headers:
        apply_keep_alive(headers["Keep-Alive"], connector)
    retry_after = parse_retry_after(headers["Retry-After"]) if "Retry-After" in headers else None
    return Response(status, body, retry_after, may_be_unsolicited)


def apply_keep_alive(header: str, connector: BaseConnector | None) -> None:
    """Shorten the idle timeout of a connection pool if a `Keep-Alive` header asks for it; never extend it."""
    seconds = announced_idle_timeout(header)
    if seconds is not None:
        shorten_idle_timeout(connector, seconds)


def parse_retry_after(header: str) -> float | None:
    """Return the seconds of a `Retry-After` header, in either documented form (seconds or a date); None if invalid."""
    try:
        seconds = float(header) if header.strip().isdigit() else _seconds_until(parsedate_to_datetime(header))
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


def _seconds_until(time: datetime) -> float:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
