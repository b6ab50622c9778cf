"""Runs that do not come to their end: Ctrl-C once and twice, kill -9, a closed pipe; and going on after each."""

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


def wait_until(true: Callable[[], Any]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def resume_command(said: str) -> list[str]:
    """The command that goes on, as it was printed, without the program's name."""
    (line,) = set(re.findall(r"routee-failover (bulk resume .*)", said))
    return shlex.split(line)


def test_interrupted(campaign: Campaign, sandbox: Sandbox) -> None:
    """Ctrl-C ends what is under way and prints the command that goes on; that sends the rest, and nobody twice."""
    campaign = Campaign(campaign.folder / "it's mine")  # what a shell must have quoted
    campaign.folder.mkdir()
    with start_run(campaign.write(120), sandbox, "--rate", "60") as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Stopping: nothing more is begun" in out
    assert "Traceback" not in out
    reached = len(sandbox.accepted)
    assert reached < 120
    assert f" {reached} of 120 rows are accepted" in out
    assert run("bulk", "status", str(campaign.ledger)).status == 3
    went_on = run(*resume_command(out), "--rate", "1000", at=sandbox)
    assert went_on.status == 0, went_on
    assert sorted(recipients(sandbox)) == everyone(120)
    assert_no_secret_in(out, went_on.out, folder=campaign.folder, except_files=[campaign.people])


def test_twice_interrupted(campaign: Campaign, sandbox: Sandbox) -> None:
    """The second Ctrl-C leaves at once, with what was under way in doubt, which the next run finds out."""
    sandbox.script(fault="hang", times=10)
    with start_run(campaign.write(12), sandbox, "--json", "--concurrency", "20") as process:
        wait_until(lambda: len(sandbox.accepted) == 12)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Stopping" in process.stderr.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - began < 5
    assert process.returncode == 130
    assert "left at once" in err
    assert "Traceback" not in err
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert "stopping" in events
    sandbox.forget()
    went_on = run(*resume_command(err), at=sandbox)
    assert went_on.status == 0, went_on
    assert sorted(recipients(sandbox)) == everyone(12)


def test_killed(campaign: Campaign, sandbox: Sandbox) -> None:
    """After kill -9, the same command goes on, and nobody gets a second message: what was under way is in doubt."""
    with start_run(campaign.write(150), sandbox, "--rate", "100") as process:
        wait_until(lambda: len(sandbox.accepted) > 20)
        process.kill()
    status = run("bulk", "status", str(campaign.ledger))
    assert status.status == 3
    assert "of 150" in status.out
    again = run(*campaign.run("--unknown", "keep", "--rate", "5000", "--json"), at=sandbox)
    assert again.status == 4, again
    done = json.loads(again.out.splitlines()[-1])
    assert done["accepted"] + done["unknown"] == 150
    assert len(set(recipients(sandbox))) == len(recipients(sandbox)) >= done["accepted"]


def test_nobody_reads(campaign: Campaign, sandbox: Sandbox) -> None:
    """When whoever read the output goes away, the run drains, says so, and can go on."""
    with start_run(campaign.write(300), sandbox, "--rate", "60", "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
    assert process.returncode == 141
    assert "whoever read the output went away" in err
    assert "this should not happen" not in err
    assert len(sandbox.accepted) < 300
    status = json.loads(run("bulk", "status", str(campaign.ledger), "--json").out)
    assert (status["in_flight"], status["unknown"]) == (0, 0)
    assert run(*resume_command(err), "--rate", "5000", at=sandbox).status == 0
    assert sorted(recipients(sandbox)) == everyone(300)


def test_the_ledger_holds_no_credential(campaign: Campaign, sandbox: Sandbox) -> None:
    """Neither the secret nor the id of the application is in any file of a run."""
    result = run(*campaign.write(3).run(), at=sandbox)
    assert result.status == 0
    config = sandbox.config()
    for file in (path for path in Path(campaign.folder).iterdir() if path.is_file()):
        data = file.read_bytes()
        assert config.application_secret.reveal().encode() not in data
        assert f'"{config.application_id}"'.encode() not in data


def test_quiet_hours(campaign: Campaign, sandbox: Sandbox) -> None:
    """Out of hours nothing is sent, the pause says when that ends, and Ctrl-C leaves all rows for the next run."""
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


def test_a_reconciliation(campaign: Campaign, sandbox: Sandbox) -> None:
    """It waits until not being found proves something; Ctrl-C ends that, and the doubt is kept."""
    sandbox.script(to=number(1), fault="reset-before")
    assert run(*campaign.write(3).run("--unknown", "keep"), at=sandbox).status == 4
    arguments = ["bulk", "reconcile", str(campaign.ledger), "--unknown", "reconcile"]
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(sandbox)
    ) as process:
        assert process.stderr is not None
        assert any("1 in doubt still; Routee is asked again in" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "Of 1 in doubt, Routee has 0; 0 may be sent; 1 still in doubt." in out
    assert f"routee-failover bulk reconcile {campaign.ledger}\n" in out
