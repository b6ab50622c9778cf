"""A run on a pseudo-terminal: live dashboard, pause by key, Ctrl-C, and a restored terminal."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Callable

import pytest

from routee_failover.sandbox import Sandbox

from ..shell import PROGRAM, environment, run
from .campaign import Campaign, everyone, number, recipients
from .test_interrupted_runs import wait_until

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
Act = Callable[[str, int, "subprocess.Popen[bytes]"], bool]
"""Called with the output so far; returns whether it has acted."""


def _run_on_terminal(
    campaign: Campaign, sandbox: Sandbox, *more: str, acts: tuple[Act, ...] = (), columns: int = 80, **environ: str
) -> tuple[int, str]:
    terminal, tty = pty.openpty()
    fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    before = termios.tcgetattr(tty)
    env = environment(sandbox) | {"TERM": "xterm-256color"} | environ
    env = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    remaining, output = list(acts), ""
    with subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, *campaign.run(*more)], stdin=tty, stdout=tty, stderr=tty, env=env
    ) as process:
        while process.poll() is None:
            output += _read(terminal)
            if remaining and remaining[0](_CONTROL.sub("", output), terminal, process):
                remaining.pop(0)
    output += _read(terminal)
    assert termios.tcgetattr(tty) == before
    os.close(tty)
    os.close(terminal)
    return process.returncode, output


def _read(terminal: int) -> str:
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace")
    except BlockingIOError:
        signal.sigtimedwait([], 0.02)
        return ""


def test_dashboard_is_live_and_restores_the_terminal(campaign: Campaign, sandbox: Sandbox) -> None:
    """The dashboard is live, ends with the summary, restores the cursor, and masks numbers."""
    exit_code, output = _run_on_terminal(campaign.write(60, "12,Short,1"), sandbox, "--rate", "40")
    assert exit_code == 1
    assert output.count("sending") > 3
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    plain = _CONTROL.sub("", output)
    assert "p pauses, Ctrl-C stops and prints how to resume" in plain
    assert "Recent problems" in plain
    assert "60 of 61 rows accepted" in plain
    assert number(3) not in plain


def test_no_color_ascii_terminal_has_a_plain_dashboard(campaign: Campaign, sandbox: Sandbox) -> None:
    """With NO_COLOR, on a narrow ASCII terminal, the dashboard has no colours and no characters beyond ASCII."""
    exit_code, output = _run_on_terminal(
        campaign.write(30), sandbox, "--rate", "40", columns=44, NO_COLOR="1", PYTHONIOENCODING="ascii"
    )
    assert exit_code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", output)
    assert output.isascii()
    assert "+ accepted" in output


def test_pause_resize_and_interrupt_on_a_terminal(campaign: Campaign, sandbox: Sandbox) -> None:
    """P pauses and resumes, a resized terminal is redrawn, and Ctrl-C prints the resume command."""

    def pause(output: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "sending" not in output:
            return False
        os.write(terminal, b"p")
        return True

    def resume(output: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "paused by key" not in output or "p resumes" not in output:
            return False
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        os.write(terminal, b"p")
        return True

    def interrupt(output: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "sending" not in output[output.rindex("paused by key") :]:
            return False
        os.write(terminal, b"\x03")
        return True

    acts = (pause, resume, interrupt)
    exit_code, output = _run_on_terminal(campaign.write(400), sandbox, "--rate", "30", acts=acts)
    assert exit_code == 130
    plain = _CONTROL.sub("", output)
    assert "Stopping: nothing more is sent" in " ".join(plain.split())
    assert f"routee-failover bulk resume {campaign.ledger}" in plain.replace("\r\n", "")
    assert "Traceback" not in plain
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["board", "json"])
def test_closed_terminal_drains_and_can_be_resumed(campaign: Campaign, sandbox: Sandbox, more: tuple[str, ...]) -> None:
    """When the terminal is closed, messages in flight are waited for: none is unknown, and resume sends the rest."""
    terminal, tty = pty.openpty()
    fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = environment(sandbox) | {"TERM": "xterm-256color"}
    arguments = campaign.write(300).run("--rate", "60", *more)
    with subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, *arguments], stdin=tty, stdout=tty, stderr=tty, env=env
    ) as process:
        os.close(tty)
        wait_until(lambda: _read(terminal) is not None and len(sandbox.accepted) > 20)
        os.close(terminal)
        exit_code = process.wait(timeout=30)
    assert exit_code > 0
    reached = len(sandbox.accepted)
    assert reached < 300
    counts = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (counts["accepted"], counts["in_flight"], counts["unknown"]) == (reached, 0, 0)
    assert run("bulk", "resume", str(campaign.ledger), "--rate", "5000", at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == everyone(300)
