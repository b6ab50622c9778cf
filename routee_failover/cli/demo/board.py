"""The demo on a screen: every flow a line, every channel a column, read from left to right as the flow moves on."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ...flows import Endpoint
from ...records import Channel
from ...sandbox import Counts
from ..legs import DELIVERED, GONE_WRONG, in_words
from ..terminal import Glyphs
from .cast import SMS, VIBER, VOICE
from .journey import Ending, Journey

WIDTH = 76
TITLE, CELL = 20, 15
KINDS = {
    Endpoint.STANDARD: "POST /failover",
    Endpoint.TRANSACTIONAL: "POST /failover/transactional",
    Endpoint.OTP: "POST /failover-otp/otp/send-failover",
    Endpoint.VIBER_OTP: "POST /viber/otp, which has no failover",
}
_MARKS = {Ending.DELIVERED: "green", Ending.FAILED: "red"}
NOWHERE = {Ending.REFUSED: "refused by Routee", Ending.NEVER_SENT: "refused before sending", Ending.LOST: "lost"}


def height(journeys: Sequence[Journey]) -> int:
    """How many lines the board has while it moves."""
    return len(journeys) + len({journey.scene.endpoint for journey in journeys}) + 4


def board(journeys: Sequence[Journey], elapsed: float, counts: Counts, glyphs: Glyphs, latest: str) -> RenderableType:
    """The board while flows are moving, with what has happened last below it."""
    ended = sum(journey.ending is not None for journey in journeys)
    progress = f" {ended} of {len(journeys)} ended in {elapsed:.1f} s; {traffic(counts)}"
    last = Text(f" {latest}", style="italic", no_wrap=True, overflow="crop")
    return Group(*_rows(journeys, elapsed, glyphs, explain=False), Text(), last, Text(progress, style="dim"))


def final_board(journeys: Sequence[Journey], elapsed: float, glyphs: Glyphs) -> RenderableType:
    """The board once all flows have ended, with the reasons below those that had to move on."""
    return Group(*_rows(journeys, elapsed, glyphs, explain=True))


def traffic(counts: Counts) -> str:
    """What the sandbox counted."""
    return (
        f"{_many(counts.requests, 'request')} over {_many(counts.connections, 'connection')}, "
        f"{_many(counts.token_requests, 'token request')}"
    )


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _rows(journeys: Sequence[Journey], elapsed: float, glyphs: Glyphs, *, explain: bool) -> Iterator[RenderableType]:
    names = ("Viber", f"{glyphs.arrow} SMS", f"{glyphs.arrow} Voice")
    yield Text("   " + " " * TITLE + "".join(f"{name:<{CELL}}" for name in names).rstrip(), style="dim")
    endpoint: Endpoint | None = None
    for journey in journeys:
        if journey.scene.endpoint is not endpoint:
            endpoint = journey.scene.endpoint
            yield Text.assemble((f" {endpoint}", "bold cyan"), (f"  {KINDS[endpoint]}", "dim"))
        yield _row(journey, elapsed, glyphs)
        if explain:
            yield from (Padding(Text(line, style="dim italic"), (0, 1, 0, 5)) for line in journey.why())


def _row(journey: Journey, elapsed: float, glyphs: Glyphs) -> Text:
    line = Text(" ", no_wrap=True, overflow="crop")
    line.append_text(_mark(journey, elapsed, glyphs)).append(f" {journey.scene.title:<{TITLE}}")
    if journey.ending in NOWHERE:
        return line.append(f"{NOWHERE[journey.ending]:<{3 * CELL}}", style="yellow").append(_time(journey), style="dim")
    for channel in (VIBER, SMS, VOICE):
        words, style = _cell(journey, channel, glyphs)
        line.append(f"{words:<{CELL}}", style=style)
    return line.append(_time(journey), style="dim")


def _time(journey: Journey) -> str:
    return f"{journey.ended_at:5.1f} s" if journey.ending else ""


def _mark(journey: Journey, elapsed: float, glyphs: Glyphs) -> Text:
    match journey.ending:
        case None:
            return Text(glyphs.turning[int(elapsed * 10) % len(glyphs.turning)], style="cyan")
        case Ending.DELIVERED:
            return Text(glyphs.done, style="bold green")
        case Ending.FAILED:
            return Text(glyphs.failed, style="bold red")
        case _:
            return Text(glyphs.refused, style="yellow")


def _cell(journey: Journey, channel: Channel, glyphs: Glyphs) -> tuple[str, str]:
    """How the flow stands on one channel: not part of it, not needed or not tried yet, under way, or ended."""
    if channel not in journey.scene.channels:
        return "", "dim"
    leg = next((leg for leg in reversed(journey.legs) if leg.channel == channel), None)
    if leg is None or leg.status is None:
        return (glyphs.dash if journey.ending else glyphs.waiting), "dim"
    words = in_words(leg.status)
    if leg.status in DELIVERED:
        return f"{glyphs.done} {words}", "green"
    if leg.status in GONE_WRONG:
        return f"{glyphs.failed} {words}", "red"
    return f"{glyphs.moving} {words}", "cyan"
