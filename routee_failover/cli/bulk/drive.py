"""A sender is watched to its end: it is shown, and Ctrl-C, SIGTERM and keys reach it. Nothing is left half done."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple, NoReturn, Protocol

from ...bulk.progress import Progress
from ..terminal import OutputClosed, complain
from .keys import pressed
from .stopping import Asked, asked_to_stop, leave
from .view.stage import Stage
from .view.tally import completed

FRAME = 0.2
"""Seconds between two looks at the run."""


class Driven(Protocol):
    """What is watched; a `BulkSender` is such a thing."""

    @property
    def progress(self) -> Progress:
        """How it stands."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...

    def pause(self, why: str = "paused") -> None:
        """Begin nothing for a while."""
        ...

    def go_on(self) -> None:
        """Begin again."""
        ...


class Ended(NamedTuple):
    """How it ended."""

    progress: Progress
    interrupted: bool


class Switch:
    """The key that pauses and goes on, and what the board says about it."""

    def __init__(self, pause: Callable[[str], None], go_on: Callable[[], None]) -> None:
        self._pause, self._go_on = pause, go_on
        self._held = self._stopping = False

    def press(self) -> None:
        """Pause, or go on."""
        self._held = not self._held
        if self._held:
            self._pause("paused by hand; p goes on")
        else:
            self._go_on()

    def stop(self) -> None:
        """The run is to end: there is nothing to pause any more."""
        self._stopping = True

    @property
    def hint(self) -> str:
        """What can be pressed."""
        if self._stopping:
            return "what is under way is awaited; Ctrl-C again leaves at once"
        return f"p {'goes on' if self._held else 'pauses'}, Ctrl-C stops and says how to go on"


async def drive(
    sender: Driven, run: Callable[[], "asyncio.Future[Progress]"], stage: Stage, switch: Switch, resume: str
) -> Ended:
    """Run to the end. The first Ctrl-C lets end what is under way; the second leaves the process at once.

    Where nobody takes the output any more, the run stops as by Ctrl-C before that is raised.
    """

    def stop() -> None:
        switch.stop()
        sender.stop()

    with ExitStack() as stack:
        asked = stack.enter_context(asked_to_stop(stop))
        restore = stack.enter_context(pressed({"p": switch.press, "P": switch.press}))
        stack.enter_context(stage)

        def leave_now() -> NoReturn:
            stack.pop_all()
            stage.__exit__(None, None, None)
            restore()
            complain(
                [
                    "left at once. Nobody knows about the messages that were under way; the next run finds it out, "
                    "and sends none of them before that.",
                    f"Go on with: {resume}",
                ]
            )
            leave()
            raise AssertionError  # pragma: no cover  # the process is gone

        running = run()
        try:
            await _watch(sender, running, stage, asked, leave_now)
        except (OutputClosed, OSError):
            sender.stop()
            await _end(running, asked, leave_now)
            raise
        except BaseException:
            running.cancel()
            raise
        progress = completed(running.result(), interrupted=asked.times > 0)
        stage.close(progress)
    return Ended(progress, asked.times > 0)


async def _watch(
    sender: Driven,
    running: "asyncio.Future[Progress]",
    stage: Stage,
    asked: Asked,
    leave_now: Callable[[], NoReturn],
) -> None:
    said = False
    while not running.done():
        stage.show(sender.progress)
        if asked.times and not said:
            said = True
            under_way = sender.progress.in_flight
            many = f" ({under_way})" if under_way else ""
            stage.say(
                f"Stopping: nothing more is begun; what is under way{many} is awaited. Ctrl-C again leaves at once.",
                "stopping",
            )
        if asked.times > 1:
            leave_now()
        await asked.or_done(running, FRAME)


async def _end(running: "asyncio.Future[Progress]", asked: Asked, leave_now: Callable[[], NoReturn]) -> None:
    """Wait for what is under way without a word, because nobody hears it."""
    before = asked.times
    while not running.done():
        if asked.times > max(before, 1):
            leave_now()
        await asked.or_done(running, FRAME)
