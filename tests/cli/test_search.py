"""`search`: flows as a table, as JSON lines and as CSV; what a back office asks for is one line."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from routee_failover import FlowRecord, OtpRecord
from routee_failover.cli import search as search_command
from routee_failover.cli.output import CSV_COLUMNS, format_csv_row, print_flow_table
from routee_failover.cli.terminal import Terminal
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, PIN, VIBER, run

Write = Callable[[Any], str]
FAILING, DELIVERED = "+306900000222", "+306900000000"


def _send(cli: Cli, write: Write, sandbox: Sandbox, endpoint: str = "standard", to: str = FAILING) -> str:
    """Send, wait for the end, and give the id."""
    flow = json.loads(json.dumps(FILES[endpoint]).replace("+306900000300", to))
    sent = cli("send", write(flow), at=sandbox)
    assert sent.exit_code == 0, sent.err
    command = sent.out.splitlines()[-1].split()[1:]
    while not any(word in cli(*command, at=sandbox).out for word in ("status  Succeeded", "status  Failed")):
        pass
    return str(command[1])


def _ids(result: Any) -> list[str]:
    return re.findall(r"[0-9a-f]{8}-[-0-9a-f]{27}", result.out)


def test_yesterdays_failures_are_one_line(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """The table shows when, to whom, what was tried and why it came to nothing; numbers are masked."""
    failed = _send(cli, write, sandbox)
    _send(cli, write, sandbox, to=DELIVERED)
    result = cli("search", "--status", "failed", "--day", "today", at=sandbox)
    assert result.exit_code == 0
    header, row = result.out.splitlines()
    assert header.split() == ["sent", "at", "status", "to", "what", "was", "tried", "price", "id"]
    assert "Failed  +3069****0222  Viber Failed (Message Rejected), Sms Failed: no next step" in row
    assert row.split()[-1] == failed
    assert FAILING[1:] not in result.out
    assert result.err == "1 flow.\n"
    nothing = cli("search", "--status", "failed", "--day", "yesterday", at=sandbox)
    assert (nothing.exit_code, nothing.out, nothing.err) == (0, "", "No flow matches.\n")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "succeeded"], [1, 2]),
        (["--status", "in-progress"], []),
        (["--to", FAILING], [0]),
        (["--to", "*0000"], [1, 2]),
        (["--to", "+3069*"], [0, 1, 2]),
        (["--to", "*00222*"], [0]),
        (["--since", "1h", "--until", "now"], [0, 1, 2]),
        (["--until", "today"], []),
        (["--channel", "viber", "--ended-on", "SMS"], [0]),
        (["--endpoint", "transactional"], [2]),
        (["--endpoint", "standard", "--where", "status is_not Succeeded"], [0]),
        (["--where", "to ends_with 000", "--where", "flow_kind is_not standard"], [2]),
        (["--limit", "1"], [0]),
        (["--limit", "0"], [0, 1, 2]),
    ],
)
def test_each_option_finds_its_flows(
    options: list[str], found: list[int], cli: Cli, write: Write, sandbox: Sandbox
) -> None:
    """Every option is a condition, and several must all hold."""
    ids = [
        _send(cli, write, sandbox),
        _send(cli, write, sandbox, to=DELIVERED),
        _send(cli, write, sandbox, "transactional", DELIVERED),
    ]
    result = cli("search", *options, at=sandbox)
    assert result.exit_code == 0, result.err
    assert _ids(result) == [ids[index] for index in found]


def test_json_lines(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Each line is Routee's answer for one flow, PINs masked; what is said besides goes to stderr."""
    ids = [_send(cli, write, sandbox, to=DELIVERED) for _ in range(3)]
    result = cli("search", "--json", at=sandbox)
    assert [json.loads(line)["trackingId"] for line in result.out.splitlines()] == ids
    assert result.err == "3 flows.\n"


