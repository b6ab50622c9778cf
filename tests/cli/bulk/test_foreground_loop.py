"""Monitor of a run: the first stop signal drains, the second exits, keys pause, and a closed output stops it."""

import asyncio
import os
import pty
import signal
import sys
import termios
from collections.abc import Callable
from typing import Self

import attrs
import pytest

from routee_failover.bulk.progress import Phase, Progress
from routee_failover.cli.bulk import foreground_loop as module
from routee_failover.cli.bulk.foreground_loop import PauseToggle, RunResult, monitor_run
from routee_failover.cli.bulk.keyboard import key_bindings
from routee_failover.cli.bulk.signals import handle_stop_signals
from routee_failover.cli.terminal import OutputClosed

from .progress_samples import SENDING

RESUME = "routee-failover bulk resume run.sqlite"


class FakeSender:
    """A sender whose messages in flight end when `drained` is set."""

    def __init__(self) -> None:
        self.progress: Progress = SENDING
        self.stopped = 0
        self.pauses: list[str] = []
        self.drained = asyncio.Event()

    def stop(self) -> None:
        """Count the call."""
        self.stopped += 1

    def pause(self, reason: str = "paused") -> None:
        """Record the call."""
        self.pauses.append(reason)

    def resume(self) -> None:
        """Record the call."""
        self.pauses.append("on")

    def start(self) -> "asyncio.Future[Progress]":
        """Start the run."""
        return asyncio.ensure_future(self._run())

    async def _run(self) -> Progress:
        await self.drained.wait()
        return attrs.evolve(self.progress, phase=Phase.DONE)


class RecordingDisplay:
    """A display that records its events, and calls back at each update."""

    def __init__(self, on_update: Callable[[int], None]) -> None:
        self.frames, self.messages, self.events = 0, list[str](), list[str]()
        self._on_update = on_update

    def __enter__(self) -> Self:
        self.events.append("enter")
        return self

    def __exit__(self, *error: object) -> None:
        self.events.append("exit")

    def update(self, progress: Progress) -> None:
        """Let the test act."""
        self.frames += 1
        self._on_update(self.frames)

    def show_message(self, text: str, event: str) -> None:
        """Record the message."""
        self.messages.append(text)
        self.events.append(event)

    def close(self, progress: Progress) -> None:
        """Record the call."""
        self.events.append("close")


async def _monitor(run: FakeSender, display: RecordingDisplay) -> RunResult:
    return await asyncio.wait_for(monitor_run(run, run.start, display, PauseToggle(run.pause, run.resume), RESUME), 10)


async def test_undisturbed_run_is_displayed_to_its_end() -> None:
    """An undisturbed run is displayed to its end."""
    run = FakeSender()
    display = RecordingDisplay(lambda frame: run.drained.set() if frame == 2 else None)
    result = await _monitor(run, display)
    assert (result.progress.phase, result.interrupted, run.stopped) == (Phase.DONE, False, 0)
    assert display.events == ["enter", "close", "exit"]


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_first_signal_drains(stop_signal: signal.Signals) -> None:
    """Ctrl-C, SIGTERM or SIGHUP sends nothing more, prints what is waited for, and ends when that has ended."""
    run = FakeSender()
    handler = signal.getsignal(stop_signal)

    def act(frame: int) -> None:
        if frame == 1:
            os.kill(os.getpid(), stop_signal)
        if display.messages:
            run.drained.set()

    display = RecordingDisplay(act)
    result = await _monitor(run, display)
    assert (result.interrupted, run.stopped) == (True, 1)
    assert display.messages == [
        "Stopping: nothing more is sent; waiting for messages in flight (100). Ctrl-C again exits at once."
    ]
    assert display.events == ["enter", "stopping", "close", "exit"]
    assert signal.getsignal(stop_signal) == handler


