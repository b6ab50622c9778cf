"""`routee-failover demo`: runs flows of every kind against a sandbox, and shows them fail over."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Annotated

import typer

from ...client import RouteeClient
from ...sandbox import Sandbox, SandboxError
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..terminal import Terminal
from .display import DemoDisplay, create_display
from .scenario_run import ScenarioResult, ScenarioRun, run_scenario
from .scenarios import SCENARIOS
from .summary import print_summary

REFRESH_INTERVAL = 0.1
"""Seconds between two refreshes of the display."""


def demo(
    speed: Annotated[float, typer.Option(help="Speed of the sandbox's clock, as a multiple of real time.")] = 60.0,
) -> None:
    """Run flows of all four endpoints against a local sandbox, and watch them fail over.

    The sandbox runs inside this program: no account is needed, and nothing leaves
    this machine. At speed 60 it takes about ten seconds.

    Example: [cyan]routee-failover demo --speed 30[/]
    """
    context = ErrorContext(state_text="the demo sends only to its own sandbox, nothing left this machine")
    with handle_errors(context):
        runs = [ScenarioRun(scenario) for scenario in SCENARIOS]
        asyncio.run(_run_demo(Terminal(), runs, speed))
    if any(run.result is ScenarioResult.LOST for run in runs):
        raise typer.Exit(ExitCode.NOT_SENT)


async def _run_demo(console: Terminal, runs: Sequence[ScenarioRun], speed: float) -> None:
    if not speed > 0:
        raise SandboxError("speed must be a positive number: on a frozen clock no flow of the demo would finish")
    loop = asyncio.get_running_loop()
    started_at = loop.time()

    def now() -> float:
        return loop.time() - started_at

    async with Sandbox(speed=speed) as sandbox, RouteeClient(sandbox.config()) as client:
        _print_header(console, len(runs), speed)
        with create_display(console, runs, now) as display:
            running = asyncio.gather(
                *(run_scenario(run, client, display.show_change, now, polling_interval(speed)) for run in runs)
            )
            await _refresh_until_done(running, display, sandbox)
            display.close()
        print_summary(console, runs, now(), sandbox.counts)


def polling_interval(speed: float) -> float:
    """Return the seconds between two requests for a flow's status: often enough to show each change."""
    return min(max(12 / speed, 0.02), 1.0)


async def _refresh_until_done(running: "asyncio.Future[list[None]]", display: DemoDisplay, sandbox: Sandbox) -> None:
    """Refresh the display until all flows are final; cancel them if the demo ends earlier."""
    try:
        while not running.done():
            display.refresh(sandbox.counts)
            await asyncio.wait([running], timeout=REFRESH_INTERVAL)
        await running
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(running, return_exceptions=True)


def _print_header(console: Terminal, flows: int, speed: float) -> None:
    console.print_line()
    console.print_line(
        (f" {flows} flows at once", "bold"), f" to a sandbox on this machine, at {speed:g} times real time."
    )
    console.print_line()
