"""`routee-failover demo`: every kind of flow at once against a sandbox, and what failover looks like."""

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
"""Seconds between two drawings of the board."""


def demo(
    speed: Annotated[float, typer.Option(help="How many times faster than real time a ttl passes.")] = 60.0,
) -> None:
    """Watch flows of all four kinds go out at once, fail over from Viber to SMS to Voice, and end.

    They go to a sandbox inside this program: no account is needed and nothing
    leaves this machine. At the speed of 60 it takes about ten seconds.

    Example: [cyan]routee-failover demo --speed 30[/]
    """
    so_far = ErrorContext(state_text="the demo sends to its own sandbox only, nothing left this machine")
    with handle_errors(so_far):
        journeys = [ScenarioRun(scene) for scene in SCENARIOS]
        asyncio.run(_run_demo(Terminal(), journeys, speed))
    if any(journey.result is ScenarioResult.LOST for journey in journeys):
        raise typer.Exit(ExitCode.NOT_SENT)


async def _run_demo(console: Terminal, runs: Sequence[ScenarioRun], speed: float) -> None:
    if not speed > 0:
        raise SandboxError(
            "speed must be a positive number: on a clock that stands still no flow of the demo would end"
        )
    loop = asyncio.get_running_loop()
    began = loop.time()

    def now() -> float:
        return loop.time() - began

    async with Sandbox(speed=speed) as sandbox, RouteeClient(sandbox.config()) as client:
        _open(console, len(runs), speed)
        with create_display(console, runs, now) as stage:
            following = asyncio.gather(
                *(run_scenario(journey, client, stage.show_change, now, polling_interval(speed)) for journey in runs)
            )
            await _watch(following, stage, sandbox)
            stage.close()
        print_summary(console, runs, now(), sandbox.counts)


def polling_interval(speed: float) -> float:
    """Seconds between two questions after a flow: often enough to see it move, and no more than that."""
    return min(max(12 / speed, 0.02), 1.0)


async def _watch(following: "asyncio.Future[list[None]]", display: DemoDisplay, sandbox: Sandbox) -> None:
    """Draw until all flows have ended; whatever ends the demo earlier ends them, too."""
    try:
        while not following.done():
            display.refresh(sandbox.counts)
            await asyncio.wait([following], timeout=REFRESH_INTERVAL)
        await following
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(following, return_exceptions=True)


def _open(console: Terminal, flows: int, speed: float) -> None:
    console.print_line()
    console.print_line(
        (f" {flows} flows at once", "bold"), f" to a Routee on this machine, where a second is worth {speed:g}."
    )
    console.print_line()
