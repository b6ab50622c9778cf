"""The program as a process: its beginning, its end, its terminal, its pipes."""

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from routee_failover import cli as package
from routee_failover.cli.app import app, main
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, PROGRAM, environment
from .test_demo import FAST, assert_keeps_secrets, assert_tells_the_story

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def test_version(cli: Cli) -> None:
    """--version prints the version of the distribution."""
    result = cli("--version")
    assert (result.status, result.out) == (0, f"routee-failover {version('routee-failover')}\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra(missing: str) -> None:
    """Without typer or rich there is one line that names the extra, and status 2."""
    program = f"import sys; sys.modules[{missing!r}] = None; from routee_failover.cli import run; run()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "routee-failover[cli]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _without(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "routee_failover.cli.app")
    monkeypatch.setitem(sys.modules, name, None)


def test_extra_missing_in_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same in this process."""
    _without("typer", monkeypatch)
    with pytest.raises(SystemExit, match="2"):
        package.run()
    assert "routee-failover[cli]" in capsys.readouterr().err


def test_broken_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of our own that is missing is no missing extra."""
    _without("routee_failover.cli.app", monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="app"):
        package.run()


def test_interrupted_while_starting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C before the command has begun is one line and status 130."""

    class Interrupting:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt if name == "main" else AttributeError(name)

    monkeypatch.setitem(sys.modules, "routee_failover.cli.app", Interrupting())
    with pytest.raises(SystemExit, match="130"):
        package.run()
    assert capsys.readouterr().err == "routee-failover: interrupted; nothing was sent\n"


def test_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The console script ends the process with the status of its command."""
    monkeypatch.setattr(sys, "argv", ["routee-failover", "--version"])
    with pytest.raises(SystemExit, match="0"):
        package.run()
    assert capsys.readouterr().out.startswith("routee-failover ")


def test_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m routee_failover.cli` is the console script; importing the module runs nothing."""
    monkeypatch.setattr(sys, "argv", ["routee-failover", "--version"])
    path = Path(package.__file__).with_name("__main__.py")
    code = compile(path.read_text("utf-8"), str(path), "exec")  # runpy cannot run what pytest looks into
    with pytest.raises(SystemExit, match="0"):
        exec(code, {"__name__": "__main__", "__package__": package.__name__})
    assert capsys.readouterr().out.startswith("routee-failover ")
    exec(code, {"__name__": "imported", "__package__": package.__name__})


@pytest.mark.parametrize(
    ("ending", "status"), [(SystemExit("words"), 0), (SystemExit(3), 3), (KeyboardInterrupt(), 130), (None, 0)]
)
def test_ends(ending: BaseException | None, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However typer ends, the process gets a status."""

    def end(*_: object, **__: object) -> None:
        if ending is not None:
            raise ending

    monkeypatch.setattr(type(app), "__call__", end)
    assert main() == status


def test_closed_pipe(sandbox: Sandbox) -> None:
    """A receipt that nobody reads goes to stderr, and the status says that the flow was accepted."""
    reading, writing = os.pipe()
    os.close(reading)
    program = [*PROGRAM, "send", "-"]
    body = b'{"endpoint": "standard", "flow": [%s]}' % _step()
    done = subprocess.run(
        program, input=body, stdout=writing, stderr=subprocess.PIPE, env=environment(sandbox), check=False
    )
    os.close(writing)
    said = done.stderr.decode()
    (flow,) = sandbox.accepted
    assert done.returncode == 0, said
    assert f"follow it with: routee-failover track {flow.id} --endpoint standard" in said
    assert len(said.splitlines()) == 1


def _step() -> bytes:
    return (
        b'{"type": "Sms", "from": "Demo", "to": "+306900000000", "message": {"body": "\xce\xa9"}, "ttl": 5, "order": 1}'
    )


def test_interrupted_send(write: Callable[[Any], str]) -> None:
    """Ctrl-C in the middle of a send says that the message may be on its way, with status 130 and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        settings = {"ROUTEE_APPLICATION_ID": "a", "ROUTEE_APPLICATION_SECRET": "b"}
        settings |= {"ROUTEE_API_URL": url, "ROUTEE_AUTH_URL": url}
        program = [*PROGRAM, "send", write(FILES["otp"])]
        with subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment() | settings
        ) as process:
            connection, _ = server.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                out, words = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert words == (
        "routee-failover: interrupted; Routee may have accepted it, so do not send it again before you know\n"
    )


def test_demo_without_terminal() -> None:
    """In a pipe the demo ends well, in plain lines, also where colours are forced off and the alphabet is ASCII."""
    done = subprocess.run(
        [*PROGRAM, *FAST],
        capture_output=True,
        env=environment(NO_COLOR="1", PYTHONIOENCODING="ascii"),
        check=False,
        timeout=60,
    )
    shown = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in shown
    assert_tells_the_story(shown)
    assert_keeps_secrets(shown)


def _on_a_terminal(columns: int, lines: int, *arguments: str, stop_at: str = "", **environ: str) -> tuple[int, str]:
    """Run the program on a terminal of its own; `stop_at` is what Ctrl-C waits for."""
    terminal, own = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    env = environment() | {"TERM": "xterm-256color"} | environ
    env = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    shown = b""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=own, stdout=own, stderr=own, env=env, start_new_session=True
    ) as process:
        os.close(own)
        while chunk := _read(terminal):
            shown += chunk
            if stop_at and stop_at.encode() in shown:
                process.send_signal(signal.SIGINT)
                stop_at = ""
    os.close(terminal)
    return process.returncode, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody has the other side open any more
        return b""


def test_demo_on_a_terminal() -> None:
    """On a terminal of 80 by 24 the board moves, ends well, shows the cursor again and keeps its secrets."""
    status, shown = _on_a_terminal(80, 24, "demo", "--speed", "600")
    assert status == 0
    assert shown.count("POST /viber/otp") > 3
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    plain = _CONTROL.sub("", shown)
    assert_tells_the_story(plain)
    assert_keeps_secrets(plain)


def test_demo_without_colours() -> None:
    """With NO_COLOR the board moves without a colour."""
    status, shown = _on_a_terminal(80, 24, *FAST, NO_COLOR="1")
    assert status == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_interrupted_demo() -> None:
    """Ctrl-C in the demo ends it with status 130, one line, and the cursor shown again."""
    status, shown = _on_a_terminal(80, 24, "demo", stop_at="POST /viber/otp")
    assert status == 130
    assert "interrupted; the demo sends to its own sandbox only, nothing left this machine" in _CONTROL.sub("", shown)
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "Traceback" not in shown
