"""`track --follow`: one line per change until the final status, or JSON records."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from routee_failover import FlowRecord
from routee_failover.cli.change_printer import ChangePrinter
from routee_failover.cli.exit_codes import ExitCode
from routee_failover.cli.terminal import Terminal
from routee_failover.sandbox import Sandbox

from .conftest import Cli, running
from .shell import FILES, PHONE, PIN

Write = Callable[[Any], str]


def _follow_command(cli: Cli, write: Write, sandbox: Sandbox, endpoint: str) -> list[str]:
    out = cli("send", write(FILES[endpoint]), at=sandbox).out
    return [*out.splitlines()[-1].split()[1:], "--follow"]


def test_follow_prints_changes_and_the_final_record(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A flow is followed until it is final, and then printed as usual; numbers are masked."""
    for endpoint in ("standard", "otp", "viber-otp"):
        result = cli(*_follow_command(cli, write, sandbox, endpoint), at=sandbox)
        assert result.exit_code == 0, result.err
        changes, _, record = result.out.partition("\n\n")
        assert "flow    " in changes.splitlines()[-1]
        assert "Viber" in changes
        assert "status  " in record
        assert PHONE.lstrip("+") not in result.out


def test_follow_json_prints_one_masked_record_per_change(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With --json each change is one line: Routee's response with secrets masked, and nothing else."""
    result = cli(*_follow_command(cli, write, sandbox, "otp"), "--json", at=sandbox)
    records = [json.loads(line) for line in result.out.splitlines()]
    assert records[-1]["status"] == "Succeeded"
    assert PIN not in result.out


def test_timeout_exits_with_4_and_the_last_status(cli: Cli, write: Write) -> None:
    """A flow that is not final in time exits with code 4, and the message has its last status."""
    with running(Sandbox(speed=0)) as sandbox:
        result = cli(*_follow_command(cli, write, sandbox, "otp"), "--timeout", "0.5", at=sandbox)
    assert "it was last seen InProgress" in result.err
    assert "flow    InProgress" in result.out
    assert result.exit_code == ExitCode.UNKNOWN


def test_only_changes_are_printed() -> None:
    """Only changes of a record are printed: a new message, a new status, the final status with its reason."""
    console = Terminal()
    printer = ChangePrinter(console, as_json=False, now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    viber = {"type": "Viber", "to": "+306912345678", "status": {"name": "QUEUED"}}
    expired = viber | {"status": {"name": "EXPIRED", "reason": {"detailedStatus": "TTL Expired"}}}
    sms = {"type": "Sms", "status": {"name": "Delivered", "reason": {"detailedStatus": "Delivered"}}}
    failed = {"status": "Failed", "statusCode": "2"}
    records: list[dict[str, Any]] = [
        {"status": "Queued"},
        {"status": "InProgress", "messages": [viber]},
        {"status": "InProgress", "messages": [viber]},
        {"status": "InProgress", "messages": [expired, sms]},
        failed | {"messages": [expired, sms, {}]},
    ]
    with console.capture() as captured:
        final = [printer.print_changes(FlowRecord.from_dict(record)) for record in records]
    assert final == [False, False, False, False, True]
    lines = captured.get().splitlines()
    assert all(line.startswith("03:04:05  ") for line in lines)
    assert [line.removeprefix("03:04:05  ") for line in lines] == [
        "flow    Queued",
        "Viber   Queued  +3069****5678",
        "flow    InProgress",
        "Viber   Expired  TTL Expired  +3069****5678",
        "Sms     Delivered",
        "message unknown",
        "flow    Failed, no next step",
    ]


def test_timeout_is_limited_to_fourteen_days(cli: Cli, sandbox: Sandbox) -> None:
    """A flow may be followed for fourteen days, the maximum ttl of a Viber OTP, and no longer."""
    max_timeout = 14 * 24 * 3600
    unknown = cli("track", "no-such-flow", "--follow", "--timeout", str(max_timeout), at=sandbox)
    assert "check --endpoint" in unknown.err
    assert "--timeout" in cli("track", "no-such-flow", "--follow", "--timeout", str(max_timeout + 1), at=sandbox).err