def test_csv(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A row for each flow under names that stay: times in UTC, numbers whole."""
    failed = _send(cli, write, sandbox)
    (row,) = csv.DictReader(io.StringIO(cli("search", "--csv", at=sandbox).out))
    assert tuple(row) == CSV_COLUMNS
    assert (row["id"], row["endpoint"], row["status"], row["status_code"]) == (failed, "standard", "Failed", "2")
    assert (row["reason"], row["to"], row["termination_channel"]) == ("no next step", FAILING, "Sms")
    assert row["tried"] == "Viber Failed (Message Rejected); Sms Failed"
    assert datetime.now(UTC) - datetime.fromisoformat(row["created_at"]) < timedelta(minutes=5)
    assert row["created_at"].endswith("Z")
    nothing = cli("search", "--csv", "--to", "+441234567890", at=sandbox)
    assert nothing.out.strip().split(",") == [*CSV_COLUMNS]


def test_otp_flows(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """OTP flows are found in their own list, by number and status, and no PIN is printed."""
    found = _send(cli, write, sandbox, "otp", DELIVERED)
    for form in ([], ["--json"], ["--csv"]):
        result = cli("search", "--endpoint", "otp", "--to", DELIVERED, *form, at=sandbox)
        assert found in result.out
        assert PIN not in result.out
    assert "3069****0000" in cli("search", "--endpoint", "otp", "--status", "succeeded", at=sandbox).out
    assert cli("search", "--endpoint", "otp", "--tag", "nothing", at=sandbox).err == "No flow matches.\n"


def test_a_long_list_is_cut_and_says_so(
    cli: Cli, write: Write, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table has so many rows at most; nothing is cut in silence, and nothing of what a program reads."""
    monkeypatch.setattr(search_command, "MAX_TABLE_ROWS", 2)
    ids = [_send(cli, write, sandbox, to=DELIVERED) for _ in range(3)]
    short = cli("search", at=sandbox)
    assert _ids(short) == ids[:2]
    assert short.err == "2 flows, and there are more: --limit 0 prints all.\n"
    assert cli("search", "--limit", "3", at=sandbox).err == "3 flows.\n"
    assert len(cli("search", "--csv", at=sandbox).out.splitlines()) == 4
    assert len(cli("search", "--json", "--limit", "1", at=sandbox).out.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--status", "delivered"], ["--status: is none of Queued, InProgress, Succeeded, Failed"]),
        (["--channel", "mail"], ["--channel: is none of Viber, Sms, Voice"]),
        (["--since", "noon"], ["--since: is no time: say today, yesterday, 30m, 2h"]),
        (["--day", "today", "--since", "1h"], ["--day: cannot be given together with --since or --until"]),
        (["--day", "2h"], ["--day: is a moment: say today, yesterday or 2026-01-31"]),
        (["--since", "now", "--until", "1h"], ["since: must be before until"]),
        (["--since", "999999999w"], ["--since: is no time"]),
        (["--to", "*"], ["--to: takes a number, or a part of it"]),
        (["--to", "+30*12"], ["--to: takes a number, or a part of it"]),
        (["--where", "status Failed"], ["--where: takes a field, an operator and a term"]),
        (["--where", "price is 1"], ["--where: the field must be one of type, to"]),
        (["--tag", "x"], ["--tag: is for OTP flows", "Is --endpoint otp missing?"]),
        (["--endpoint", "viber-otp"], ["--endpoint: Routee lists no Viber OTPs"]),
        (["--endpoint", "otp", "--to", "*1"], ["--to: must be a whole number for OTP flows"]),
        (
            ["--endpoint", "otp", "--since", "1h", "--channel", "sms", "--where", "to is 1"],
            ["--since, --until or --day: is not for OTP flows", "--channel: is not", "--where: is not"],
        ),
        (["--json", "--csv"], ["--csv: cannot be printed together with --json"]),
    ],
)
def test_what_cannot_work_is_refused(options: list[str], lines: list[str], cli: Cli, sandbox: Sandbox) -> None:
    """Wrong usage is told in words and asks nobody."""
    result = cli("search", *options, at=sandbox)
    assert result.exit_code == 2
    assert result.out == ""
    assert "nobody was asked" in result.err
    assert all(line in result.err for line in lines)
    assert sandbox.counts.requests == 0


def test_a_process(sandbox: Sandbox, cli: Cli, write: Write) -> None:
    """The program itself finds flows; whoever stops reading ends it without a traceback."""
    found = _send(cli, write, sandbox)
    result = run("search", "--since", "yesterday", "--csv", at=sandbox)
    assert (result.exit_code, found in result.out, result.err) == (0, True, "1 flow.\n")


ODD: list[dict[str, Any]] = [
    {},
    {"messages": [{}], "status": "Paused\x1b[2J"},
    {"trackingId": "=1+1", "messages": [{"type": "Pigeon", "to": "@x\r\n", "status": {"name": "-2\x9b"}}]},
]


def _printed(records: list[Any]) -> Iterator[str]:
    yield from map(format_csv_row, records)
    for terminal, width in ((False, 20), (True, 60), (True, 80), (True, 120)):
        yield _shown(records, terminal=terminal, width=width)


def _shown(records: list[Any], *, terminal: bool, width: int) -> str:
    console = Terminal()
    console._force_terminal, console.width, console._color_system = terminal, width, None
    with console.capture() as captured:
        print_flow_table(console, records)
    return captured.get()


