"""`routee-failover demo`: every kind of flow at once against a sandbox, and what failover looks like."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Annotated

import typer

from ...client import RouteeClient
from ...sandbox import Sandbox, SandboxError
from ..failures import SoFar, told
from ..status import Status
from ..terminal import Terminal
from .cast import SCENES
from .journey import Ending, Journey, follow
from .stage import Stage, stage_for
from .summary import show_summary

FRAME = 0.1
"""Seconds between two drawings of the board."""


def demo(
    speed: Annotated[float, typer.Option(help="How many times faster than real time a ttl passes.")] = 60.0,
) -> None:
    """Watch flows of all four kinds go out at once, fail over from Viber to SMS to Voice, and end.

    They go to a sandbox inside this program: no account is needed and nothing
    leaves this machine. At the speed of 60 it takes about ten seconds.

    Example: [cyan]routee-failover demo --speed 30[/]
    """
    so_far = SoFar(words="the demo sends to its own sandbox only, nothing left this machine")
    with told(so_far):
        journeys = [Journey(scene) for scene in SCENES]
        asyncio.run(_play(Terminal(), journeys, speed))
    if any(journey.ending is Ending.LOST for journey in journeys):
        raise typer.Exit(Status.NOT_SENT)


async def _play(console: Terminal, journeys: Sequence[Journey], speed: float) -> None:
    if not speed > 0:
        raise SandboxError(
            "speed must be a positive number: on a clock that stands still no flow of the demo would end"
        )
    loop = asyncio.get_running_loop()
    began = loop.time()

    def now() -> float:
        return loop.time() - began

    async with Sandbox(speed=speed) as sandbox, RouteeClient(sandbox.config()) as client:
        _open(console, len(journeys), speed)
        with stage_for(console, journeys, now) as stage:
            following = asyncio.gather(
                *(follow(journey, client, stage.tell, now, pause_at(speed)) for journey in journeys)
            )
            await _watch(following, stage, sandbox)
            stage.close()
        show_summary(console, journeys, now(), sandbox.counts)


def pause_at(speed: float) -> float:
    """Seconds between two questions after a flow: often enough to see it move, and no more than that."""
    return min(max(12 / speed, 0.02), 1.0)


async def _watch(following: "asyncio.Future[list[None]]", stage: Stage, sandbox: Sandbox) -> None:
    """Draw until all flows have ended; whatever ends the demo earlier ends them, too."""
    try:
        while not following.done():
            stage.draw(sandbox.counts)
            await asyncio.wait([following], timeout=FRAME)
        await following
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(following, return_exceptions=True)


def _open(console: Terminal, flows: int, speed: float) -> None:
    console.say()
    console.say(
        (f" {flows} flows at once", "bold"), f" to a Routee on this machine, where a second is worth {speed:g}."
    )
    console.say()
