"""`search`: flows as a table, JSON Lines and CSV, filtered by options."""

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
    """Send a flow, wait until it is final, and return its id."""
    flow = json.loads(json.dumps(FILES[endpoint]).replace("+306900000300", to))
    sent = cli("send", write(flow), at=sandbox)
    assert sent.exit_code == 0, sent.err
    command = sent.out.splitlines()[-1].split()[1:]
    while not any(word in cli(*command, at=sandbox).out for word in ("status  Succeeded", "status  Failed")):
        pass
    return str(command[1])


def _ids(result: Any) -> list[str]:
    return re.findall(r"[0-9a-f]{8}-[-0-9a-f]{27}", result.out)


def test_table_shows_failed_flows_with_reasons_and_masked_numbers(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """The table has the time, the masked recipient, each message with its status, and the reason of a failure."""
    failed = _send(cli, write, sandbox)
    _send(cli, write, sandbox, to=DELIVERED)
    result = cli("search", "--status", "failed", "--day", "today", at=sandbox)
    assert result.exit_code == 0
    header, row = result.out.splitlines()
    assert header.split() == ["sent", "at", "status", "to", "messages", "by", "channel", "price", "id"]
    assert "Failed  +3069****0222  Viber Failed (Message Rejected), Sms Failed: no next step" in row
    assert row.split()[-1] == failed
    assert FAILING[1:] not in result.out
    assert result.err == "1 flow.\n"
    nothing = cli("search", "--status", "failed", "--day", "yesterday", at=sandbox)
    assert (nothing.exit_code, nothing.out, nothing.err) == (0, "", "No flows found.\n")


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
def test_each_option_is_a_condition(
    options: list[str], found: list[int], cli: Cli, write: Write, sandbox: Sandbox
) -> None:
    """Every option is a condition, and all of them must hold."""
    ids = [
        _send(cli, write, sandbox),
        _send(cli, write, sandbox, to=DELIVERED),
        _send(cli, write, sandbox, "transactional", DELIVERED),
    ]
    result = cli("search", *options, at=sandbox)
    assert result.exit_code == 0, result.err
    assert _ids(result) == [ids[index] for index in found]


def test_json_prints_one_masked_response_per_line(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Each line is Routee's response for one flow, PINs masked; the count goes to stderr."""
    ids = [_send(cli, write, sandbox, to=DELIVERED) for _ in range(3)]
    result = cli("search", "--json", at=sandbox)
    assert [json.loads(line)["trackingId"] for line in result.out.splitlines()] == ids
    assert result.err == "3 flows.\n"


def test_csv_has_stable_columns_and_utc_times(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Each flow is a row under stable column names: times in UTC, numbers unmasked."""
    failed = _send(cli, write, sandbox)
    (row,) = csv.DictReader(io.StringIO(cli("search", "--csv", at=sandbox).out))
    assert tuple(row) == CSV_COLUMNS
    assert (row["id"], row["endpoint"], row["status"], row["status_code"]) == (failed, "standard", "Failed", "2")
    assert (row["reason"], row["to"], row["termination_channel"]) == ("no next step", FAILING, "Sms")
    assert row["messages"] == "Viber Failed (Message Rejected); Sms Failed"
    assert datetime.now(UTC) - datetime.fromisoformat(row["created_at"]) < timedelta(minutes=5)
    assert row["created_at"].endswith("Z")
    nothing = cli("search", "--csv", "--to", "+441234567890", at=sandbox)
    assert nothing.out.strip().split(",") == [*CSV_COLUMNS]


def test_otp_flows_are_found_without_pins(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """OTP flows are searched in their own list, by number and status, and no PIN is printed."""
    found = _send(cli, write, sandbox, "otp", DELIVERED)
    for output_option in ([], ["--json"], ["--csv"]):
        result = cli("search", "--endpoint", "otp", "--to", DELIVERED, *output_option, at=sandbox)
        assert found in result.out
        assert PIN not in result.out
    assert "3069****0000" in cli("search", "--endpoint", "otp", "--status", "succeeded", at=sandbox).out
    assert cli("search", "--endpoint", "otp", "--tag", "nothing", at=sandbox).err == "No flows found.\n"


def test_long_table_is_limited_and_says_so(
    cli: Cli, write: Write, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table has a default limit of rows and says so; CSV and JSON have none."""
    monkeypatch.setattr(search_command, "MAX_TABLE_ROWS", 2)
    ids = [_send(cli, write, sandbox, to=DELIVERED) for _ in range(3)]
    short = cli("search", at=sandbox)
    assert _ids(short) == ids[:2]
    assert short.err == "2 flows shown; there are more. --limit 0 prints all.\n"
    assert cli("search", "--limit", "3", at=sandbox).err == "3 flows.\n"
    assert len(cli("search", "--csv", at=sandbox).out.splitlines()) == 4
    assert len(cli("search", "--json", "--limit", "1", at=sandbox).out.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--status", "delivered"], ["--status: is not one of Queued, InProgress, Succeeded, Failed"]),
        (["--channel", "mail"], ["--channel: is not one of Viber, Sms, Voice"]),
        (["--since", "noon"], ["--since: is not a time: use today, yesterday, 30m, 2h"]),
        (["--day", "today", "--since", "1h"], ["--day: cannot be combined with --since or --until"]),
        (["--day", "2h"], ["--day: must be a day: today, yesterday or 2026-01-31"]),
        (["--since", "now", "--until", "1h"], ["since: must be before until"]),
        (["--since", "999999999w"], ["--since: is not a time"]),
        (["--to", "*"], ["--to: takes a number, or a part of one"]),
        (["--to", "+30*12"], ["--to: takes a number, or a part of one"]),
        (["--where", "status Failed"], ["--where: takes a field, an operator and a term"]),
        (["--where", "price is 1"], ["--where: the field must be one of type, to"]),
        (["--tag", "x"], ["--tag: is for OTP flows only", "add --endpoint otp"]),
        (["--endpoint", "viber-otp"], ["--endpoint: Routee has no list of Viber OTPs"]),
        (["--endpoint", "otp", "--to", "*1"], ["--to: must be a complete number for OTP flows"]),
        (
            ["--endpoint", "otp", "--since", "1h", "--channel", "sms", "--where", "to is 1"],
            ["--since, --until or --day: is not available for OTP flows", "--channel: is not", "--where: is not"],
        ),
        (["--json", "--csv"], ["--csv: cannot be combined with --json"]),
    ],
)
def test_invalid_options_exit_with_2_without_a_request(
    options: list[str], lines: list[str], cli: Cli, sandbox: Sandbox
) -> None:
    """An invalid option exits with code 2 and its reason, without a request."""
    result = cli("search", *options, at=sandbox)
    assert result.exit_code == 2
    assert result.out == ""
    assert "no request was made" in result.err
    assert all(line in result.err for line in lines)
    assert sandbox.counts.requests == 0


def test_search_as_a_process_exits_with_0(sandbox: Sandbox, cli: Cli, write: Write) -> None:
    """Run as a process, the program finds flows and exits with code 0."""
    found = _send(cli, write, sandbox)
    result = run("search", "--since", "yesterday", "--csv", at=sandbox)
    assert (result.exit_code, found in result.out, result.err) == (0, True, "1 flow.\n")


MALFORMED: list[dict[str, Any]] = [
    {},
    {"messages": [{}], "status": "Paused\x1b[2J"},
    {"trackingId": "=1+1", "messages": [{"type": "Pigeon", "to": "@x\r\n", "status": {"name": "-2\x9b"}}]},
]


def _all_formats(records: list[Any]) -> Iterator[str]:
    yield from map(format_csv_row, records)
    for terminal, width in ((False, 20), (True, 60), (True, 80), (True, 120)):
        yield _table(records, terminal=terminal, width=width)


def _table(records: list[Any], *, terminal: bool, width: int) -> str:
    console = Terminal()
    console._force_terminal, console.width, console._color_system = terminal, width, None
    with console.capture() as captured:
        print_flow_table(console, records)
    return captured.get()


@pytest.mark.parametrize("response", MALFORMED)
def test_malformed_flows_are_printed_harmlessly(response: dict[str, Any]) -> None:
    """Missing fields are empty cells, and text that a terminal or a spreadsheet would interpret is made harmless."""
    flow, otp = (
        FlowRecord.from_dict(response),
        OtpRecord.from_dict({"flowId": response.get("trackingId"), "steps": [{}]}),
    )
    for text in _all_formats([flow, otp, OtpRecord.from_dict({})]):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        assert not re.search(r'(^|,)"?[=@]', text)


@pytest.mark.parametrize(("terminal", "width", "lines"), [(False, 20, 2), (True, 150, 2), (True, 80, 4), (True, 40, 5)])
def test_table_fits_the_terminal_and_truncates_nothing(terminal: bool, width: int, lines: int) -> None:
    """A wide terminal has one line per flow and a narrow one several; a pipe has one line, however long."""
    tracking_id = "0b7c54e1-4d2a-4a53-9d0e-6f3f7a1c2b3d"
    messages = [
        {
            "type": channel,
            "to": FAILING,
            "status": {"name": "Undelivered", "reason": {"detailedStatus": "Unknown Number"}},
        }
        for channel in ("Viber", "Sms")
    ]
    flow = FlowRecord.from_dict(
        {"trackingId": tracking_id, "status": "Failed", "totalPrice": 0.04, "messages": messages}
    )
    rows = _table([flow], terminal=terminal, width=width).splitlines()
    assert len(rows) == lines
    assert tracking_id in "".join(rows)
    text = " ".join(" ".join(rows).split())
    assert "Viber Undelivered (Unknown Number), Sms Undelivered (Unknown Number)" in text
    assert max(map(len, rows)) <= max(width, 80) or not terminal


def test_csv_does_not_escape_phone_numbers_and_prices() -> None:
    """A phone number with a plus and a negative price are not escaped as formulas."""
    message = VIBER | {"to": FAILING, "price": -0.5}
    row = format_csv_row(FlowRecord.from_dict({"messages": [message], "totalPrice": -0.5, "trackingId": "+1+cmd"}))
    assert f',"{FAILING}",' in row
    assert row.endswith(",-0.5\n")
    assert row.startswith('"\'+1+cmd",')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--status", "faild"), "--status: is not one of Queued, InProgress, Succeeded, Failed; did you mean Failed?"),
        (("--status", ""), "--status: is not one of Queued, InProgress, Succeeded, Failed"),
        (("--channel", "vibr"), "--channel: is not one of Viber, Sms, Voice; did you mean Viber?"),
        (("--ended-on", "x"), "--ended-on: is not one of Viber, Sms, Voice"),
        (("--where", "status is Faild"), "--where: the term must be one of Queued, InProgress, Succeeded, Failed"),
        (("--where", "stat is x"), "--where: the field must be one of"),
        (("--where", "status like x"), "--where: the operator must be one of"),
        (("--since", "today", "--until", "yesterday"), "--since: must be before until"),
        (("--endpoint", "otp", "--status", "faild"), "--status: is not one of"),
        (("--endpoint", "otpp"), "'otpp' is not one of standard, transactional, otp, viber-otp; did you mean otp?"),
        (("--limit", "x"), "'--limit': must be a whole number"),
        (("--limit", "-1"), "'--limit': must be 0 or more"),
    ],
)
def test_misspelled_value_gets_a_suggestion(cli: Cli, options: tuple[str, ...], message: str) -> None:
    """An invalid value is reported with the name of its option and a suggestion, without Python's terms."""
    result = cli("search", *options, ROUTEE_APPLICATION_ID="x", ROUTEE_APPLICATION_SECRET="y")
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.err).split())
    assert (result.exit_code, message in text) == (2, True), text
    for python in ("FlowStatus", "Channel(", "Value error", "Input should", "valid integer"):
        assert python not in result.err


def test_invalid_values_of_every_command_are_in_plain_words(cli: Cli, tmp_path: Path) -> None:
    """An invalid value of any option is reported in plain words."""
    bulk = ("bulk", "run", str(tmp_path / "x.csv"), "--flow", "x.json")
    for arguments, message in {
        ("track", "x", "--endpoint", "sms"): "'sms' is not one of standard",
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
        text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.err).split())
        assert result.exit_code == 2
        assert re.search(message, text), text
        assert not re.search(r"Value error|Input should|valid integer|<[A-Z]\w+\.", text)
