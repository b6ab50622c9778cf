"""What the commands share that serve in the foreground until somebody stops them."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import InvalidConfig

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # what listens everywhere is reached on loopback


def shutdown_signals() -> list[signal.Signals]:
    """Signals that ask a process to end: Ctrl-C, SIGTERM, and SIGHUP where a terminal may be closed.

    `nohup` has SIGHUP ignored, and so it stays.
    """
    names = ["SIGINT", "SIGTERM", "SIGHUP"]
    signals = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [one for one in signals if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


def shutdown_event() -> asyncio.Event:
    """Set once a signal asks the process to end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for ending in shutdown_signals():
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on Windows, nor outside the main thread
            loop.add_signal_handler(ending, stop.set)
    return stop


def local_url(url: str) -> str:
    """An address that another program on this machine can call."""
    parts = urlsplit(url)
    host = _ANYWHERE.get(parts.hostname or "")
    return url if host is None else f"http://{host}:{parts.port}"


@contextlib.asynccontextmanager
async def serve_app(
    app: web.Application, host: str, port: int, error_format: str = "{}"
) -> AsyncIterator[web.AppRunner]:
    """Serve an application as long as the block goes on.

    Raises `InvalidConfig` where nobody can listen there; `wording` is the sentence around why.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, UnicodeError) as error:
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "there is no such address"
            raise InvalidConfig(error_format.format(f"cannot listen on {host} port {port}: {why}")) from None
        yield runner
    finally:
        await runner.cleanup()
