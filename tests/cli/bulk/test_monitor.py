"""How a run is driven: the first Ctrl-C drains, the second leaves, keys pause, and a closed output stops it first."""

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
from routee_failover.cli.bulk import monitor as module
from routee_failover.cli.bulk.keyboard import key_bindings
from routee_failover.cli.bulk.monitor import PauseToggle, RunResult, monitor_run
from routee_failover.cli.bulk.signals import handle_stop_signals
from routee_failover.cli.terminal import OutputClosed

from .progress_samples import SENDING

RESUME = "routee-failover bulk resume run.sqlite"


class FakeSender:
    """Stands for a sender whose messages under way end when they are told to."""

    def __init__(self) -> None:
        self.progress: Progress = SENDING
        self.stopped = 0
        self.pauses: list[str] = []
        self.drained = asyncio.Event()

    def stop(self) -> None:
        """Count it."""
        self.stopped += 1

    def pause(self, reason: str = "paused") -> None:
        """Note it."""
        self.pauses.append(reason)

    def resume(self) -> None:
        """Note it."""
        self.pauses.append("on")

    def start(self) -> "asyncio.Future[Progress]":
        """Begin."""
        return asyncio.ensure_future(self._run())

    async def _run(self) -> Progress:
        await self.drained.wait()
        return attrs.evolve(self.progress, phase=Phase.DONE)


class RecordingDisplay:
    """Stands for a stage, and calls what a test has to do when it is shown something."""

    def __init__(self, when_shown: Callable[[int], None]) -> None:
        self.frames, self.said, self.events = 0, list[str](), list[str]()
        self._when_shown = when_shown

    def __enter__(self) -> Self:
        self.events.append("enter")
        return self

    def __exit__(self, *error: object) -> None:
        self.events.append("exit")

    def update(self, progress: Progress) -> None:
        """Let the test act."""
        self.frames += 1
        self._when_shown(self.frames)

    def show_message(self, text: str, event: str) -> None:
        """Note it."""
        self.said.append(text)
        self.events.append(event)

    def close(self, progress: Progress) -> None:
        """Note it."""
        self.events.append("close")


async def _drive(run: FakeSender, shown: RecordingDisplay) -> RunResult:
    return await asyncio.wait_for(monitor_run(run, run.start, shown, PauseToggle(run.pause, run.resume), RESUME), 10)


