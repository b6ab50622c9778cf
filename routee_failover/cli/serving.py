"""What the commands share that serve in the foreground until somebody stops them."""

import asyncio
import contextlib
import signal
from urllib.parse import urlsplit

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # what listens everywhere is reached on loopback


def stopped() -> asyncio.Event:
    """Set once Ctrl-C or SIGTERM asks the process to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on Windows, nor outside the main thread
            loop.add_signal_handler(ending, stop.set)
    return stop


def reachable(url: str) -> str:
    """An address that another program on this machine can call."""
    parts = urlsplit(url)
    host = _ANYWHERE.get(parts.hostname or "")
    return url if host is None else f"http://{host}:{parts.port}"
