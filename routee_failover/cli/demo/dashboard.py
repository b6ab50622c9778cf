"""The demo on a screen: every flow a line, every channel a column, read from left to right as the flow moves on."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...flows import Endpoint
from ...records import Channel
from ...sandbox import SandboxCounters
from ..deliveries import DELIVERED_STATUSES, FAILED_STATUSES, humanize_status
from ..terminal import Glyphs
from .scenario_run import ScenarioResult, ScenarioRun
from .scenarios import SMS, VIBER, VOICE

DASHBOARD_WIDTH = 76
TITLE_WIDTH, CHANNEL_WIDTH = 20, 15
ENDPOINT_TITLES = {
    Endpoint.STANDARD: "POST /failover",
    Endpoint.TRANSACTIONAL: "POST /failover/transactional",
    Endpoint.OTP: "POST /failover-otp/otp/send-failover",
    Endpoint.VIBER_OTP: "POST /viber/otp, which has no failover",
}
_MARKS = {ScenarioResult.DELIVERED: "green", ScenarioResult.FAILED: "red"}
NOT_ACCEPTED = {
    ScenarioResult.REJECTED: "refused by Routee",
    ScenarioResult.INVALID: "refused before sending",
    ScenarioResult.LOST: "lost",
}


def dashboard_height(runs: Sequence[ScenarioRun]) -> int:
    """How many lines the board has while it moves."""
    return len(runs) + len({journey.scenario.endpoint for journey in runs}) + 4


def render_dashboard(
    runs: Sequence[ScenarioRun], elapsed: float, counts: SandboxCounters, glyphs: Glyphs, latest: str
) -> RenderableType:
    """The board while flows are moving, with what has happened last below it."""
    ended = sum(journey.result is not None for journey in runs)
    progress = f" {ended} of {len(runs)} ended in {elapsed:.1f} s; {format_traffic(counts)}"
    last = Text(f" {latest}", style="italic", no_wrap=True, overflow="crop")
    return Group(*_rows(runs, elapsed, glyphs, explain=False), Text(), last, Text(progress, style="dim"))


def render_final_dashboard(runs: Sequence[ScenarioRun], elapsed: float, glyphs: Glyphs) -> RenderableType:
    """The board once all flows have ended, with the reasons below those that had to move on."""
    return Group(*_rows(runs, elapsed, glyphs, explain=True))


def format_traffic(counts: SandboxCounters) -> str:
    """What the sandbox counted."""
    return (
        f"{_many(counts.requests, 'request')} over {_many(counts.connections, 'connection')}, "
        f"{_many(counts.token_requests, 'token request')}"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rows(runs: Sequence[ScenarioRun], elapsed: float, glyphs: Glyphs, *, explain: bool) -> Iterator[RenderableType]:
    names = ("Viber", f"{glyphs.arrow} SMS", f"{glyphs.arrow} Voice")
    yield Text("   " + " " * TITLE_WIDTH + "".join(f"{name:<{CHANNEL_WIDTH}}" for name in names).rstrip(), style="dim")
    endpoint: Endpoint | None = None
    for journey in runs:
        if journey.scenario.endpoint is not endpoint:
            endpoint = journey.scenario.endpoint
            yield Text.assemble((f" {endpoint}", "bold cyan"), (f"  {ENDPOINT_TITLES[endpoint]}", "dim"))
        yield _row(journey, elapsed, glyphs)
        if explain:
            yield from (Padding(Text(line, style="dim italic"), (0, 1, 0, 5)) for line in journey.explanation())


def _row(run: ScenarioRun, elapsed: float, glyphs: Glyphs) -> Text:
    line = Text(" ", no_wrap=True, overflow="crop")
    line.append_text(_mark(run, elapsed, glyphs)).append(f" {run.scenario.title:<{TITLE_WIDTH}}")
    if run.result in NOT_ACCEPTED:
        return line.append(f"{NOT_ACCEPTED[run.result]:<{3 * CHANNEL_WIDTH}}", style="yellow").append(
            _time(run), style="dim"
        )
    for channel in (VIBER, SMS, VOICE):
        words, style = _cell(run, channel, glyphs)
        line.append(f"{words:<{CHANNEL_WIDTH}}", style=style)
    return line.append(_time(run), style="dim")


def _time(run: ScenarioRun) -> str:
    return f"{run.ended_at:5.1f} s" if run.result else ""


def _mark(run: ScenarioRun, elapsed: float, glyphs: Glyphs) -> Text:
    match run.result:
        case None:
            return Text(glyphs.spinner[int(elapsed * 10) % len(glyphs.spinner)], style="cyan")
        case ScenarioResult.DELIVERED:
            return Text(glyphs.done, style="bold green")
        case ScenarioResult.FAILED:
            return Text(glyphs.failed, style="bold red")
        case _:
            return Text(glyphs.rejected, style="yellow")


def _cell(run: ScenarioRun, channel: Channel, glyphs: Glyphs) -> tuple[str, str]:
    """How the flow stands on one channel: not part of it, not needed or not tried yet, under way, or ended."""
    if channel not in run.scenario.channels:
        return "", "dim"
    leg = next((leg for leg in reversed(run.deliveries) if leg.channel == channel), None)
    if leg is None or leg.status is None:
        return (glyphs.dash if run.result else glyphs.waiting), "dim"
    words = humanize_status(leg.status)
    if leg.status in DELIVERED_STATUSES:
        return f"{glyphs.done} {words}", "green"
    if leg.status in FAILED_STATUSES:
        return f"{glyphs.failed} {words}", "red"
    return f"{glyphs.in_progress} {words}", "cyan"
