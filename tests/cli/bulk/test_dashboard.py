"""Dashboard of a run: its content, what it omits on small terminals, and that nothing is wrapped."""

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

FULL_DASHBOARD = """\
 people.csv as otp

 ⠦ sending  ███████████████████████████████░░░░░░░░░░░░  6,213 of 10,000   62 %
   412/s now, limit 500/s, 15 s elapsed, about 9 s left

   ✓ accepted       6,180         · duplicates        10
   ■ rejected          12         · deferred           0
   ? unknown            3         ● in flight        100
   ✗ invalid            8         · not sent       3,687
   13 % of messages with a delivery report failed over

 Recent problems
   line 812  +3069****5678  rejected — 404: no such sender
   line 9  invalid — to: is no phone number

 p pauses
"""


def _render(progress: Progress, *, width: int = 80, height: int = 24, glyphs: Glyphs = UNICODE) -> str:
    dashboard = render_dashboard(
        progress, title="people.csv as otp", hint="p pauses", width=width, height=height, glyphs=glyphs
    )
    return render(dashboard, width)


def test_usual_terminal_shows_every_section() -> None:
    """A terminal of 80 by 24 shows every section."""
    assert _render(SENDING) == FULL_DASHBOARD


@pytest.mark.parametrize("width", [30, 39, 50, 61, 62, 80, 200])
@pytest.mark.parametrize("height", [6, 9, 15, 24])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_dashboard_fits_every_terminal_size(width: int, height: int, glyphs: Glyphs) -> None:
    """On any size no line is wider than the terminal, the lines fit, and the progress is shown."""
    output = _render(SENDING, width=width, height=height, glyphs=glyphs)
    lines = output.splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= min(width, 100)
    assert "6,213 of 10,000" in output
    assert glyphs is UNICODE or output.isascii()


def test_short_terminal_omits_the_hint_first() -> None:
    """With fewer lines the hint is omitted before the outcomes, and the progress bar last."""
    assert "p pauses" not in _render(SENDING, height=10)
    assert "accepted" in _render(SENDING, height=10)
    assert "accepted" not in _render(SENDING, height=6)
    assert _render(SENDING, height=2).startswith(" ⠦ sending  ██")


def test_narrow_terminal_has_one_column() -> None:
    """A narrow terminal has the outcomes in one column."""
    output = _render(SENDING, width=50).splitlines()
    assert "   ✓ accepted       6,180" in output
    assert "   · not sent       3,687" in output


def test_pause_reason_is_shown_in_full() -> None:
    """The reason of a pause is wrapped and complete, and no time left is estimated."""
    reason = "quiet hours: 3,687 wait for the morning of their recipients, the first until 22 Nov 09:00, others longer"
    output = _render(attrs.evolve(SENDING, phase=Phase.PAUSED, pause_reason=reason))
    assert " ● paused " in output
    assert " ".join(output.split()).find(reason) > 0
    assert "left" not in output


def test_unknown_total_shows_the_rows_done() -> None:
    """Without a total the rows that are done are counted."""
    output = _render(attrs.evolve(SENDING, total=None))
    assert " ⠦ sending  6,213 rows" in output
    assert "not sent" not in output


def test_dashboard_is_shown_before_the_first_row() -> None:
    """The dashboard is shown before the first row is read."""
    output = _render(Progress(phase=Phase.STARTING, counts=StateCounts(), total=0))
    assert "starting  0 rows" in output
    assert "Recent problems" not in output


def test_control_codes_are_not_printed() -> None:
    """Control codes from a file or a response do not reach the terminal."""
    problem = attrs.evolve(ROW_PROBLEMS[0], reason="\x1b[2J\x9bevil\r\n")
    progress = attrs.evolve(SENDING, problems=(problem,), pause_reason="\x1b[1m", phase=Phase.PAUSED)
    dashboard = render_dashboard(progress, title="\x1b]0;x\x07", hint="", width=80, height=24, glyphs=UNICODE)
    output = render(dashboard, 80).replace("\n", "")
    assert output.isprintable()


def test_final_dashboard_has_only_outcomes_with_rows() -> None:
    """The final dashboard has only outcomes with rows."""
    done = attrs.evolve(SENDING, phase=Phase.DONE, counts=StateCounts(accepted=9_989, rejected=1))
    assert render(render_final_dashboard(done, width=80, glyphs=UNICODE), 80).splitlines() == [
        " ✓ done  █████████████████████████████████████████████  10,000 of 10,000  100 %",
        "",
        "   ✓ accepted      9,989         · duplicates       10",
        "   ■ rejected          1",
    ]


def test_run_with_unsent_rows_is_stopped() -> None:
    """A run that leaves rows unsent is `stopped`, not `done`."""
    output = render(render_final_dashboard(attrs.evolve(SENDING, phase=Phase.DONE), width=80, glyphs=ASCII), 80)
    assert output.startswith(" . stopped  ##")


def test_status_shows_the_bar_only_with_a_total() -> None:
    """The state of a ledger has the same bar and outcomes; without a total it has the outcomes only."""
    output = render(render_status(RowCounts.from_counts(COUNTS, total=10_000), width=60, glyphs=ASCII), 60)
    assert output.splitlines()[0] == f"   {'#' * 23}{'.' * 9}  6,203 of 10,000   62 %"
    assert "+ accepted" in render(render_status(RowCounts.from_counts(COUNTS), width=60, glyphs=ASCII), 60)


@pytest.mark.parametrize("accepted", [0, 1, 500, 998, 999, 1000])
def test_progress_bar_is_full_only_when_done(accepted: int) -> None:
    """The bar is full only when every row is done, and an outcome with one row has a cell."""
    counts = RowCounts(accepted=accepted, rejected=1 if accepted < 1000 else 0, total=1000)
    output = progress_bar(counts, 20, ASCII).plain
    assert len(output) == 20
    assert ("." not in output) == (counts.remaining == 0)
    assert output.startswith("#")


def test_outcomes_are_coloured_on_a_console_with_colours() -> None:
    """Outcomes are coloured on a console with colours."""
    assert "\x1b[32m" in render(progress_bar(RowCounts(accepted=1, total=2), 10, UNICODE), 40, colours=True)


def test_claimed_but_waiting_messages_are_not_in_flight() -> None:
    """Claimed messages that wait count as not sent, and the numbers add up to all rows."""
    output = " ".join(_render(attrs.evolve(SENDING, counts=attrs.evolve(COUNTS, sending=113))).split())
    assert "in flight 100" in output
    assert "not sent 3,687" in output
    counts = RowCounts.from_progress(attrs.evolve(SENDING, in_flight=500))  # it is newer than the counts
    assert (counts.in_flight, counts.not_in_source, counts.done + counts.in_flight + (counts.remaining or 0)) == (
        100,
        0,
        10_000,
    )


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.RECONCILING, Phase.STOPPING])
def test_rate_is_hidden_while_nothing_is_sent(phase: Phase) -> None:
    """The rate and the time left are shown only while messages are sent."""
    progress = attrs.evolve(SENDING, phase=phase)
    output = _render(progress)
    assert "/s now" not in output
    assert " left" not in output
    assert "/s;" not in progress_line(progress)


def test_suppressed_rows_count_as_done() -> None:
    """Suppressed rows are shown only if there are any, and count as done."""
    assert "suppressed" not in _render(SENDING)
    output = " ".join(_render(attrs.evolve(SENDING, suppressed=87, suppressed_new=1)).split())
    assert "suppressed 87" in output
    assert "6,300 of 10,000" in output
