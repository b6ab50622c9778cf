"""`sandbox`: its four lines, its messages and its exit."""

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
def _running(*arguments: str, **process_options: Any) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run a sandbox in a process; yield it and the variables of its four lines."""
    program = [*PROGRAM, "sandbox", *arguments]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **process_options
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
            assert all(line.startswith("export ") for line in lines), lines
            yield process, dict(line.removeprefix("export ").split("=", 1) for line in lines)
        finally:
            process.kill()


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_the_sandbox_with_exit_code_0(
    stop_signal: signal.Signals, cli: Cli, write: Callable[[Any], str]
) -> None:
    """Stdout is the four lines, with which `send` works; a signal stops the sandbox with a summary."""
    with _running("--speed", "60", "--application-id", "mine", "--application-secret", "with blank") as (
        process,
        variables,
    ):
        assert variables["ROUTEE_APPLICATION_SECRET"] == "'with blank'"
        given = {name: value.strip("'") for name, value in variables.items()}
        assert set(given) == {
            f"ROUTEE_{name}" for name in ("APPLICATION_ID", "APPLICATION_SECRET", "API_URL", "AUTH_URL")
        }
        assert cli("send", write(FILES["otp"]), **given).exit_code == 0
        process.send_signal(stop_signal)
        rest, messages = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert f"listening at {given['ROUTEE_API_URL']}\n" in messages
    assert f"Inbox: {given['ROUTEE_API_URL']}/\n" in messages
    assert "routee-failover send FILE" in messages
    assert "Flows accepted: 1; requests rejected: 0." in messages
    assert "Traceback" not in messages


def test_port_in_use_exits_with_2_and_advice(sandbox: Sandbox) -> None:
    """A port in use is one clear error with advice, and exit code 2."""
    result = run("sandbox", "--port", sandbox.url.rpartition(":")[2])
    assert (result.exit_code, result.out) == (2, "")
    assert "cannot listen on 127.0.0.1" in result.err
    assert "--port 0" in result.err
    assert "Traceback" not in result.err


def test_port_in_use_in_process_exits_with_2_and_advice(cli: Cli, sandbox: Sandbox) -> None:
    """The same, in this process."""
    result = cli("sandbox", "--port", sandbox.url.rpartition(":")[2])
    assert result.exit_code == 2
    assert "--port 0 for any free port" in result.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--speed", "-1"], "speed must be 0 or more"),
        (["--speed", "nan"], "speed must be 0 or more"),
        (["--port", "70000"], "65535"),
        (["--application-id", " "], "application_id must be"),
    ],
)
def test_invalid_option_exits_with_2_and_the_reason(arguments: list[str], reason: str, cli: Cli) -> None:
    """An invalid option is named in the error."""
    result = cli("sandbox", *arguments)
    assert result.exit_code == 2
    assert reason in result.err


def test_stored_flows_survive_a_kill(cli: Cli, write: Callable[[Any], str], tmp_path: Path) -> None:
    """With --store a flow survives kill -9, in a file only its owner can read; --keep bounds their number."""
    store = tmp_path / "sandbox.db"
    arguments = ("--store", str(store), "--keep", "2", "--speed", "60")
    with _running(*arguments) as (process, variables):
        for _ in range(3):
            assert cli("send", write(FILES["viber-otp"]), **variables).exit_code == 0
        sent = cli("send", write(FILES["otp"]), **variables)
        process.kill()
    assert store.stat().st_mode & 0o777 == 0o600
    flow_id = re.search(r"routee-failover track (\S+)", sent.out + sent.err)
    assert flow_id is not None
    with _running(*arguments) as (process, variables):
        assert cli("track", flow_id[1], "--endpoint", "otp", **variables).exit_code == 0
        second = run("sandbox", "--store", str(store))
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=20)
    assert f"Stored in {store}; flows restored: 2" in messages
    assert (second.exit_code, second.out) == (2, "")
    assert second.err == (
        f"routee-failover: cannot use the store {store}: "
        "another process has it open; give each sandbox a file of its own\n"
    )


def test_full_disk_is_reported_and_the_sandbox_continues(cli: Cli, write: Callable[[Any], str], tmp_path: Path) -> None:
    """When the file cannot grow, the sandbox reports it once, continues, and reports it again when it stops."""
    limit = 60_000

    def limit_file_size() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    store = tmp_path / "sandbox.db"
    with _running("--store", str(store), preexec_fn=limit_file_size) as (process, variables):
        flow = FILES["standard"] | {"flow": [FILES["standard"]["flow"][1] | {"message": {"body": "Hi " * 20_000}}]}
        for _ in range(3):
            assert cli("send", write(flow), **variables).exit_code == 0
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=20)
    assert process.returncode == 0
    failure = f"routee-failover: cannot write to the store {store} any more: the disk reported an I/O error"
    assert messages.count(failure) == 1
    assert f"Not everything was stored in {store}: the disk reported an I/O error." in messages
    assert "Flows accepted: 3" in messages
    assert "Traceback" not in messages


def test_unusable_store_exits_with_2(cli: Cli, tmp_path: Path) -> None:
    """A folder, a missing folder and --keep 0 exit with code 2 and one line."""
    result = cli("sandbox", "--store", str(tmp_path))
    assert (result.exit_code, result.out) == (2, "")
    assert result.err == f"routee-failover: cannot use the store {tmp_path}: Is a directory\n"
    assert "there is no such folder" in cli("sandbox", "--store", str(tmp_path / "no" / "x.db")).err
    assert cli("sandbox", "--keep", "0").exit_code == 2


def test_options_are_passed_to_the_sandbox(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """--keep, --store and --remote-control are passed to the sandbox; without them it gets its own defaults."""
    settings_passed: list[dict[str, Any]] = []

    def make(**settings: Any) -> Sandbox:
        settings_passed.append(settings)
        raise SandboxError("enough")

    monkeypatch.setattr("routee_failover.cli.sandbox.Sandbox", make)
    cli("sandbox", "--keep", "5", "--store", "x.db", "--remote-control")
    cli("sandbox")
    chosen = [
        tuple(settings[name] for name in ("max_flows", "store", "allow_remote_admin")) for settings in settings_passed
    ]
    assert chosen == [(5, Path("x.db"), True), (10_000, None, False)]


async def _serve_and_stop(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    *,
    signals: bool = True,
    store: Path | None = None,
    **options: Any,
) -> None:
    """Serve until the settings are printed, then stop as a signal would."""
    stops: list[Callable[[], None]] = []

    def add(_signal: int, stop: Callable[[], None]) -> None:
        if not signals:
            raise NotImplementedError
        stops.append(stop)

    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", add)
    serving = asyncio.create_task(_serve(sandbox, "sandbox", "sandbox-secret", store, **options))
    await asyncio.sleep(0.1)
    for stop in stops:
        stop()
    if not signals:
        serving.cancel()
    await asyncio.wait([serving])


async def test_wildcard_address_is_printed_as_loopback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wildcard address is printed as one that a client accepts, with who can open the inbox."""
    await _serve_and_stop(Sandbox(host="0.0.0.0", allow_remote_admin=True), monkeypatch, remote_control=True)
    assert "--remote-control" not in capsys.readouterr().err
    await _serve_and_stop(Sandbox(host="0.0.0.0"), monkeypatch)
    captured = capsys.readouterr()
    assert "cannot open its inbox; --remote-control allows that" in captured.err
    assert re.search(r"^export ROUTEE_API_URL=http://127\.0\.0\.1:\d+$", captured.out, re.MULTILINE)
    assert "No client will accept this address" not in captured.err
    assert "Sandbox stopped." in captured.err


