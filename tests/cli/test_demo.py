"""`demo`: the same story on a screen and in a pipe, without a secret in it."""

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


def assert_tells_the_story(shown: str) -> None:
    """All flows ended as they were cast, and the figures are there."""
    for line in (
        "13 flows in",
        "4  delivered by the first channel",
        "5  delivered after failing over",
        "2  failed on every channel",
        "1  refused by Routee",
        "1  refused before sending",
    ):
        assert line in shown
    assert "lost" not in shown
    assert re.search(r"\d+ requests over \d+ connections, 1 token request\.", shown)
    assert "flow[0].pin: must have 4 to 10 characters, has 3" in shown
    assert "404; The sender info was not found" in shown


def assert_keeps_secrets(shown: str) -> None:
    """No PIN and no whole number is shown."""
    assert not [pin for pin in PINS if pin in shown]
    assert "306900000" not in shown


def test_lines(cli: Cli) -> None:
    """Without a terminal every change is a plain line; all flows end, and no PIN or number is shown."""
    result = cli(*FAST)
    assert (result.status, result.err) == (0, "")
    assert_tells_the_story(result.out)
    assert_keeps_secrets(result.out)
    assert "\x1b" not in result.out
    assert "to +3069****0300: accepted" in result.out
    for scene in SCENARIOS:
        assert scene.title in result.out


def test_board(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a screen that carries it the board is shown, with the reason below each flow that had to move on."""
    monkeypatch.setattr(Terminal, "supports_live_display", True)
    result = cli(*FAST, COLUMNS="80", LINES="24")
    assert (result.status, result.err) == (0, "")
    assert_tells_the_story(result.out)
    assert_keeps_secrets(result.out)
    assert 'Viber said "Not Viber User"; so Routee sent an SMS' in result.out
    assert 'Viber said "TTL Expired", SMS said "Expired"; so Routee called' in result.out
    assert 'Viber said "TTL Expired"; it has no other channel' in result.out
    assert max(len(line) for line in result.out.splitlines()) <= 80


@pytest.mark.parametrize(("columns", "lines"), [("60", "50"), ("80", "20")])
def test_small_screen(columns: str, lines: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen too narrow or too low for the board gets lines."""
    monkeypatch.setattr(Terminal, "supports_live_display", True)
    result = cli(*FAST, COLUMNS=columns, LINES=lines)
    assert result.status == 0
    assert_tells_the_story(result.out)
    assert "POST /failover" not in result.out


def test_lost(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows that can no longer be asked after are told as lost, and the status says so."""
    monkeypatch.setattr(demo_module, "Sandbox", functools.partial(Sandbox, max_flows=1))
    result = cli("demo", "--speed", "1000")
    assert result.status == 3
    assert "lost: Routee rejected it with 404" in result.out
    assert "lost from sight" in result.out


@pytest.mark.parametrize("speed", ["-1", "0", "nan"])
def test_wrong_speed(speed: str, cli: Cli) -> None:
    """A speed that cannot be, or at which the demo would never end, is refused, with status 2."""
    result = cli("demo", "--speed", speed)
    assert (result.status, result.out) == (2, "")
    assert "speed must be a positive number" in result.err


def test_pause() -> None:
    """Flows are asked after in proportion to the speed, within reason."""
    assert (polling_interval(60), polling_interval(1), polling_interval(1e6)) == (0.2, 1.0, 0.02)


async def test_nothing_sent() -> None:
    """A flow that could not be sent at all is lost, not refused."""

    class Unreachable(RouteeClient):
        async def send(self, flow: object) -> object:  # type: ignore[override]
            raise NotSent("no connection; nothing was sent")

    told: list[str] = []
    journey = ScenarioRun(SCENARIOS[0])
    async with Sandbox() as sandbox, Unreachable(sandbox.config()) as client:
        await asyncio.wait_for(run_scenario(journey, client, lambda _, what: told.append(what), lambda: 1.0, 1.0), 5)
    assert journey.result is ScenarioResult.LOST
    assert told == ["not sent: no connection; nothing was sent"]
    assert journey.explanation() == ["no connection; nothing was sent"]


async def test_ascii(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal without Unicode gets a board of plain signs, before, during and after."""
    journeys = [ScenarioRun(scene) for scene in SCENARIOS]
    console = Terminal()
    async with Sandbox(speed=60) as sandbox, RouteeClient(sandbox.config()) as client:
        console.print(render_dashboard(journeys, 0.0, SandboxCounters(), ASCII, ""))
        following = [
            asyncio.create_task(run_scenario(each, client, lambda *_: None, lambda: 1.0, 0.02)) for each in journeys
        ]
        await asyncio.sleep(1.5)
        console.print(render_dashboard(journeys, 1.5, SandboxCounters(requests=1), ASCII, "x" * 200))
        console.print(render_final_dashboard(journeys, 1.5, ASCII))
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
