"""A run on a real terminal: a board that moves, a pause by a key, Ctrl-C, and a terminal that is given back."""

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
"""Does something about what is shown so far; whether it is done."""


def _on_a_terminal(
    campaign: Campaign, sandbox: Sandbox, *more: str, acts: tuple[Act, ...] = (), columns: int = 80, **environ: str
) -> tuple[int, str]:
    terminal, own = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    before = termios.tcgetattr(own)
    env = environment(sandbox) | {"TERM": "xterm-256color"} | environ
    env = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    to_do, shown = list(acts), ""
    with subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, *campaign.run(*more)], stdin=own, stdout=own, stderr=own, env=env
    ) as process:
        while process.poll() is None:
            shown += _read(terminal)
            if to_do and to_do[0](_CONTROL.sub("", shown), terminal, process):
                to_do.pop(0)
    shown += _read(terminal)
    assert termios.tcgetattr(own) == before
    os.close(own)
    os.close(terminal)
    return process.returncode, shown


def _read(terminal: int) -> str:
    os.set_blocking(terminal, False)
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace")
    except BlockingIOError:
        signal.sigtimedwait([], 0.02)
        return ""


def test_a_board(campaign: Campaign, sandbox: Sandbox) -> None:
    """It moves, ends with the summary, shows the cursor again, and keeps numbers masked."""
    status, shown = _on_a_terminal(campaign.write(60, "12,Short,1"), sandbox, "--rate", "40")
    assert status == 1
    assert shown.count("sending") > 3
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    plain = _CONTROL.sub("", shown)
    assert "p pauses, Ctrl-C stops and says how to go on" in plain
    assert "The last that went wrong" in plain
    assert "60 of 61 rows are accepted" in plain
    assert number(3) not in plain


def test_without_colours(campaign: Campaign, sandbox: Sandbox) -> None:
    """With NO_COLOR, on a narrow ASCII terminal, it moves without a colour and without a letter beyond ASCII."""
    status, shown = _on_a_terminal(
        campaign.write(30), sandbox, "--rate", "40", columns=44, NO_COLOR="1", PYTHONIOENCODING="ascii"
    )
    assert status == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)
    assert shown.isascii()
    assert "+ accepted" in shown


def test_a_pause_and_an_interruption(campaign: Campaign, sandbox: Sandbox) -> None:
    """P pauses and goes on, another size of the terminal is drawn for, and Ctrl-C ends with the command to go on."""

    def press_p(shown: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "sending" not in shown:
            return False
        os.write(terminal, b"p")
        return True

    def go_on(shown: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "paused by hand" not in shown or "p goes on" not in shown:
            return False
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        os.write(terminal, b"p")
        return True

    def interrupt(shown: str, terminal: int, _process: "subprocess.Popen[bytes]") -> bool:
        if "sending" not in shown[shown.rindex("paused by hand") :]:
            return False
        os.write(terminal, b"\x03")
        return True

    acts = (press_p, go_on, interrupt)
    status, shown = _on_a_terminal(campaign.write(400), sandbox, "--rate", "30", acts=acts)
    assert status == 130
    plain = _CONTROL.sub("", shown)
    assert "Stopping: nothing more is begun" in " ".join(plain.split())
    assert f"routee-failover bulk resume {campaign.ledger}" in plain.replace("\r\n", "")
    assert "Traceback" not in plain
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["board", "json"])
def test_a_closed_terminal(campaign: Campaign, sandbox: Sandbox, more: tuple[str, ...]) -> None:
    """When the terminal is closed, what is under way gets its answer: nothing is unknown, and resume sends the rest."""
    terminal, own = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = environment(sandbox) | {"TERM": "xterm-256color"}
    arguments = campaign.write(300).run("--rate", "60", *more)
    with subprocess.Popen(
        ["setsid", "--ctty", *PROGRAM, *arguments], stdin=own, stdout=own, stderr=own, env=env
    ) as process:
        os.close(own)
        wait_until(lambda: _read(terminal) is not None and len(sandbox.accepted) > 20)
        os.close(terminal)
        status = process.wait(timeout=30)
    assert status > 0
    reached = len(sandbox.accepted)
    assert reached < 300
    told = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (told["accepted"], told["in_flight"], told["unknown"]) == (reached, 0, 0)
    assert run("bulk", "resume", str(campaign.ledger), "--rate", "5000", at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == everyone(300)
