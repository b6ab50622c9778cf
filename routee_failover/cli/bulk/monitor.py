"""A sender is watched to its end: it is shown, and Ctrl-C, SIGTERM and keys reach it. Nothing is left half done."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple, NoReturn, Protocol

from ...bulk.progress import Progress
from ..terminal import OutputClosed, print_error
from .display.progress_display import ProgressDisplay
from .display.row_counts import with_final_totals
from .keyboard import key_bindings
from .signals import StopRequests, exit_now, handle_stop_signals

REFRESH_INTERVAL = 0.2
"""Seconds between two looks at the run."""


class MonitoredSender(Protocol):
    """What is watched; a `BulkSender` is such a thing."""

    @property
    def progress(self) -> Progress:
        """How it stands."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...

    def pause(self, reason: str = "paused") -> None:
        """Begin nothing for a while."""
        ...

    def resume(self) -> None:
        """Begin again."""
        ...


class RunResult(NamedTuple):
    """How it ended."""

    progress: Progress
    interrupted: bool


class PauseToggle:
    """The key that pauses and goes on, and what the board says about it."""

    def __init__(self, pause: Callable[[str], None], resume: Callable[[], None]) -> None:
        self._pause, self._go_on = pause, resume
        self._held = self._stopping = False

    def toggle(self) -> None:
        """Pause, or go on."""
        self._held = not self._held
        if self._held:
            self._pause("paused by hand; p goes on")
        else:
            self._go_on()

    def disable(self) -> None:
        """The run is to end: there is nothing to pause any more."""
        self._stopping = True

    @property
    def hint(self) -> str:
        """What can be pressed."""
        if self._stopping:
            return "what is under way is awaited; Ctrl-C again leaves at once"
        return f"p {'goes on' if self._held else 'pauses'}, Ctrl-C stops and says how to go on"


async def monitor_run(
    sender: MonitoredSender,
    start: Callable[[], "asyncio.Future[Progress]"],
    display: ProgressDisplay,
    pause_toggle: PauseToggle,
    resume_command: str,
) -> RunResult:
    """Run to the end. The first Ctrl-C lets end what is under way; the second leaves the process at once.

    Where nobody takes the output any more, the run stops as by Ctrl-C before that is raised.
    """

    def stop() -> None:
        pause_toggle.disable()
        sender.stop()

    with ExitStack() as stack:
        asked = stack.enter_context(handle_stop_signals(stop))
        restore = stack.enter_context(key_bindings({"p": pause_toggle.toggle, "P": pause_toggle.toggle}))
        stack.enter_context(display)

        def leave_now() -> NoReturn:
            stack.pop_all()
            display.__exit__(None, None, None)
            restore()
            print_error(
                [
                    "left at once. Nobody knows about the messages that were under way; the next run finds it out, "
                    "and sends none of them before that.",
                    f"Go on with: {resume_command}",
                ]
            )
            exit_now()
            raise AssertionError  # pragma: no cover  # the process is gone

        running = start()
        try:
            await _watch(sender, running, display, asked, leave_now)
        except (OutputClosed, OSError):
            sender.stop()
            await _end(running, asked, leave_now)
            raise
        except BaseException:
            running.cancel()
            raise
        progress = with_final_totals(running.result(), interrupted=asked.count > 0)
        display.close(progress)
    return RunResult(progress, asked.count > 0)


async def _watch(
    sender: MonitoredSender,
    running: "asyncio.Future[Progress]",
    display: ProgressDisplay,
    stop_requests: StopRequests,
    leave_now: Callable[[], NoReturn],
) -> None:
    said = False
    while not running.done():
        display.update(sender.progress)
        if stop_requests.count and not said:
            said = True
            under_way = sender.progress.in_flight
            many = f" ({under_way})" if under_way else ""
            display.show_message(
                f"Stopping: nothing more is begun; what is under way{many} is awaited. Ctrl-C again leaves at once.",
                "stopping",
            )
        if stop_requests.count > 1:
            leave_now()
        await stop_requests.wait_or_done(running, REFRESH_INTERVAL)


async def _end(
    running: "asyncio.Future[Progress]", stop_requests: StopRequests, leave_now: Callable[[], NoReturn]
) -> None:
    """Wait for what is under way without a word, because nobody hears it."""
    before = stop_requests.count
    while not running.done():
        if stop_requests.count > max(before, 1):
            leave_now()
        await stop_requests.wait_or_done(running, REFRESH_INTERVAL)
