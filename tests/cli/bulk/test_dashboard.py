"""The board of a run: what it shows, what it leaves out where there is little room, and that nothing is wrapped."""

import attrs
import pytest

from routee_failover.bulk.progress import Phase, Progress
from routee_failover.cli.bulk.display.dashboard import (
    progress_bar,
    render_dashboard,
    render_final_dashboard,
    render_status,
)
from routee_failover.cli.bulk.display.plain_lines import progress_line
from routee_failover.cli.bulk.display.row_counts import RowCounts
from routee_failover.cli.terminal import ASCII, UNICODE, Glyphs
from routee_failover.ledger import StateCounts

from .progress_samples import COUNTS, ROW_PROBLEMS, SENDING, render

WHOLE = """\
 people.csv as otp

 ⠦ sending  ███████████████████████████████░░░░░░░░░░░░  6,213 of 10,000   62 %
   412/s now, 500/s allowed, 15 s gone, about 9 s left

   ✓ accepted       6,180         · duplicates        10
   ■ rejected          12         · deferred           0
   ? unknown            3         ● under way        100
   ✗ invalid            8         · not sent yet   3,687
   13 % of those that have ended needed another channel

 The last that went wrong
   line 812  +3069****5678  rejected — 404: no such sender
   line 9  invalid — to: is no phone number

 p pauses
"""


def _shown(progress: Progress, *, width: int = 80, height: int = 24, glyphs: Glyphs = UNICODE) -> str:
    what = render_dashboard(
        progress, title="people.csv as otp", hint="p pauses", width=width, height=height, glyphs=glyphs
    )
    return render(what, width)


def test_the_whole_board() -> None:
    """On a usual terminal all of it is there."""
    assert _shown(SENDING) == WHOLE


@pytest.mark.parametrize("width", [30, 39, 50, 61, 62, 80, 200])
@pytest.mark.parametrize("height", [6, 9, 15, 24])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_screen(width: int, height: int, glyphs: Glyphs) -> None:
    """However small the screen is, no line is wider, there are fewer lines than it has, and it says how far it is."""
    shown = _shown(SENDING, width=width, height=height, glyphs=glyphs)
    lines = shown.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= min(width, 100)
    assert "6,213 of 10,000" in shown
    assert glyphs is UNICODE or shown.isascii()


def test_what_goes_first() -> None:
    """Where lines are short, the hint goes before the outcomes, and the bar stays to the end."""
    assert "p pauses" not in _shown(SENDING, height=10)
    assert "accepted" in _shown(SENDING, height=10)
    assert "accepted" not in _shown(SENDING, height=6)
    assert _shown(SENDING, height=2).startswith(" ⠦ sending  ██")


def test_one_column() -> None:
    """A narrow screen has the outcomes one below the other."""
    shown = _shown(SENDING, width=50).splitlines()
    assert "   ✓ accepted       6,180" in shown
    assert "   · not sent yet   3,687" in shown


def test_paused() -> None:
    """Why it pauses is shown whole, on as many lines as it takes, and no time left is guessed."""
    why = "quiet hours: 3,687 wait for the morning of their recipients, the first until 22 Nov 09:00, others longer"
    shown = _shown(attrs.evolve(SENDING, phase=Phase.PAUSED, pause_reason=why))
    assert " ● paused " in shown
    assert " ".join(shown.split()).find(why) > 0
    assert "left" not in shown


def test_without_a_total() -> None:
    """Where nobody knows how many rows there are, it counts them."""
    shown = _shown(attrs.evolve(SENDING, total=None))
    assert " ⠦ sending  6,213 rows" in shown
    assert "not sent yet" not in shown


def test_nothing_yet() -> None:
    """Before the first row there is a board, too."""
    shown = _shown(Progress(phase=Phase.STARTING, counts=StateCounts(), total=0))
    assert "starting  0 rows" in shown
    assert "The last that went wrong" not in shown


