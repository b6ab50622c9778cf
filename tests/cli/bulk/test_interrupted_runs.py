"""Interrupted runs: Ctrl-C once and twice, kill -9 and a closed pipe, and the resume after each."""

import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from routee_failover.sandbox import Sandbox

from ..shell import PROGRAM, environment, run
from .campaign import Campaign, assert_no_secret_in, everyone, number, recipients


def start_run(campaign: Campaign, sandbox: Sandbox, *more: str, **process: Any) -> "subprocess.Popen[str]":
    """Start a run as a process."""
    return subprocess.Popen(
        [*PROGRAM, *campaign.run(*more)],
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | process),
        env=environment(sandbox),
    )


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def resume_command(output: str) -> list[str]:
    """Return the resume command that was printed, without the program's name."""
    (line,) = set(re.findall(r"routee-failover (bulk resume .*)", output))
    return shlex.split(line)


def test_interrupted_run_drains_and_can_be_resumed(campaign: Campaign, sandbox: Sandbox) -> None:
    """Ctrl-C waits for messages in flight and prints the resume command, which sends the rest, nothing twice."""
    campaign = Campaign(campaign.folder / "it's mine")  # must be quoted for a shell
    campaign.folder.mkdir()
    with start_run(campaign.write(120), sandbox, "--rate", "60") as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Stopping: nothing more is sent" in out
    assert "Traceback" not in out
    reached = len(sandbox.accepted)
    assert reached < 120
    assert f" {reached} of 120 rows accepted" in out
    assert run("bulk", "status", str(campaign.ledger)).exit_code == 3
    resumed = run(*resume_command(out), "--rate", "1000", at=sandbox)
    assert resumed.exit_code == 0, resumed
    assert sorted(recipients(sandbox)) == everyone(120)
    assert_no_secret_in(out, resumed.out, folder=campaign.folder, except_files=[campaign.people])


def test_second_interrupt_exits_at_once_and_can_be_resumed(campaign: Campaign, sandbox: Sandbox) -> None:
    """The second Ctrl-C exits at once; messages in flight are unknown, and the next run reconciles them."""
    sandbox.script(fault="hang", times=10)
    with start_run(campaign.write(12), sandbox, "--json", "--concurrency", "20") as process:
        wait_until(lambda: len(sandbox.accepted) == 12)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Stopping" in process.stderr.readline()
        interrupted_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - interrupted_at < 5
    assert process.returncode == 130
    assert "exited at once" in err
    assert "Traceback" not in err
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert "stopping" in events
    sandbox.forget()
    resumed = run(*resume_command(err), at=sandbox)
    assert resumed.exit_code == 0, resumed
    assert sorted(recipients(sandbox)) == everyone(12)


def test_killed_run_continues_and_sends_nothing_twice(campaign: Campaign, sandbox: Sandbox) -> None:
    """After kill -9 the same command continues, and nothing is sent twice: messages in flight are unknown."""
    with start_run(campaign.write(150), sandbox, "--rate", "100") as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.kill()
    status = run("bulk", "status", str(campaign.ledger))
    assert status.exit_code == 3
    assert "of 150" in status.out
    again = run(*campaign.run("--unknown", "keep", "--rate", "5000", "--json"), at=sandbox)
    assert again.exit_code == 4, again
    done = json.loads(again.out.splitlines()[-1])
    assert done["accepted"] + done["unknown"] == 150
    assert len(set(recipients(sandbox))) == len(recipients(sandbox)) >= done["accepted"]


def test_closed_output_drains_the_run_with_exit_code_141(campaign: Campaign, sandbox: Sandbox) -> None:
    """When the output is closed, the run drains, reports it, and can be resumed."""
    with start_run(campaign.write(300), sandbox, "--rate", "60", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
    assert process.returncode == 141
    assert "the reader closed the output" in err
    assert "internal error" not in err
    assert len(sandbox.accepted) < 300
    status = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["in_flight"], status["unknown"]) == (0, 0)
    assert run(*resume_command(err), "--rate", "5000", at=sandbox).exit_code == 0
    assert sorted(recipients(sandbox)) == everyone(300)


def test_run_files_hold_no_credentials(campaign: Campaign, sandbox: Sandbox) -> None:
    """Neither the secret nor the id of the application is in any file of a run."""
    result = run(*campaign.write(3).run(), at=sandbox)
    assert result.exit_code == 0
    config = sandbox.config()
    for file in (path for path in Path(campaign.folder).iterdir() if path.is_file()):
        data = file.read_bytes()
        assert config.application_secret.reveal().encode() not in data
        assert f'"{config.application_id}"'.encode() not in data


def test_closed_send_window_pauses_and_leaves_rows_unsent(campaign: Campaign, sandbox: Sandbox) -> None:
    """Outside the send window nothing is sent, the pause says when it opens, and Ctrl-C leaves every row unsent."""
    now = datetime.now(ZoneInfo("Europe/Athens"))
    hours = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    with start_run(campaign.write(5), sandbox, "--json", "--hours", hours) as process:
        assert process.stdout is not None
        paused = next(event for event in map(json.loads, process.stdout) if event["event"] == "paused")
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert "quiet hours: the next send window opens at" in paused["pause_reason"]
    assert (paused["deferred"], paused["not_sent"]) == (5, 5)
    done = json.loads(out.splitlines()[-1])
    assert (process.returncode, done["not_sent"], done["deferred"], len(sandbox.accepted)) == (130, 5, 5, 0)


def test_interrupted_reconcile_leaves_the_message_unknown(campaign: Campaign, sandbox: Sandbox) -> None:
    """Reconcile waits until absence is proven; Ctrl-C stops it, and the message stays unknown."""
    sandbox.script(to=number(1), fault="reset-before")
    assert run(*campaign.write(3).run("--unknown", "keep"), at=sandbox).exit_code == 4
    arguments = ["bulk", "reconcile", str(campaign.ledger), "--unknown", "reconcile"]
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(sandbox)
    ) as process:
        assert process.stderr is not None
        assert any("1 still unknown; Routee is asked again in" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Of 1 unknown: 0 accepted, 0 not accepted and ready to send, 1 still unknown." in out
    assert f"routee-failover bulk reconcile {campaign.ledger}\n" in out
