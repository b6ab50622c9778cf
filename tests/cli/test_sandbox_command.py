"""`sandbox`: its four lines, its words, and its end."""

import asyncio
import logging
import re
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from routee_failover.cli.sandbox import _log_to_stderr, _serve
from routee_failover.cli.server import local_url
from routee_failover.sandbox import Sandbox, SandboxError

from .conftest import Cli
from .shell import FILES, PROGRAM, environment, run


@contextmanager
def _running(*arguments: str, **how: Any) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """A sandbox in a process, and what its four lines set."""
    program = [*PROGRAM, "sandbox", *arguments]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **how
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
            assert all(line.startswith("export ") for line in lines), lines
            yield process, dict(line.removeprefix("export ").split("=", 1) for line in lines)
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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
    assert f"listens at {given['ROUTEE_API_URL']}\n" in words
    assert f"Its inbox is {given['ROUTEE_API_URL']}/\n" in words
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


def test_what_was_sent_before_a_kill(cli: Cli, write: Callable[[Any], str], tmp_path: Path) -> None:
    """With --store a flow is there again after kill -9, in a file that nobody else reads; --keep bounds it."""
    store = tmp_path / "sandbox.db"
    arguments = ("--store", str(store), "--keep", "2", "--speed", "60")
    with _running(*arguments) as (process, shown):
        for _ in range(3):
            assert cli("send", write(FILES["viber-otp"]), **shown).status == 0
        sent = cli("send", write(FILES["otp"]), **shown)
        process.kill()
    assert store.stat().st_mode & 0o777 == 0o600
    flow_id = re.search(r"routee-failover track (\S+)", sent.out + sent.err)
    assert flow_id is not None
    with _running(*arguments) as (process, shown):
        assert cli("track", flow_id[1], "--endpoint", "otp", **shown).status == 0
        second = run("sandbox", "--store", str(store))
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=20)
    assert f"Everything is kept in {store}; flows from before: 2" in words
    assert (second.status, second.out) == (2, "")
    assert second.err == (
        f"routee-failover: cannot use the store {store}: "
        "another process has it open; give each sandbox a file of its own\n"
    )


def test_a_disk_that_is_full(cli: Cli, write: Callable[[Any], str], tmp_path: Path) -> None:
    """When the file cannot grow, the sandbox says so once, goes on, and says it again at its end."""
    limit = 60_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    store = tmp_path / "sandbox.db"
    with _running("--store", str(store), preexec_fn=limited) as (process, shown):
        flow = FILES["standard"] | {"flow": [FILES["standard"]["flow"][1] | {"message": {"body": "Hi " * 20_000}}]}
        for _ in range(3):
            assert cli("send", write(flow), **shown).status == 0
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=20)
    assert process.returncode == 0
    assert words.count(f"routee-failover: cannot write to the store {store} any more: the disk refuses it") == 1
    assert f"Not all of it was kept in {store}: the disk refuses it." in words
    assert "Flows accepted: 3" in words
    assert "Traceback" not in words


def test_a_store_that_cannot_be(cli: Cli, tmp_path: Path) -> None:
    """A folder, a missing folder and a number of flows that is none end the command in one line, with status 2."""
    result = cli("sandbox", "--store", str(tmp_path))
    assert (result.status, result.out) == (2, "")
    assert result.err == f"routee-failover: cannot use the store {tmp_path}: Is a directory\n"
    assert "there is no such folder" in cli("sandbox", "--store", str(tmp_path / "no" / "x.db")).err
    assert cli("sandbox", "--keep", "0").status == 2


def test_settings_reach_the_sandbox(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """--keep, --store and --remote-control are what the sandbox is made with; without them it has its own defaults."""
    made: list[dict[str, Any]] = []

    def make(**settings: Any) -> Sandbox:
        made.append(settings)
        raise SandboxError("enough")

    monkeypatch.setattr("routee_failover.cli.sandbox.Sandbox", make)
    cli("sandbox", "--keep", "5", "--store", "x.db", "--remote-control")
    cli("sandbox")
    chosen = [tuple(settings[name] for name in ("max_flows", "store", "allow_remote_admin")) for settings in made]
    assert chosen == [(5, Path("x.db"), True), (10_000, None, False)]


async def _announced(
    here: Sandbox, monkeypatch: pytest.MonkeyPatch, *, signals: bool = True, store: Path | None = None, **how: Any
) -> None:
    """Serve until the announcement is out, then stop as a signal would."""
    stops: list[Callable[[], None]] = []

    def add(_signal: int, stop: Callable[[], None]) -> None:
        if not signals:
            raise NotImplementedError
        stops.append(stop)

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", add)
    serving = asyncio.create_task(_serve(here, "sandbox", "sandbox-secret", store, **how))
    await asyncio.sleep(0.1)
    for stop in stops:
        stop()
    if not signals:
        serving.cancel()
    await asyncio.wait([serving])


async def test_listening_everywhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What listens on every address is printed with one that a client takes, and says who may see its inbox."""
    await _announced(Sandbox(host="0.0.0.0", allow_remote_admin=True), monkeypatch, remote_control=True)
    assert "--remote-control" not in capsys.readouterr().err
    await _announced(Sandbox(host="0.0.0.0"), monkeypatch)
    captured = capsys.readouterr()
    assert "its inbox is for this one, unless --remote-control lets them in" in captured.err
    assert re.search(r"^export ROUTEE_API_URL=http://127\.0\.0\.1:\d+$", captured.out, re.MULTILINE)
    assert "no client will use it" not in captured.err
    assert "The sandbox has stopped." in captured.err


async def test_without_signals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a loop knows no signals, the sandbox runs all the same and ends when it is interrupted."""
    await _announced(Sandbox(), monkeypatch, signals=False)
    assert "export ROUTEE_API_URL" in capsys.readouterr().out


async def test_address_that_clients_refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On an address over which plain http is not safe, the sandbox says that no client will use it."""
    monkeypatch.setattr("routee_failover.cli.sandbox.reachable", lambda url: "http://192.0.2.1:80")
    await _announced(Sandbox(), monkeypatch)
    assert "no client will use it: api_url must be https" in capsys.readouterr().err


async def test_words_about_a_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A sandbox with a store says where it keeps what, and at its end when not all of it was kept."""
    store = tmp_path / "sandbox.db"
    here = Sandbox(store=store)
    await _announced(here, monkeypatch, store=store)
    assert f"Everything is kept in {store}; flows from before: 0" in capsys.readouterr().err
    monkeypatch.setattr(Sandbox, "store_failure", "the disk is full")
    await _announced(here, monkeypatch, store=store)
    assert f"Not all of it was kept in {store}: the disk is full." in capsys.readouterr().err


def test_what_a_sandbox_complains_of(capsys: pytest.CaptureFixture[str]) -> None:
    """What the sandbox logs while it runs is one line on stderr, and only while it runs."""
    log = logging.getLogger("routee_failover.sandbox")
    with _log_to_stderr():
        log.error("cannot write to the store %s", "x.db")
    assert capsys.readouterr().err == "routee-failover: cannot write to the store x.db\n"
    assert log.handlers == []


def test_reachable() -> None:
    """An address that stands for all of them becomes the loopback's; others stay as they are."""
    assert local_url("http://0.0.0.0:80") == "http://127.0.0.1:80"
    assert local_url("http://[::]:80") == "http://[::1]:80"
    assert local_url("http://[::1]:80") == "http://[::1]:80"
