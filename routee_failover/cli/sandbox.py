"""`routee-failover sandbox`: Routee on this machine, in the foreground, until Ctrl-C."""

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
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 0,
    speed: Annotated[
        float, typer.Option(help="How many times faster than real time a ttl passes; 0 freezes time.")
    ] = 1.0,
    application_id: Annotated[str, typer.Option(help="The id to take as the application's.")] = "sandbox",
    application_secret: Annotated[str, typer.Option(help="Its secret; a key to nothing.")] = "sandbox-secret",  # noqa: S107
    store: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep everything in this file, through restarts and kills.")
    ] = None,
    keep: Annotated[int, typer.Option(min=1, help="How many flows to remember: the newest.")] = 10_000,
    remote_control: Annotated[
        bool, typer.Option("--remote-control", help="Let other machines read the inbox and control the sandbox, too.")
    ] = False,
) -> None:
    """Run a Routee on this machine until Ctrl-C: the documented API, and no message ever leaves.

    It prints four lines to paste into another shell, where `send` and `track` then speak to it.

    Its inbox is a page that shows every message as it comes.

    The recipient decides what becomes of a message: the last three digits of
    +306900000VSP are for Viber, SMS and Voice. 0 is delivered, 1 undelivered or
    busy, 2 failed, 3 expired or not answered, 4 seen, 5 unsent for want of balance,
    6 a call that is cut for want of it, 7 a server error, 8 a call whose status is
    unknown for a while. POST /sandbox/rules scripts what numbers cannot say.

    Example: [cyan]routee-failover sandbox --port 8089 --speed 60 --store sandbox.db[/]
    """
    with handle_errors(ErrorContext()), _log_to_stderr():
        Config(application_id=application_id, application_secret=application_secret)  # refuses what no client takes
        here = Sandbox(
            host=host,
            port=port,
            speed=speed,
            application_id=application_id,
            application_secret=application_secret,
            max_flows=keep,
            allow_remote_admin=remote_control,
            store=store,
        )
        asyncio.run(_serve(here, application_id, application_secret, store, remote_control=remote_control))


class _StderrLogHandler(logging.Handler):
    """Tells what the sandbox has to say while it runs, such as that its disk is full."""

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
    here: Sandbox,
    application_id: str,
    application_secret: str,
    store: Path | None = None,
    *,
    remote_control: bool = False,
) -> None:
    stop = shutdown_event()
    async with here:
        _print_settings(here, application_id, application_secret, store, remote_control=remote_control)
        await stop.wait()
    counts, words = here.counts, Terminal(stderr=True)
    words.print_line(
        f"\nThe sandbox has stopped. Flows accepted: {counts.accepted}; requests refused: {counts.rejected}."
    )
    if here.store_failure is not None:
        words.print_line((f"Not all of it was kept in {printable(store)}: {here.store_failure}.", "yellow"))


def _print_settings(
    here: Sandbox, application_id: str, application_secret: str, store: Path | None, *, remote_control: bool
) -> None:
    """Only the four lines go to stdout, so that a script can evaluate them; the words around them go to stderr."""
    out, words = Terminal(), Terminal(stderr=True)
    url = local_url(here.url)
    words.print_line(("A Routee sandbox listens at ", "bold"), (url, "bold cyan"))
    words.print_line("Its inbox is ", (f"{url}/", "cyan"))
    if not remote_control and not ipaddress.ip_address(urlsplit(here.url).hostname or "").is_loopback:
        words.print_line(
            "Other machines may send to it; its inbox is for this one, unless --remote-control lets them in."
        )
    if store is not None:
        words.print_line(f"Everything is kept in {printable(store)}; flows from before: {len(here.accepted)}")
    words.print_line()
    words.print_line("In another shell:")
    words.print_line()
    settings = {
        "ROUTEE_APPLICATION_ID": application_id,
        "ROUTEE_APPLICATION_SECRET": application_secret,
        "ROUTEE_API_URL": url,
        "ROUTEE_AUTH_URL": url,
    }
    for name, value in settings.items():
        out.print_line(f"export {name}={shlex.quote(value)}")
    words.print_line()
    words.print_line("then try ", ("routee-failover send FILE", "cyan"), ". Ctrl-C stops the sandbox.")
    try:
        here.config(api_url=url, auth_url=url)
    except InvalidConfig as error:
        words.print_line(("But no client will use it: ", "yellow"), str(error))