async def test_loop_without_signal_handlers_runs_until_cancelled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On an event loop without signal handlers the sandbox runs, and stops when it is cancelled."""
    await _serve_and_stop(Sandbox(), monkeypatch, signals=False)
    assert "export ROUTEE_API_URL" in capsys.readouterr().out


async def test_unsafe_address_warns_that_no_client_accepts_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On an address over which plain http is not safe, the sandbox says that no client will accept it."""
    monkeypatch.setattr("routee_failover.cli.sandbox.local_url", lambda url: "http://192.0.2.1:80")
    await _serve_and_stop(Sandbox(), monkeypatch)
    assert "No client will accept this address: api_url must be https" in capsys.readouterr().err


async def test_store_is_announced_and_failure_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A sandbox with a store prints its file, and when it stops whether not everything was stored."""
    store = tmp_path / "sandbox.db"
    sandbox = Sandbox(store=store)
    await _serve_and_stop(sandbox, monkeypatch, store=store)
    assert f"Stored in {store}; flows restored: 0" in capsys.readouterr().err
    monkeypatch.setattr(Sandbox, "store_failure", "the disk is full")
    await _serve_and_stop(sandbox, monkeypatch, store=store)
    assert f"Not everything was stored in {store}: the disk is full." in capsys.readouterr().err


def test_log_records_go_to_stderr_while_running(capsys: pytest.CaptureFixture[str]) -> None:
    """The sandbox's log records are lines on stderr, only while it runs."""
    log = logging.getLogger("routee_failover.sandbox")
    with _log_to_stderr():
        log.error("cannot write to the store %s", "x.db")
    assert capsys.readouterr().err == "routee-failover: cannot write to the store x.db\n"
    assert log.handlers == []


def test_local_url_replaces_wildcard_addresses() -> None:
    """A wildcard address becomes the loopback address; others stay as they are."""
    assert local_url("http://0.0.0.0:80") == "http://127.0.0.1:80"
    assert local_url("http://[::]:80") == "http://[::1]:80"
    assert local_url("http://[::1]:80") == "http://[::1]:80"
