"""How long a server keeps an idle connection, where it says so: ours is then let go before the server closes it."""

import functools
import re
from collections.abc import Mapping

import aiohttp

CLOSE_MARGIN = 1.0
"""Seconds that a connection is let go before its server would close it; what is written meanwhile is on its way."""
MIN_IDLE_TIMEOUT = 0.5

_timeout = re.compile(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})(?![0-9])", re.IGNORECASE).search


@functools.lru_cache(maxsize=32)
def announced_idle_timeout(header: str) -> float | None:
    """The seconds for which a connection may lie idle after an answer with this header."""
    found = _timeout(header)
    return max(int(found[1]) - CLOSE_MARGIN, MIN_IDLE_TIMEOUT) if found else None


def apply_keep_alive(headers: Mapping[str, str], session: aiohttp.ClientSession) -> None:
    """Keep idle connections for a shorter time, if an answer with these headers asks for it; never for a longer one."""
    seconds, connector = announced_idle_timeout(headers["Keep-Alive"]), session.connector
    # There is no public way to set it. Should its name change, the configured time stays, and a test fails.
    kept = getattr(connector, "_keepalive_timeout", None)
    if seconds is not None and isinstance(kept, int | float) and seconds < kept:
        setattr(connector, "_keepalive_timeout", seconds)  # noqa: B010
