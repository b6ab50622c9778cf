"""Displays of a run's progress: plain lines at intervals, JSON events, and the dashboard."""

import json
from typing import Any

import attrs
import pytest

from routee_failover.bulk.progress import Phase, Progress, RowProblem
from routee_failover.cli.bulk.display.plain_lines import progress_line, row_problem_line
from routee_failover.cli.bulk.display.progress_display import (
    DashboardDisplay,
    JsonLinesDisplay,
    PlainLinesDisplay,
    create_display,
)
from routee_failover.ledger import StateCounts

from .progress_samples import ROW_PROBLEMS, SENDING, RecordingTerminal

PAUSED = attrs.evolve(SENDING, phase=Phase.PAUSED, pause_reason="the account cannot pay; it is asked again every 30 s")


def test_progress_line_is_self_contained() -> None:
    """A line is self-contained."""
    assert progress_line(SENDING) == (
        "     15 s  sending: 6,213 of 10,000 (62 %); 412/s; 6,180 accepted, 12 rejected, 3 unknown, 8 invalid, "
        "10 duplicates, 100 in flight; about 9 s left"
    )
    assert progress_line(PAUSED).endswith("; the account cannot pay; it is asked again every 30 s")
    assert progress_line(attrs.evolve(SENDING, total=None)).startswith("     15 s  sending: 6,213 rows; ")


def test_row_problem_line_has_line_number_and_reason() -> None:
    """A row that was not accepted has its line, its masked number, and the reason."""
    assert [row_problem_line(problem).strip() for problem in ROW_PROBLEMS] == [
        "line 812 +3069****5678 rejected: 404: no such sender",
        "line 9 invalid: to: is no phone number",
    ]


def test_plain_lines_every_five_seconds_and_at_phase_changes() -> None:
    """A frequently updated run prints a line every five seconds, and one at each change of phase."""
    console = RecordingTerminal()
    with PlainLinesDisplay(console) as lines:
        lines.update(attrs.evolve(SENDING, phase=Phase.STARTING, elapsed=0.0))
        for tenth in range(120):
            lines.update(attrs.evolve(SENDING, elapsed=tenth / 10))
        lines.update(attrs.evolve(PAUSED, elapsed=12.1))
        lines.update(attrs.evolve(PAUSED, elapsed=12.2))
        lines.show_message("Stopping.", "stopping")
        lines.update(attrs.evolve(SENDING, phase=Phase.DONE, elapsed=12.3))
        lines.close(attrs.evolve(SENDING, phase=Phase.DONE, elapsed=12.3))
    assert [line.split(":")[0].strip() for line in console.text.splitlines() if " line " not in line] == [
        "0 s  sending",
        "5 s  sending",
        "10 s  sending",
        "12 s  paused",
        "Stopping.",
        "12 s  done",
    ]
    assert console.text.count("line 812") == 1


def test_row_problem_lines_are_limited() -> None:
    """A thousand problems a second do not fill the log."""
    console, problems = (
        RecordingTerminal(),
        [RowProblem(line=n, recipient="", outcome="INVALID", reason="x") for n in range(100)],
    )
    lines = PlainLinesDisplay(console)
    for tenth in range(20):
        lines.update(attrs.evolve(SENDING, elapsed=tenth / 10, problems=tuple(problems[tenth * 5 : tenth * 5 + 5])))
    assert console.text.count("invalid: x") == 3


def _events(console: RecordingTerminal) -> list[dict[str, Any]]:
    return [json.loads(line) for line in console.text.splitlines()]


def test_json_lines_are_events() -> None:
    """Every line is an object with its event; a pause and a row problem have their own events."""
    console, messages = RecordingTerminal(encoding="ascii"), RecordingTerminal()
    with JsonLinesDisplay(console, messages) as lines:
        for tenth in range(25):
            lines.update(attrs.evolve(SENDING, elapsed=tenth / 10))
        lines.update(attrs.evolve(PAUSED, elapsed=2.6, pause_reason="ώρες\u0085"))
        lines.show_message("Stopping.", "stopping")
        lines.update(attrs.evolve(SENDING, phase=Phase.DONE))
        lines.close(attrs.evolve(SENDING, phase=Phase.DONE))
    assert console.text.isascii()
    assert "\\u0085" in console.text
    events = _events(console)
    assert [event["event"] for event in events] == [
        *("progress", "row_problem", "row_problem", "progress", "progress", "paused", "stopping")
    ]
    assert events[0] == {
        "event": "progress",
        "phase": "sending",
        "elapsed_seconds": 0.0,
        "total": 10_000,
        "accepted": 6180,
        "rejected": 12,
        "unknown": 3,
        "expired": 0,
        "invalid": 8,
        "key_conflicts": 0,
        "duplicates": 10,
        "suppressed": 0,
        "deferred": 0,
        "in_flight": 100,
        "not_sent": 3687,
        "not_in_source": 0,
        "rate": 412.3,
        "rate_limit": 500.0,
        "seconds_left": 9.2,
        "failover_share": 0.134,
        "pause_reason": None,
    }
    assert events[1] == {
        "event": "row_problem",
        "line": 812,
        "recipient": "+3069****5678",
        "outcome": "REJECTED",
        "reason": "404: no such sender",
    }
    assert messages.text == "Stopping.\n"


@pytest.mark.parametrize(
    ("tty", "size", "as_json", "display"),
    [
        (True, (80, 24), False, DashboardDisplay),
        (True, (80, 24), True, JsonLinesDisplay),
        (False, (80, 24), False, PlainLinesDisplay),
        (True, (20, 24), False, PlainLinesDisplay),
        (True, (80, 4), False, PlainLinesDisplay),
    ],
)
def test_display_depends_on_terminal_size_and_json_option(
    tty: bool, size: tuple[int, int], as_json: bool, display: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dashboard needs a terminal that is large enough; JSON is on request; everything else gets lines."""
    monkeypatch.setenv("TERM", "xterm")
    console = RecordingTerminal(tty=tty, width=size[0], height=size[1])
    assert type(create_display(console, "title", lambda: "hint", as_json=as_json)) is display


def test_resized_terminal_is_cleared_and_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a resize the screen is cleared once and the dashboard is drawn for the new width."""
    monkeypatch.setenv("TERM", "xterm")
    console = RecordingTerminal(tty=True)
    with DashboardDisplay(console, "people.csv", lambda: "hint") as dashboard:
        dashboard.update(SENDING)
        assert "\x1b[2J" not in console.text
        console.size = (40, 24)
        before = len(console.text)
        dashboard.update(SENDING)
        dashboard.update(SENDING)
        dashboard.show_message("Stopping.", "stopping")
        dashboard.close(attrs.evolve(SENDING, phase=Phase.DONE))
    after = console.text[before:]
    assert after.count("\x1b[2J") == 1
    assert "Stopping." in after
    assert after.rstrip().endswith("3,687")


def test_json_starts_once_the_counts_are_known() -> None:
    """JSON events start once the counts of the ledger are known, not with a total of null."""
    console, messages = RecordingTerminal(), RecordingTerminal()
    with JsonLinesDisplay(console, messages) as lines:
        lines.update(Progress(phase=Phase.STARTING, counts=StateCounts()))
        assert console.text == ""
        lines.update(SENDING)
    assert (_events(console)[0]["event"], _events(console)[0]["total"]) == ("progress", 10_000)
