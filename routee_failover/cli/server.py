"""Helpers of the commands that serve in the foreground until they are stopped: signals, addresses, HTTP server."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import InvalidConfig

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  # a wildcard address is reached on loopback


def shutdown_signals() -> list[signal.Signals]:
    """Return the signals that stop a command: Ctrl-C, SIGTERM, and SIGHUP of a closed terminal.

    Under `nohup` SIGHUP is ignored, and stays so.
    """
    names = ["SIGINT", "SIGTERM", "SIGHUP"]
    signals = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [one for one in signals if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


def shutdown_event() -> asyncio.Event:
    """Return an event that is set once a signal stops the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for shutdown_signal in shutdown_signals():
        with contextlib.suppress(NotImplementedError, RuntimeError):  # not on Windows, nor outside the main thread
            loop.add_signal_handler(shutdown_signal, stop.set)
    return stop


def local_url(url: str) -> str:
    """Return a URL that another program on this machine can use."""
    parts = urlsplit(url)
    host = _WILDCARDS.get(parts.hostname or "")
    return url if host is None else f"http://{host}:{parts.port}"


@contextlib.asynccontextmanager
async def serve_app(
    app: web.Application, host: str, port: int, error_format: str = "{}"
) -> AsyncIterator[web.AppRunner]:
    """Serve an application for as long as the block runs.

    Raises `InvalidConfig` if it cannot listen there; `error_format` is the sentence around the reason.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, UnicodeError) as error:
            reason = (
                os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "there is no such address"
            )
            raise InvalidConfig(error_format.format(f"cannot listen on {host} port {port}: {reason}")) from None
        yield runner
    finally:
        await runner.cleanup()