def test_control_codes() -> None:
    """What a file or an answer brought with it does not reach the terminal as a code."""
    trouble = attrs.evolve(ROW_PROBLEMS[0], reason="\x1b[2J\x9bevil\r\n")
    progress = attrs.evolve(SENDING, problems=(trouble,), pause_reason="\x1b[1m", phase=Phase.PAUSED)
    what = render_dashboard(progress, title="\x1b]0;x\x07", hint="", width=80, height=24, glyphs=UNICODE)
    shown = render(what, 80).replace("\n", "")
    assert shown.isprintable()


def test_the_end() -> None:
    """What stays on the screen names only what there is."""
    done = attrs.evolve(SENDING, phase=Phase.DONE, counts=StateCounts(accepted=9_989, rejected=1))
    assert render(render_final_dashboard(done, width=80, glyphs=UNICODE), 80).splitlines() == [
        " ✓ done  █████████████████████████████████████████████  10,000 of 10,000  100 %",
        "",
        "   ✓ accepted      9,989         · duplicates       10",
        "   ■ rejected          1",
    ]


def test_an_end_before_the_end() -> None:
    """A run that leaves rows unsent has ended, but it is not done."""
    shown = render(render_final_dashboard(attrs.evolve(SENDING, phase=Phase.DONE), width=80, glyphs=ASCII), 80)
    assert shown.startswith(" . ended  ##")


def test_standing() -> None:
    """A ledger is shown by the same bar and words, and without a total by words alone."""
    shown = render(render_status(RowCounts.from_counts(COUNTS, total=10_000), width=60, glyphs=ASCII), 60)
    assert shown.splitlines()[0] == f"   {'#' * 23}{'.' * 9}  6,203 of 10,000   62 %"
    assert "+ accepted" in render(render_status(RowCounts.from_counts(COUNTS), width=60, glyphs=ASCII), 60)


@pytest.mark.parametrize("accepted", [0, 1, 500, 998, 999, 1000])
def test_the_bar_is_honest(accepted: int) -> None:
    """It is full only when all is done, and what there is one of has a cell."""
    tally = RowCounts(accepted=accepted, rejected=1 if accepted < 1000 else 0, total=1000)
    shown = progress_bar(tally, 20, ASCII).plain
    assert len(shown) == 20
    assert ("." not in shown) == (tally.remaining == 0)
    assert shown.startswith("#")


def test_colours() -> None:
    """Outcomes have their colours where the console has any."""
    assert "\x1b[32m" in render(progress_bar(RowCounts(accepted=1, total=2), 10, UNICODE), 40, colours=True)


def test_what_is_claimed_ahead_is_not_under_way() -> None:
    """Messages that wait for their turn count as not sent, and the numbers add up to all rows."""
    shown = " ".join(_shown(attrs.evolve(SENDING, counts=attrs.evolve(COUNTS, sending=113))).split())
    assert "under way 100" in shown
    assert "not sent yet 3,687" in shown
    tally = RowCounts.from_progress(attrs.evolve(SENDING, in_flight=500))  # it is newer than the counts
    assert (tally.in_flight, tally.not_in_source, tally.done + tally.in_flight + (tally.remaining or 0)) == (
        100,
        0,
        10_000,
    )


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.RECONCILING, Phase.STOPPING])
def test_no_speed_where_nothing_is_begun(phase: Phase) -> None:
    """A rate or a time left stands only where messages are begun."""
    progress = attrs.evolve(SENDING, phase=phase)
    shown = _shown(progress)
    assert "/s now" not in shown
    assert " left" not in shown
    assert "/s;" not in progress_line(progress)


def test_suppressed_rows() -> None:
    """They have a place of their own where there are any, and count as done."""
    assert "suppressed" not in _shown(SENDING)
    shown = " ".join(_shown(attrs.evolve(SENDING, suppressed=87, suppressed_new=1)).split())
    assert "suppressed 87" in shown
    assert "6,300 of 10,000" in shown
