"""Keep-alive timeout announced by a server: idle connections are dropped before the server would close them."""

import functools
import re

from .aiohttp_api import BaseConnector, shorten_idle_timeout

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


def apply_keep_alive(header: str, connector: BaseConnector | None) -> None:
    """Shorten the idle timeout of a connection pool if a `Keep-Alive` header asks for it; never extend it."""
    seconds = announced_idle_timeout(header)
    if seconds is not None:
        shorten_idle_timeout(connector, seconds)
