"""`demo`: the same results on a dashboard and in a pipe, without secrets."""

import asyncio
import functools
import re

import pytest

from routee_failover import NotSent, RouteeClient
from routee_failover.cli import demo as demo_module
from routee_failover.cli.demo import polling_interval
from routee_failover.cli.demo.dashboard import render_dashboard, render_final_dashboard
from routee_failover.cli.demo.scenario_run import ScenarioResult, ScenarioRun, run_scenario
from routee_failover.cli.demo.scenarios import PINS, SCENARIOS
from routee_failover.cli.terminal import ASCII, Terminal
from routee_failover.sandbox import Sandbox, SandboxCounters

from .conftest import Cli

FAST = ("demo", "--speed", "3000")


def assert_shows_every_result(output: str) -> None:
    """All flows ended as scripted, and the counts are printed."""
    for line in (
        "13 flows in",
        "4  delivered by the first channel",
        "5  delivered after failover",
        "2  failed on every channel",
        "1  rejected by Routee",
        "1  invalid: found before sending",
    ):
        assert line in output
    assert "lost" not in output
    assert re.search(r"\d+ requests over \d+ connections, 1 token request\.", output)
    assert "flow[0].pin: must have 4 to 10 characters, has 3" in output
    assert "404; The sender info was not found" in output


def assert_masks_secrets(output: str) -> None:
    """No PIN and no complete number is printed."""
    assert not [pin for pin in PINS if pin in output]
    assert "306900000" not in output


def test_pipe_gets_one_line_per_change(cli: Cli) -> None:
    """Without a terminal every change is one line; all flows end, and no PIN or number is printed."""
    result = cli(*FAST)
    assert (result.exit_code, result.err) == (0, "")
    assert_shows_every_result(result.out)
    assert_masks_secrets(result.out)
    assert "\x1b" not in result.out
    assert "to +3069****0300: accepted" in result.out
    for scenario in SCENARIOS:
        assert scenario.title in result.out


def test_terminal_gets_the_dashboard_with_reasons(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is large enough shows the dashboard, with the reason below each flow that failed over."""
    monkeypatch.setattr(Terminal, "supports_live_display", True)
    result = cli(*FAST, COLUMNS="80", LINES="24")
    assert (result.exit_code, result.err) == (0, "")
    assert_shows_every_result(result.out)
    assert_masks_secrets(result.out)
    assert 'Viber reported "Not Viber User", so Routee sent an SMS' in result.out
    assert 'Viber reported "TTL Expired", SMS reported "Expired", so Routee called' in result.out
    assert 'Viber reported "TTL Expired"; no other channel' in result.out
    assert max(len(line) for line in result.out.splitlines()) <= 80


@pytest.mark.parametrize(("columns", "lines"), [("60", "50"), ("80", "20")])
def test_small_terminal_gets_lines(columns: str, lines: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal too narrow or too low for the dashboard gets lines."""
    monkeypatch.setattr(Terminal, "supports_live_display", True)
    result = cli(*FAST, COLUMNS=columns, LINES=lines)
    assert result.exit_code == 0
    assert_shows_every_result(result.out)
    assert "POST /failover" not in result.out


def test_lost_flows_exit_with_3(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that can no longer be polled are reported as lost, with exit code 3."""
    monkeypatch.setattr(demo_module, "Sandbox", functools.partial(Sandbox, max_flows=1))
    result = cli("demo", "--speed", "1000")
    assert result.exit_code == 3
    assert "lost: Routee rejected it with 404" in result.out
    assert "lost: the result could not be retrieved" in result.out


@pytest.mark.parametrize("speed", ["-1", "0", "nan"])
def test_invalid_speed_exits_with_2(speed: str, cli: Cli) -> None:
    """An invalid speed, or one at which the demo would never finish, exits with code 2."""
    result = cli("demo", "--speed", speed)
    assert (result.exit_code, result.out) == (2, "")
    assert "speed must be a positive number" in result.err


def test_polling_interval_follows_the_speed() -> None:
    """The polling interval is proportional to the speed, within limits."""
    assert (polling_interval(60), polling_interval(1), polling_interval(1e6)) == (0.2, 1.0, 0.02)


async def test_flow_that_cannot_be_sent_is_lost() -> None:
    """A flow that could not be sent is lost, not rejected."""

    class Unreachable(RouteeClient):
        async def send(self, flow: object) -> object:  # type: ignore[override]
            raise NotSent("no connection; nothing was sent")

    changes: list[str] = []
    run = ScenarioRun(SCENARIOS[0])
    async with Sandbox() as sandbox, Unreachable(sandbox.config()) as client:
        await asyncio.wait_for(run_scenario(run, client, lambda _, change: changes.append(change), lambda: 1.0, 1.0), 5)
    assert run.result is ScenarioResult.LOST
    assert changes == ["not sent: no connection; nothing was sent"]
    assert run.explanation() == ["no connection; nothing was sent"]


async def test_ascii_terminal_gets_an_ascii_dashboard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal without Unicode gets a dashboard in ASCII, before, during and after the run."""
    runs = [ScenarioRun(scenario) for scenario in SCENARIOS]
    console = Terminal()
    async with Sandbox(speed=60) as sandbox, RouteeClient(sandbox.config()) as client:
        console.print(render_dashboard(runs, 0.0, SandboxCounters(), ASCII, ""))
        following = [asyncio.create_task(run_scenario(run, client, lambda *_: None, lambda: 1.0, 0.02)) for run in runs]
        await asyncio.sleep(1.5)
        console.print(render_dashboard(runs, 1.5, SandboxCounters(requests=1), ASCII, "x" * 200))
        console.print(render_final_dashboard(runs, 1.5, ASCII))
        for task in following:
            task.cancel()
        await asyncio.wait(following)
    shown = capsys.readouterr().out
    assert shown.isascii()
    assert "* queued" in shown
    assert "+ delivered" in shown
    assert "x undelivered" in shown
    assert "1 request over 0 connections, 0 token requests" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