@pytest.mark.parametrize("answer", ODD)
def test_odd_flows_are_shown(answer: dict[str, Any]) -> None:
    """What a flow lacks is an empty cell, and what a terminal or a spreadsheet would obey is shown harmless."""
    flow, otp = FlowRecord.from_dict(answer), OtpRecord.from_dict({"flowId": answer.get("trackingId"), "steps": [{}]})
    for text in _printed([flow, otp, OtpRecord.from_dict({})]):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert not re.search(r'(^|,)"?[=@]', text)


@pytest.mark.parametrize(("terminal", "width", "lines"), [(False, 20, 2), (True, 150, 2), (True, 80, 4), (True, 40, 5)])
def test_a_table_fits_its_terminal_and_cuts_nothing(terminal: bool, width: int, lines: int) -> None:
    """A wide terminal shows a line for each flow and a narrow one several; a pipe gets a line, however long."""
    identity = "0b7c54e1-4d2a-4a53-9d0e-6f3f7a1c2b3d"
    messages = [
        {
            "type": channel,
            "to": FAILING,
            "status": {"name": "Undelivered", "reason": {"detailedStatus": "Unknown Number"}},
        }
        for channel in ("Viber", "Sms")
    ]
    flow = FlowRecord.from_dict({"trackingId": identity, "status": "Failed", "totalPrice": 0.04, "messages": messages})
    shown = _shown([flow], terminal=terminal, width=width).splitlines()
    assert len(shown) == lines
    assert identity in "".join(shown)
    words = " ".join(" ".join(shown).split())
    assert "Viber Undelivered (Unknown Number), Sms Undelivered (Unknown Number)" in words
    assert max(map(len, shown)) <= max(width, 80) or not terminal


def test_a_number_stays_a_number_in_csv() -> None:
    """A plus before digits is no formula, nor is a price below zero."""
    message = VIBER | {"to": FAILING, "price": -0.5}
    row = format_csv_row(FlowRecord.from_dict({"messages": [message], "totalPrice": -0.5, "trackingId": "+1+cmd"}))
    assert f',"{FAILING}",' in row
    assert row.endswith(",-0.5\n")
    assert row.startswith('"\'+1+cmd",')


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--status", "faild"), "--status: is none of Queued, InProgress, Succeeded, Failed; did you mean Failed?"),
        (("--status", ""), "--status: is none of Queued, InProgress, Succeeded, Failed"),
        (("--channel", "vibr"), "--channel: is none of Viber, Sms, Voice; did you mean Viber?"),
        (("--ended-on", "x"), "--ended-on: is none of Viber, Sms, Voice"),
        (("--where", "status is Faild"), "--where: the term must be one of Queued, InProgress, Succeeded, Failed"),
        (("--where", "stat is x"), "--where: the field must be one of"),
        (("--where", "status like x"), "--where: the operator must be one of"),
        (("--since", "today", "--until", "yesterday"), "--since: must be before until"),
        (("--endpoint", "otp", "--status", "faild"), "--status: is none of"),
        (("--endpoint", "otpp"), "'otpp' is none of standard, transactional, otp, viber-otp; did you mean otp?"),
        (("--limit", "x"), "'--limit': must be a whole number"),
        (("--limit", "-1"), "'--limit': must be 0 or more"),
    ],
)
def test_a_slip_is_answered_in_words(cli: Cli, said: tuple[str, ...], told: str) -> None:
    """A word that is none of Routee's is refused by the name of its option, with what was probably meant."""
    result = cli("search", *said, ROUTEE_APPLICATION_ID="x", ROUTEE_APPLICATION_SECRET="y")
    words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.err).split())
    assert (result.exit_code, told in words) == (2, True), words
    for python in ("FlowStatus", "Channel(", "Value error", "Input should", "valid integer"):
        assert python not in result.err


def test_no_command_answers_in_python(cli: Cli, tmp_path: Path) -> None:
    """Whatever option is given a wrong value, the answer is in plain words."""
    bulk = ("bulk", "run", str(tmp_path / "x.csv"), "--flow", "x.json")
    for arguments, told in {
        ("track", "x", "--endpoint", "sms"): "'sms' is none of standard",
        ("track", "x", "--timeout", "-3"): "must be 0.0 or more|must be 0 or more",
        (*bulk, "--unknown", "re-send"): "did you mean resend",
        (*bulk, "--rate", "fast"): "must be a number",
        (*bulk, "--concurrency", "1.5"): "must be a whole number",
        ("bulk", "export", "x.sqlite", "--state", "acepted"): "did you mean accepted",
        ("sandbox", "--port", "99999999"): "must be 65535 or less",
        ("callbacks", "listen", "--port", "x"): "must be a whole number",
        ("track",): "Missing argument",
    }.items():
        result = cli(*arguments)
        words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.err).split())
        assert result.exit_code == 2
        assert re.search(told, words), words
        assert not re.search(r"Value error|Input should|valid integer|<[A-Z]\w+\.", words)
