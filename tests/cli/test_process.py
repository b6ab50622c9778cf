"""The program as a process: start, exit, terminal and pipes."""

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
from .test_demo import FAST, assert_masks_secrets, assert_shows_every_result

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def test_version_option_prints_the_distribution_version(cli: Cli) -> None:
    """--version prints the version of the distribution."""
    result = cli("--version")
    assert (result.exit_code, result.out) == (0, f"routee-failover {version('routee-failover')}\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_extra_exits_with_2_and_names_it(missing: str) -> None:
    """Without typer or rich the program prints one line that names the extra, and exits with code 2."""
    program = f"import sys; sys.modules[{missing!r}] = None; from routee_failover.cli import run; run()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert 'pip install "routee-failover[cli]"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _remove_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "routee_failover.cli.app")
    monkeypatch.setitem(sys.modules, name, None)


def test_missing_extra_in_process_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, in this process."""
    _remove_module("typer", monkeypatch)
    with pytest.raises(SystemExit, match="2"):
        package.run()
    assert "routee-failover[cli]" in capsys.readouterr().err


def test_missing_own_module_raises_module_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing module of the package itself is not reported as a missing extra."""
    _remove_module("routee_failover.cli.app", monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="app"):
        package.run()


def test_interrupt_before_start_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C before the command starts is one line and exit code 130."""

    class Interrupting:
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt if name == "main" else AttributeError(name)

    monkeypatch.setitem(sys.modules, "routee_failover.cli.app", Interrupting())
    with pytest.raises(SystemExit, match="130"):
        package.run()
    assert capsys.readouterr().err == "routee-failover: interrupted; nothing was sent\n"


def test_console_script_exits_with_the_commands_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The console script exits with the exit code of its command."""
    monkeypatch.setattr(sys, "argv", ["routee-failover", "--version"])
    with pytest.raises(SystemExit, match="0"):
        package.run()
    assert capsys.readouterr().out.startswith("routee-failover ")


def test_python_dash_m_is_the_console_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m routee_failover.cli` is the console script; importing the module runs nothing."""
    monkeypatch.setattr(sys, "argv", ["routee-failover", "--version"])
    path = Path(package.__file__).with_name("__main__.py")
    code = compile(path.read_text("utf-8"), str(path), "exec")  # runpy does not run a module that pytest has rewritten
    with pytest.raises(SystemExit, match="0"):
        exec(code, {"__name__": "__main__", "__package__": package.__name__})
    assert capsys.readouterr().out.startswith("routee-failover ")
    exec(code, {"__name__": "imported", "__package__": package.__name__})


@pytest.mark.parametrize(
    ("error", "exit_code"), [(SystemExit("message"), 0), (SystemExit(3), 3), (KeyboardInterrupt(), 130), (None, 0)]
)
def test_main_returns_an_exit_code_however_typer_exits(
    error: BaseException | None, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However typer exits, the process gets an exit code."""

    def fail(*_: object, **__: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(type(app), "__call__", fail)
    assert main() == exit_code


def test_closed_stdout_after_acceptance_exits_with_0(sandbox: Sandbox) -> None:
    """If stdout is closed, the receipt goes to stderr, and the exit code says that the flow was accepted."""
    reading, writing = os.pipe()
    os.close(reading)
    program = [*PROGRAM, "send", "-"]
    body = b'{"endpoint": "standard", "flow": [%s]}' % _step()
    done = subprocess.run(
        program, input=body, stdout=writing, stderr=subprocess.PIPE, env=environment(sandbox), check=False
    )
    os.close(writing)
    errors = done.stderr.decode()
    (flow,) = sandbox.accepted
    assert done.returncode == 0, errors
    assert f"track it with: routee-failover track {flow.id} --endpoint standard" in errors
    assert len(errors.splitlines()) == 1


def _step() -> bytes:
    return (
        b'{"type": "Sms", "from": "Demo", "to": "+306900000000", "message": {"body": "\xce\xa9"}, "ttl": 5, "order": 1}'
    )


def test_interrupted_send_exits_with_130_and_a_warning(write: Callable[[Any], str]) -> None:
    """Ctrl-C during a send warns that the message may have been accepted, with exit code 130 and no traceback."""
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
                out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "")
    assert errors == (
        "routee-failover: interrupted; Routee may have accepted it; do not send it again until you know\n"
    )


def test_demo_in_a_pipe_prints_plain_lines() -> None:
    """In a pipe the demo prints plain lines, also without colours and in ASCII."""
    done = subprocess.run(
        [*PROGRAM, *FAST],
        capture_output=True,
        env=environment(NO_COLOR="1", PYTHONIOENCODING="ascii"),
        check=False,
        timeout=60,
    )
    output = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert "\x1b" not in output
    assert_shows_every_result(output)
    assert_masks_secrets(output)


def _run_on_terminal(columns: int, lines: int, *arguments: str, stop_at: str = "", **environ: str) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; Ctrl-C is sent once `stop_at` is printed."""
    terminal, tty = pty.openpty()
    fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    env = environment() | {"TERM": "xterm-256color"} | environ
    env = {name: value for name, value in env.items() if name not in {"COLUMNS", "LINES"}}
    output = b""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=tty, stdout=tty, stderr=tty, env=env, start_new_session=True
    ) as process:
        os.close(tty)
        while chunk := _read(terminal):
            output += chunk
            if stop_at and stop_at.encode() in output:
                process.send_signal(signal.SIGINT)
                stop_at = ""
    os.close(terminal)
    return process.returncode, output.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux: the other side is closed
        return b""


def test_demo_on_a_terminal_shows_a_live_dashboard() -> None:
    """On a terminal of 80 by 24 the dashboard is live, finishes, restores the cursor and masks secrets."""
    exit_code, output = _run_on_terminal(80, 24, "demo", "--speed", "600")
    assert exit_code == 0
    assert output.count("POST /viber/otp") > 3
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    plain = _CONTROL.sub("", output)
    assert_shows_every_result(plain)
    assert_masks_secrets(plain)


def test_demo_with_no_color_has_no_colours() -> None:
    """With NO_COLOR the dashboard is live, without colours."""
    exit_code, output = _run_on_terminal(80, 24, *FAST, NO_COLOR="1")
    assert exit_code == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", output)


def test_interrupted_demo_exits_with_130_and_restores_the_cursor() -> None:
    """Ctrl-C in the demo exits with code 130 and one line, and restores the cursor."""
    exit_code, output = _run_on_terminal(80, 24, "demo", stop_at="POST /viber/otp")
    assert exit_code == 130
    assert "interrupted; the demo sends only to its own sandbox, nothing left this machine" in _CONTROL.sub("", output)
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")
    assert "Traceback" not in output
