"""Monitor of a run: displays its progress, and stops or pauses it at Ctrl-C, SIGTERM and keys, always cleanly."""

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
"""Seconds between two updates of the display."""


class MonitoredSender(Protocol):
    """Sender that a monitor controls, such as a `BulkSender`."""

    @property
    def progress(self) -> Progress:
        """The current progress."""
        ...

    def stop(self) -> None:
        """Send nothing more."""
        ...

    def pause(self, reason: str = "paused") -> None:
        """Send nothing until `resume`."""
        ...

    def resume(self) -> None:
        """Continue to send."""
        ...


class RunResult(NamedTuple):
    """Final progress of a run, and whether it was interrupted."""

    progress: Progress
    interrupted: bool


class PauseToggle:
    """Key that pauses and resumes the run, and the hint for it on the dashboard."""

    def __init__(self, pause: Callable[[str], None], resume: Callable[[], None]) -> None:
        self._pause, self._resume = pause, resume
        self._paused = self._stopping = False

    def toggle(self) -> None:
        """Pause or resume."""
        self._paused = not self._paused
        if self._paused:
            self._pause("paused by key; p resumes")
        else:
            self._resume()

    def disable(self) -> None:
        """Show that the run is stopping and can no longer be paused."""
        self._stopping = True

    @property
    def hint(self) -> str:
        """The keys that can be pressed now."""
        if self._stopping:
            return "waiting for messages in flight; Ctrl-C again exits at once"
        return f"p {'resumes' if self._paused else 'pauses'}, Ctrl-C stops and prints how to resume"


async def monitor_run(
    sender: MonitoredSender,
    start: Callable[[], "asyncio.Future[Progress]"],
    display: ProgressDisplay,
    pause_toggle: PauseToggle,
    resume_command: str,
) -> RunResult:
    """Run to the end. The first Ctrl-C waits for messages in flight; the second exits the process at once.

    If the output is closed, the run stops as for Ctrl-C before the error is raised.
    """

    def stop() -> None:
        pause_toggle.disable()
        sender.stop()

    with ExitStack() as stack:
        stop_requests = stack.enter_context(handle_stop_signals(stop))
        restore = stack.enter_context(key_bindings({"p": pause_toggle.toggle, "P": pause_toggle.toggle}))
        stack.enter_context(display)

        def exit_process() -> NoReturn:
            stack.pop_all()
            display.__exit__(None, None, None)
            restore()
            print_error(
                [
                    "exited at once. The outcome of the messages in flight is unknown; the next run reconciles them, "
                    "and sends none of them before that.",
                    f"Resume with: {resume_command}",
                ]
            )
            exit_now()
            raise AssertionError  # pragma: no cover  # the process is gone

        running = start()
        try:
            await _update_until_done(sender, running, display, stop_requests, exit_process)
        except (OutputClosed, OSError):
            sender.stop()
            await _drain(running, stop_requests, exit_process)
            raise
        except BaseException:
            running.cancel()
            raise
        progress = with_final_totals(running.result(), interrupted=stop_requests.count > 0)
        display.close(progress)
    return RunResult(progress, stop_requests.count > 0)


async def _update_until_done(
    sender: MonitoredSender,
    running: "asyncio.Future[Progress]",
    display: ProgressDisplay,
    stop_requests: StopRequests,
    exit_process: Callable[[], NoReturn],
) -> None:
    announced = False
    while not running.done():
        display.update(sender.progress)
        if stop_requests.count and not announced:
            announced = True
            in_flight = sender.progress.in_flight
            count = f" ({in_flight})" if in_flight else ""
            display.show_message(
                f"Stopping: nothing more is sent; waiting for messages in flight{count}. Ctrl-C again exits at once.",
                "stopping",
            )
        if stop_requests.count > 1:
            exit_process()
        await stop_requests.wait_or_done(running, REFRESH_INTERVAL)


async def _drain(
    running: "asyncio.Future[Progress]", stop_requests: StopRequests, exit_process: Callable[[], NoReturn]
) -> None:
    """Wait for the messages in flight, silently: the output is closed."""
    initial_count = stop_requests.count
    while not running.done():
        if stop_requests.count > max(initial_count, 1):
            exit_process()
        await stop_requests.wait_or_done(running, REFRESH_INTERVAL)