async def test_to_the_end() -> None:
    """A run that nobody disturbs is shown to its end."""
    run = FakeSender()
    shown = RecordingDisplay(lambda frame: run.drained.set() if frame == 2 else None)
    ended = await _drive(run, shown)
    assert (ended.progress.phase, ended.interrupted, run.stopped) == (Phase.DONE, False, 0)
    assert shown.events == ["enter", "close", "exit"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_the_first_drains(sent: signal.Signals) -> None:
    """Ctrl-C, SIGTERM or a closed terminal begins nothing more, says what is awaited, and ends when that has ended."""
    run = FakeSender()
    before = signal.getsignal(sent)

    def act(frame: int) -> None:
        if frame == 1:
            os.kill(os.getpid(), sent)
        if shown.said:
            run.drained.set()

    shown = RecordingDisplay(act)
    ended = await _drive(run, shown)
    assert (ended.interrupted, run.stopped) == (True, 1)
    assert shown.said == [
        "Stopping: nothing more is begun; what is under way (100) is awaited. Ctrl-C again leaves at once."
    ]
    assert shown.events == ["enter", "stopping", "close", "exit"]
    assert signal.getsignal(sent) == before


async def test_a_hangup_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGHUP may come several times, and together with one SIGTERM: what is under way is awaited all the same."""
    monkeypatch.setattr(module, "leave", lambda: pytest.fail("it left"))
    run = FakeSender()
    sent = [signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGHUP]

    def act(frame: int) -> None:
        if sent:
            os.kill(os.getpid(), sent.pop(0))
        else:
            run.drained.set()

    ended = await _drive(run, RecordingDisplay(act))
    assert (ended.interrupted, run.stopped) == (True, 4)


async def test_nohup_is_kept() -> None:
    """Where SIGHUP is ignored, as under nohup, the run is not ended by it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handle_stop_signals(lambda: None) as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            await asked.wait(0.05)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert asked.count == 0
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_the_second_leaves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The second Ctrl-C waits for nothing, gives the terminal back, and says how to go on."""
    run = FakeSender()
    left: list[str] = []

    class Gone(BaseException):
        """The process is gone."""

    def leave() -> None:
        left.extend(shown.events)
        raise Gone

    monkeypatch.setattr(module, "leave", leave)
    shown = RecordingDisplay(lambda frame: os.kill(os.getpid(), signal.SIGINT) if frame <= 2 else None)
    with pytest.raises(Gone):
        await _drive(run, shown)
    assert left == ["enter", "stopping", "exit"]
    said = capsys.readouterr().err
    assert "left at once" in said
    assert f"Go on with: {RESUME}" in said


@pytest.mark.parametrize("failure", [OutputClosed(), BrokenPipeError()])
async def test_nobody_reads(failure: Exception) -> None:
    """When the output is closed, what is under way ends before the command does."""
    run = FakeSender()

    def act(frame: int) -> None:
        asyncio.get_running_loop().call_later(0.3, run.drained.set)
        raise failure

    shown = RecordingDisplay(act)
    with pytest.raises(type(failure)):
        await _drive(run, shown)
    assert run.stopped == 1
    assert run.drained.is_set()


async def test_a_run_that_fails() -> None:
    """What a run raises comes out, with the terminal given back."""
    run = FakeSender()

    async def fail() -> Progress:
        raise ValueError("x")

    shown = RecordingDisplay(lambda frame: None)
    with pytest.raises(ValueError, match="x"):
        await monitor_run(run, lambda: asyncio.ensure_future(fail()), shown, PauseToggle(run.pause, run.resume), RESUME)
    assert shown.events == ["enter", "exit"]


async def test_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, p pauses and goes on; afterwards the terminal is as it was."""
    terminal, own = pty.openpty()
    before = termios.tcgetattr(own)
    run = FakeSender()
    switch = PauseToggle(run.pause, run.resume)
    with open(own, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
        with key_bindings({"p": switch.toggle}):
            assert termios.tcgetattr(own) != before
            assert switch.hint.startswith("p pauses")
            os.write(terminal, b"xp")
            await _until(lambda: bool(run.pauses))
            assert switch.hint.startswith("p goes on")
            os.write(terminal, b"p")
            await _until(lambda: len(run.pauses) == 2)
        assert termios.tcgetattr(own) == before
    os.close(own)
    os.close(terminal)
    assert run.pauses == ["paused by hand; p goes on", "on"]
    switch.disable()
    assert "Ctrl-C again" in switch.hint


async def test_no_keys_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process has the terminal, it is left alone."""
    terminal, own = pty.openpty()
    before = termios.tcgetattr(own)
    with open(own, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp() + 1)
        with key_bindings({}):
            assert termios.tcgetattr(own) == before
    os.close(own)
    os.close(terminal)


async def test_no_keys_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python has no termios there are no keys."""
    monkeypatch.setitem(sys.modules, "termios", None)
    with key_bindings({"p": lambda: None}) as restore:
        restore()


async def test_a_terminal_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the other side of the terminal goes away, the run goes on without keys."""
    terminal, own = pty.openpty()
    with open(own, closefd=False) as stdin:  # noqa: ASYNC230  # it is a terminal
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
        with key_bindings({}):
            os.close(terminal)
            await asyncio.sleep(0.05)
            assert not asyncio.get_running_loop().remove_reader(own)
    os.close(own)


async def test_no_keys_without_a_terminal() -> None:
    """A pipe has no keys, and nothing comes of that."""
    with key_bindings({"p": lambda: None}) as restore:
        restore()


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.01)