async def test_repeated_hangups_do_not_exit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeated SIGHUPs together with one SIGTERM count as one request: messages in flight are waited for."""
    monkeypatch.setattr(module, "exit_now", lambda: pytest.fail("it exited"))
    run = FakeSender()
    signals = [signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGHUP]

    def act(frame: int) -> None:
        if signals:
            os.kill(os.getpid(), signals.pop(0))
        else:
            run.drained.set()

    result = await _monitor(run, RecordingDisplay(act))
    assert (result.interrupted, run.stopped) == (True, 4)


async def test_ignored_hangup_does_not_stop_the_run() -> None:
    """An ignored SIGHUP, as under nohup, does not stop the run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_stop_signals(lambda: None) as stop_requests:
            os.kill(os.getpid(), signal.SIGHUP)
            await stop_requests.wait(0.05)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert stop_requests.count == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_second_interrupt_exits_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second Ctrl-C waits for nothing, restores the terminal, and prints the resume command."""
    run = FakeSender()
    events_at_exit: list[str] = []

    class _Exited(BaseException):
        """The process is gone."""

    def record_exit() -> None:
        events_at_exit.extend(display.events)
        raise _Exited

    monkeypatch.setattr(module, "exit_now", record_exit)
    display = RecordingDisplay(lambda frame: os.kill(os.getpid(), signal.SIGINT) if frame <= 2 else None)
    with pytest.raises(_Exited):
        await _monitor(run, display)
    assert events_at_exit == ["enter", "stopping", "exit"]
    errors = capsys.readouterr().err
    assert "exited at once" in errors
    assert f"Resume with: {RESUME}" in errors


@pytest.mark.parametrize("failure", [OutputClosed(), BrokenPipeError()])
async def test_closed_output_drains_before_raising(failure: Exception) -> None:
    """When the output is closed, messages in flight end before the command does."""
    run = FakeSender()

    def act(frame: int) -> None:
        asyncio.get_running_loop().call_later(0.3, run.drained.set)
        raise failure

    display = RecordingDisplay(act)
    with pytest.raises(type(failure)):
        await _monitor(run, display)
    assert run.stopped == 1
    assert run.drained.is_set()


async def test_failing_run_closes_the_display() -> None:
    """An exception of the run is raised, after the display is closed."""
    run = FakeSender()

    async def fail() -> Progress:
        raise ValueError("x")

    display = RecordingDisplay(lambda frame: None)
    with pytest.raises(ValueError, match="x"):
        await monitor_run(
            run, lambda: asyncio.ensure_future(fail()), display, PauseToggle(run.pause, run.resume), RESUME
        )
    assert display.events == ["enter", "exit"]


async def test_p_pauses_and_resumes_and_the_terminal_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, p pauses and resumes; afterwards the terminal is restored."""
    terminal, tty = pty.openpty()
    before = termios.tcgetattr(tty)
    run = FakeSender()
    toggle = PauseToggle(run.pause, run.resume)
    with open(tty, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
        with key_bindings({"p": toggle.toggle}):
            assert termios.tcgetattr(tty) != before
            assert toggle.hint.startswith("p pauses")
            os.write(terminal, b"xp")
            await _until(lambda: bool(run.pauses))
            assert toggle.hint.startswith("p resumes")
            os.write(terminal, b"p")
            await _until(lambda: len(run.pauses) == 2)
        assert termios.tcgetattr(tty) == before
    os.close(tty)
    os.close(terminal)
    assert run.pauses == ["paused by key; p resumes", "on"]
    toggle.disable()
    assert "Ctrl-C again" in toggle.hint


async def test_background_process_leaves_the_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A background process does not change the terminal."""
    terminal, tty = pty.openpty()
    before = termios.tcgetattr(tty)
    with open(tty, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp() + 1)
        with key_bindings({}):
            assert termios.tcgetattr(tty) == before
    os.close(tty)
    os.close(terminal)


async def test_missing_termios_disables_key_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without termios there are no key bindings."""
    monkeypatch.setitem(sys.modules, "termios", None)
    with key_bindings({"p": lambda: None}) as restore:
        restore()


async def test_closed_terminal_removes_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the terminal is closed, the run continues without key bindings."""
    terminal, tty = pty.openpty()
    with open(tty, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
        with key_bindings({}):
            os.close(terminal)
            await asyncio.sleep(0.05)
            assert not asyncio.get_running_loop().remove_reader(tty)
    os.close(tty)


async def test_pipe_disables_key_bindings() -> None:
    """A pipe has no key bindings, and no error."""
    with key_bindings({"p": lambda: None}) as restore:
        restore()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.01)
