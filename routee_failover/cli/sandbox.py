"""`routee-failover sandbox`: a Routee sandbox on this machine, in the foreground, until Ctrl-C."""

import asyncio
import contextlib
import ipaddress
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ..config import Config
from ..errors import InvalidConfig
from ..sandbox import Sandbox
from .error_output import ErrorContext, handle_errors
from .server import local_url, shutdown_event
from .terminal import Terminal, print_error, printable


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = 0,
    speed: Annotated[float, typer.Option(help="Speed of the clock, as a multiple of real time; 0 freezes it.")] = 1.0,
    application_id: Annotated[str, typer.Option(help="Application id to accept.")] = "sandbox",
    application_secret: Annotated[
        str, typer.Option(help="Application secret to accept; it protects nothing.")
    ] = "sandbox-secret",  # noqa: S107
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Store all flows in this file; they survive restarts and kills.")
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="Number of flows to keep; the oldest are dropped.")] = 10_000,
    remote_control: Annotated[
        bool, typer.Option("--remote-control", help="Let other machines use the inbox and the admin API.")
    ] = False,
) -> None:
    """Run a sandbox of Routee's documented API on this machine until Ctrl-C. It delivers no message.

    It prints four lines to paste into another shell; `send`, `track` and
    `search` then use the sandbox.

    Its inbox is a web page that shows every flow that the sandbox accepted.

    The recipient's number decides the outcome of a message: the last three
    digits of +306900000VSP are for Viber, SMS and Voice. 0 is delivered,
    1 undelivered or busy, 2 failed, 3 expired or not answered, 4 seen, 5 not
    sent for lack of balance, 6 a call cut off for lack of balance, 7 a server
    error, 8 a call whose status is unknown for a while. POST /sandbox/rules
    scripts everything else.

    Example: [cyan]routee-failover sandbox --port 8089 --speed 60 --store sandbox.db[/]
    """
    with handle_errors(ErrorContext()), _log_to_stderr():
        Config(application_id=application_id, application_secret=application_secret)  # rejects what no client accepts
        sandbox_server = Sandbox(
            host=host,
            port=port,
            speed=speed,
            application_id=application_id,
            application_secret=application_secret,
            max_flows=keep,
            allow_remote_admin=remote_control,
            store=store,
        )
        asyncio.run(_serve(sandbox_server, application_id, application_secret, store, remote_control=remote_control))


class _StderrLogHandler(logging.Handler):
    """Prints the sandbox's log records on stderr, such as that its disk is full."""

    def emit(self, record: logging.LogRecord) -> None:
        print_error([record.getMessage()])


@contextlib.contextmanager
def _log_to_stderr() -> Iterator[None]:
    log, handler = logging.getLogger("routee_failover.sandbox"), _StderrLogHandler()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


async def _serve(
    sandbox_server: Sandbox,
    application_id: str,
    application_secret: str,
    store: Path | None = None,
    *,
    remote_control: bool = False,
) -> None:
    stop = shutdown_event()
    async with sandbox_server:
        _print_settings(sandbox_server, application_id, application_secret, store, remote_control=remote_control)
        await stop.wait()
    counts, messages = sandbox_server.counts, Terminal(stderr=True)
    messages.print_line(f"\nSandbox stopped. Flows accepted: {counts.accepted}; requests rejected: {counts.rejected}.")
    if sandbox_server.store_failure is not None:
        messages.print_line(
            (f"Not everything was stored in {printable(store)}: {sandbox_server.store_failure}.", "yellow")
        )


def _print_settings(
    sandbox_server: Sandbox, application_id: str, application_secret: str, store: Path | None, *, remote_control: bool
) -> None:
    """Print the settings. Only the four lines go to stdout, for a script to evaluate; all else goes to stderr."""
    output, messages = Terminal(), Terminal(stderr=True)
    url = local_url(sandbox_server.url)
    messages.print_line(("Routee sandbox listening at ", "bold"), (url, "bold cyan"))
    messages.print_line("Inbox: ", (f"{url}/", "cyan"))
    if not remote_control and not ipaddress.ip_address(urlsplit(sandbox_server.url).hostname or "").is_loopback:
        messages.print_line("Other machines can send to it but cannot open its inbox; --remote-control allows that.")
    if store is not None:
        messages.print_line(f"Stored in {printable(store)}; flows restored: {len(sandbox_server.accepted)}")
    messages.print_line()
    messages.print_line("In another shell:")
    messages.print_line()
    settings = {
        "ROUTEE_APPLICATION_ID": application_id,
        "ROUTEE_APPLICATION_SECRET": application_secret,
        "ROUTEE_API_URL": url,
        "ROUTEE_AUTH_URL": url,
    }
    for name, value in settings.items():
        output.print_line(f"export {name}={shlex.quote(value)}")
    messages.print_line()
    messages.print_line("then run ", ("routee-failover send FILE", "cyan"), ". Press Ctrl-C to stop the sandbox.")
    try:
        sandbox_server.config(api_url=url, auth_url=url)
    except InvalidConfig as error:
        messages.print_line(("No client will accept this address: ", "yellow"), str(error))
