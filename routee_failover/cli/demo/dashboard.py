"""Dashboard of the demo: one line per flow, one column per channel, filled from left to right."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...flows import Endpoint
from ...records import Channel
from ...sandbox import SandboxCounters
from ..delivery_view import DELIVERED_STATUSES, FAILED_STATUSES, humanize_status
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
    ScenarioResult.REJECTED: "rejected by Routee",
    ScenarioResult.INVALID: "invalid, not sent",
    ScenarioResult.LOST: "lost",
}


def dashboard_height(runs: Sequence[ScenarioRun]) -> int:
    """Return the number of lines of the dashboard while flows are running."""
    return len(runs) + len({run.scenario.endpoint for run in runs}) + 4


def render_dashboard(
    runs: Sequence[ScenarioRun], elapsed: float, counts: SandboxCounters, glyphs: Glyphs, latest: str
) -> RenderableType:
    """Render the dashboard while flows are running, with the latest change below it."""
    finished = sum(run.result is not None for run in runs)
    progress = f" {finished} of {len(runs)} finished in {elapsed:.1f} s; {format_traffic(counts)}"
    last = Text(f" {latest}", style="italic", no_wrap=True, overflow="crop")
    return Group(*_rows(runs, elapsed, glyphs, explain=False), Text(), last, Text(progress, style="dim"))


def render_final_dashboard(runs: Sequence[ScenarioRun], elapsed: float, glyphs: Glyphs) -> RenderableType:
    """Render the dashboard once all flows are final, with the reasons of each failover and failure."""
    return Group(*_rows(runs, elapsed, glyphs, explain=True))


def format_traffic(counts: SandboxCounters) -> str:
    """Return the sandbox's counts of requests and connections."""
    return (
        f"{_count(counts.requests, 'request')} over {_count(counts.connections, 'connection')}, "
        f"{_count(counts.token_requests, 'token request')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rows(runs: Sequence[ScenarioRun], elapsed: float, glyphs: Glyphs, *, explain: bool) -> Iterator[RenderableType]:
    names = ("Viber", f"{glyphs.arrow} SMS", f"{glyphs.arrow} Voice")
    yield Text("   " + " " * TITLE_WIDTH + "".join(f"{name:<{CHANNEL_WIDTH}}" for name in names).rstrip(), style="dim")
    endpoint: Endpoint | None = None
    for run in runs:
        if run.scenario.endpoint is not endpoint:
            endpoint = run.scenario.endpoint
            yield Text.assemble((f" {endpoint}", "bold cyan"), (f"  {ENDPOINT_TITLES[endpoint]}", "dim"))
        yield _row(run, elapsed, glyphs)
        if explain:
            yield from (Padding(Text(line, style="dim italic"), (0, 1, 0, 5)) for line in run.explanation())


def _row(run: ScenarioRun, elapsed: float, glyphs: Glyphs) -> Text:
    line = Text(" ", no_wrap=True, overflow="crop")
    line.append_text(_mark(run, elapsed, glyphs)).append(f" {run.scenario.title:<{TITLE_WIDTH}}")
    if run.result in NOT_ACCEPTED:
        return line.append(f"{NOT_ACCEPTED[run.result]:<{3 * CHANNEL_WIDTH}}", style="yellow").append(
            _time(run), style="dim"
        )
    for channel in (VIBER, SMS, VOICE):
        text, style = _cell(run, channel, glyphs)
        line.append(f"{text:<{CHANNEL_WIDTH}}", style=style)
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
    """Return the state of the flow on one channel: not part of it, not tried, in progress, or final."""
    if channel not in run.scenario.channels:
        return "", "dim"
    delivery = next((delivery for delivery in reversed(run.deliveries) if delivery.channel == channel), None)
    if delivery is None or delivery.status is None:
        return (glyphs.dash if run.result else glyphs.waiting), "dim"
    text = humanize_status(delivery.status)
    if delivery.status in DELIVERED_STATUSES:
        return f"{glyphs.done} {text}", "green"
    if delivery.status in FAILED_STATUSES:
        return f"{glyphs.failed} {text}", "red"
    return f"{glyphs.in_progress} {text}", "cyan"
