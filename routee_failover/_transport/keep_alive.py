"""Keep-alive timeout announced by a server: idle connections are dropped before the server would close them."""

import functools
import re
from collections.abc import Mapping

import aiohttp

CLOSE_MARGIN = 1.0
"""Seconds by which a connection is dropped before its server closes it: time for a request in transit to arrive."""
MIN_IDLE_TIMEOUT = 0.5
"""Lower bound in seconds for how long an idle connection is kept."""

_timeout = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})(?![0-9])", re.IGNORECASE).search


@functools.lru_cache(maxsize=32)
def announced_idle_timeout(header: str) -> float | None:
    """Return how many seconds a connection may stay idle after a response with this `Keep-Alive` header."""
    match = _timeout(header)
    return max(int(match[1]) - CLOSE_MARGIN, MIN_IDLE_TIMEOUT) if match else None


def apply_keep_alive(headers: Mapping[str, str], session: aiohttp.ClientSession) -> None:
    """Shorten the idle timeout of the connection pool if a response with these headers asks for it; never extend it."""
    seconds, connector = announced_idle_timeout(headers["Keep-Alive"]), session.connector
    # There is no public way to set it. Should the attribute be renamed, the configured time stays, and a test fails.
    configured = getattr(connector, "_keepalive_timeout", None)
    if seconds is not None and isinstance(configured, int | float) and seconds < configured:
        setattr(connector, "_keepalive_timeout", seconds)  # noqa: B010
