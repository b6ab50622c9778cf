"""`sandbox`: its four lines, its words, and its end."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from routee_failover.cli.sandbox import _reachable, _serve
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, PROGRAM, environment, run


@contextmanager
def _running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """A sandbox in a process, and what its four lines set."""
    program = [*PROGRAM, "sandbox", *arguments]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
            assert all(line.startswith("export ") for line in lines), lines
            yield process, dict(line.removeprefix("export ").split("=", 1) for line in lines)
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_until_it_is_stopped(ending: signal.Signals, cli: Cli, write: Callable[[Any], str]) -> None:
    """The four lines are all that goes to stdout and make `send` work; Ctrl-C and SIGTERM end it cleanly."""
    with _running("--speed", "60", "--application-id", "mine", "--application-secret", "with blank") as (
        process,
        shown,
    ):
        assert shown["ROUTEE_APPLICATION_SECRET"] == "'with blank'"
        given = {name: value.strip("'") for name, value in shown.items()}
        assert set(given) == {
            f"ROUTEE_{name}" for name in ("APPLICATION_ID", "APPLICATION_SECRET", "API_URL", "AUTH_URL")
        }
        assert cli("send", write(FILES["otp"]), **given).status == 0
        process.send_signal(ending)
        rest, words = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert f"listens at {given['ROUTEE_API_URL']}" in words
    assert "routee-failover send FILE" in words
    assert "Flows accepted: 1; requests refused: 0." in words
    assert "Traceback" not in words


def test_taken_port(sandbox: Sandbox) -> None:
    """A port that is taken is one clear error with a way out, and status 2."""
    result = run("sandbox", "--port", sandbox.url.rpartition(":")[2])
    assert (result.status, result.out) == (2, "")
    assert "cannot listen on 127.0.0.1" in result.err
    assert "--port 0" in result.err
    assert "Traceback" not in result.err


def test_taken_port_in_process(cli: Cli, sandbox: Sandbox) -> None:
    """The same in this process."""
    result = cli("sandbox", "--port", sandbox.url.rpartition(":")[2])
    assert result.status == 2
    assert "--port 0 takes one that is" in result.err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--speed", "-1"], "speed must be 0 or more"),
        (["--speed", "nan"], "speed must be 0 or more"),
        (["--port", "70000"], "65535"),
        (["--application-id", " "], "application_id must be"),
    ],
)
def test_impossible_settings(arguments: list[str], why: str, cli: Cli) -> None:
    """A setting that cannot work is named, with status 2."""
    result = cli("sandbox", *arguments)
    assert result.status == 2
    assert why in result.err


async def _announced(here: Sandbox, monkeypatch: pytest.MonkeyPatch, *, signals: bool = True) -> None:
    """Serve until the announcement is out, then stop as a signal would."""
    stops: list[Callable[[], None]] = []

    def add(_signal: int, stop: Callable[[], None]) -> None:
        if not signals:
            raise NotImplementedError
        stops.append(stop)

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", add)
    serving = asyncio.create_task(_serve(here, "sandbox", "sandbox-secret"))
    await asyncio.sleep(0.1)
    for stop in stops:
        stop()
    if not signals:
        serving.cancel()
    await asyncio.wait([serving])


async def test_listening_everywhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What listens on every address is printed with one that a client takes."""
    await _announced(Sandbox(host="0.0.0.0"), monkeypatch)
    captured = capsys.readouterr()
    assert re.search(r"^export ROUTEE_API_URL=http://127\.0\.0\.1:\d+$", captured.out, re.MULTILINE)
    assert "no client will use it" not in captured.err
    assert "The sandbox has stopped." in captured.err


async def test_without_signals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a loop knows no signals, the sandbox runs all the same and ends when it is interrupted."""
    await _announced(Sandbox(), monkeypatch, signals=False)
    assert "export ROUTEE_API_URL" in capsys.readouterr().out


async def test_address_that_clients_refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On an address over which plain http is not safe, the sandbox says that no client will use it."""
    monkeypatch.setattr("routee_failover.cli.sandbox._reachable", lambda url: "http://192.0.2.1:80")
    await _announced(Sandbox(), monkeypatch)
    assert "no client will use it: api_url must be https" in capsys.readouterr().err


def test_reachable() -> None:
    """An address that stands for all of them becomes the loopback's; others stay as they are."""
    assert _reachable("http://0.0.0.0:80") == "http://127.0.0.1:80"
    assert _reachable("http://[::]:80") == "http://[::1]:80"
    assert _reachable("http://[::1]:80") == "http://[::1]:80"
